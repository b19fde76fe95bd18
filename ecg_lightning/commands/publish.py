"""`publish RUN NAME`: gives a run's best weights a name."""

from collections.abc import Sequence
from pathlib import Path

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.addresses import shown
from ecg_lightning.commands.words import split_words


def publish(arguments: Sequence[str]) -> int:
    """Publishes the run that the arguments name, and prints what was published and where."""
    (run, name), folder = split_words(arguments, "publish RUN NAME", 2, 2)
    url = checkpoints.publish(run, name, folder)
    card = checkpoints.card_of(url)
    print(f"Published {name}: {card.model['name']}, {len(card.terms)} terms, {shown(url)}", flush=True)
    path = Path(run).expanduser().absolute()
    run_dir = path if path.is_dir() else path.parent.parent
    if (run_dir / "wandb.json").is_file():  # it was logged to W&B
        from ecg_lightning.training.wandb_artifacts import log_published

        log_published(run_dir, url)
    return 0
