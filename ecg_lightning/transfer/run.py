"""The verb `transfer`: trains and measures the networks that are not finished, and writes table and figure."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from ecg_lightning.config.compose import compose, load
from ecg_lightning.config.experiment import experiment
from ecg_lightning.errors import UserError
from ecg_lightning.training.recipe import differences, recipe_of
from ecg_lightning.transfer.study import Study, Training, read_study

PAUSE = 5.0  # seconds between two looks at the work of other processes


def transfer(arguments: Sequence[str]) -> int:
    """Runs a study: `transfer --large A.yaml --small B.yaml --sizes [100,500,all] --seeds [3]`.

    A finished training is never done again, so that the same command goes on where it stopped. Several processes with the
    same folder, on one machine or on several, share the trainings.
    """
    study = read_study(arguments)
    trainings = study.trainings()
    for training in trainings:  # so that every mistake is answered before the first training
        _refuse_changed(training, experiment(training.words))
    from ecg_lightning.transfer.checks import check_archives, check_finished
    from ecg_lightning.transfer.measure import describe, measure
    from ecg_lightning.transfer.report import report

    archives = check_archives(study, trainings)
    check_finished(study, trainings, archives)
    descriptions = {name: describe(data) for name, data in archives.items()}
    folder = Path(study.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    _train_all(study, trainings, descriptions)
    with FileLock(folder / "report.lock"):
        if not study.trains_large:
            measure(study, study.checkpoint, "small", descriptions["small"], study.measured("large"))
        check_finished(study, trainings, archives)
        report(study)
    return 0


def _train_all(study: Study, trainings: Sequence[Training], descriptions: Mapping[str, Mapping[str, Any]]) -> None:
    """Trains and measures every network, in an order in which a process waits only where it can train nothing."""
    titles = {training: f"[{k}/{len(trainings)}] {training}" for k, training in enumerate(trainings, start=1)}
    unfinished, has_printed = list(trainings), False
    while unfinished:
        in_use = [training for training in unfinished if not _attempt(study, training, titles[training], descriptions)]
        if len(in_use) == len(unfinished):
            if not has_printed:
                names = "; ".join(map(str, in_use))
                print(
                    f"Waiting for another process, which trains these networks: {names}.", file=sys.stderr, flush=True
                )
            has_printed = True
            time.sleep(PAUSE)
        unfinished = in_use


def _attempt(study: Study, training: Training, title: str, descriptions: Mapping[str, Mapping[str, Any]]) -> bool:
    """Trains and measures one network; returns False where another process trains it, or the network from which it starts."""
    if training.arm == "tuned" and study.trains_large and not (study.folder("large") / "done").is_file():
        return False
    from ecg_lightning.transfer.measure import measure

    try:
        with FileLock(Path(study.run_dir) / f"{training.folder.name}.lock", timeout=0):
            _train(training, title)
            for archive in _archives(study, training.arm):
                folder = study.measured(training.arm, training.size, training.seed, archive)
                best = str(training.folder / "checkpoints" / "best.ckpt")
                measure(study, best, archive, descriptions[archive], folder)
    except Timeout:
        return False
    return True


def _archives(study: Study, arm: str) -> list[str]:
    """Returns the archives on which an arm's network is measured; the large one shows how much fine-tuning has forgotten."""
    return ["small", "large"] if study.trains_large and arm != "small" else ["small"]


def _train(training: Training, title: str) -> None:
    if (training.folder / "done").exists():
        return
    from ecg_lightning.training import fit as training_run

    print(title, flush=True)
    training_run.fit(compose([*training.words, f"run_dir={training.folder}", "checkpoint_path=auto"]))
    (training.folder / "done").touch()


def _refuse_changed(training: Training, config: DictConfig) -> None:
    """Compares the configuration of a finished training with that of the study.

    Raises:
        UserError: naming the first difference; that of a class comes before those of its arguments.
    """
    path = training.folder / "config.yaml"
    if not path.is_file():
        return
    # `check_finished` compares the bytes of the network from which it starts, since the study's folder may have been moved.
    ignored_keys = ("finetune.checkpoint",) if training.arm == "tuned" else ()
    for difference in differences(recipe_of(load(path)), recipe_of(config), ignored_keys).values():
        raise UserError(
            f"{training.folder} was trained with another configuration: {difference}. Give the study another run_dir, or "
            "remove that folder."
        )
