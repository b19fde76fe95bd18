"""`publish RUN NAME`: gives a run's best weights a name."""

from collections.abc import Sequence
from pathlib import Path

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.addresses import is_url, shown
from ecg_lightning.commands.words import counted, split_options, split_words


def publish(arguments: Sequence[str]) -> int:
    """Publishes the run that the arguments name, and prints what was published and where."""
    options, words = split_options(arguments, options=("--licence", "--alias"))
    (run, name), folder = split_words(words, "publish RUN NAME [--licence TEXT] [--alias NAME@WORD]", 2, 2)
    alias = options.get("alias")
    if alias is not None:
        checkpoints.check_alias(alias)  # before anything is published
    url = checkpoints.publish(run, name, folder, licence=options.get("licence", ""))
    card = checkpoints.card_of(url)
    print(f"Published {name}: {card.model['name']}, {counted(len(card.terms), 'term')}, {shown(url)}", flush=True)
    if alias is not None:
        checkpoints.set_alias(alias, name, folder)
        print(f"{alias} is {name} from now on.", flush=True)
    path = Path(run).expanduser().absolute()
    run_dir = path if path.is_dir() else path.parent.parent
    if not is_url(run) and (run_dir / "wandb.json").is_file():  # it was logged to W&B
        from ecg_lightning.training.wandb_artifacts import log_published

        log_published(run_dir, url)
    return 0
