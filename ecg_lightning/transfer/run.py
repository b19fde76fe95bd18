"""The verb `transfer`: trains what is missing, measures what is not measured, and writes table and figure."""

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

PAUSE = 5.0  # seconds between looks at what other processes have done


def transfer(arguments: Sequence[str]) -> int:
    """The verb: ``transfer --large A.yaml --small B.yaml --sizes [100,500,all] --seeds [3]``.

    What is finished is never done again, so the same command goes on where it stopped; started in several processes,
    or on several machines with one folder, they share the trainings.
    """
    study = read_study(arguments)
    trainings = study.trainings()
    for training in trainings:  # all mistakes before the first hour of training
        _refuse_another(training, experiment(training.words))
    from ecg_lightning.transfer.checks import check_archives, check_finished
    from ecg_lightning.transfer.measure import describe, measure
    from ecg_lightning.transfer.report import report

    archives = check_archives(study, trainings)
    check_finished(study, trainings, archives)
    described = {name: describe(data) for name, data in archives.items()}
    folder = Path(study.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    _train_all(study, trainings, described)
    with FileLock(folder / "report.lock"):
        if not study.trains_large:
            measure(study, study.checkpoint, "small", described["small"], study.measured("large"))
        check_finished(study, trainings, archives)
        report(study)
    return 0


def _train_all(study: Study, trainings: Sequence[Training], described: Mapping[str, Mapping[str, Any]]) -> None:
    """Trains and measures every network, in an order in which no process waits while there is something that it can do."""
    titles = {training: f"[{k}/{len(trainings)}] {training}" for k, training in enumerate(trainings, start=1)}
    waiting, said = list(trainings), False
    while waiting:
        busy = [training for training in waiting if not _attempt(study, training, titles[training], described)]
        if len(busy) == len(waiting):
            if not said:
                print(
                    f"Another process is at {', '.join(map(str, busy))}; waiting for it.", file=sys.stderr, flush=True
                )
            said = True
            time.sleep(PAUSE)
        waiting = busy


def _attempt(study: Study, training: Training, title: str, described: Mapping[str, Mapping[str, Any]]) -> bool:
    """Trains and measures one network; False where another process is at it, or at what it starts from."""
    if training.arm == "tuned" and study.trains_large and not (study.folder("large") / "done").is_file():
        return False
    from ecg_lightning.transfer.measure import measure

    try:
        with FileLock(Path(study.run_dir) / f"{training.folder.name}.lock", timeout=0):
            _train(training, title)
            for archive in _archives(study, training.arm):
                folder = study.measured(training.arm, training.size, training.seed, archive)
                best = str(training.folder / "checkpoints" / "best.ckpt")
                measure(study, best, archive, described[archive], folder)
    except Timeout:
        return False
    return True


def _archives(study: Study, arm: str) -> list[str]:
    """The archives on which an arm's network is measured: on the large one where something can be forgotten."""
    return ["small", "large"] if study.trains_large and arm != "small" else ["small"]


def _train(training: Training, title: str) -> None:
    if (training.folder / "done").exists():
        return
    from ecg_lightning.training import fit as training_run

    print(title, flush=True)
    training_run.fit(compose([*training.words, f"run_dir={training.folder}", "checkpoint_path=auto"]))
    (training.folder / "done").touch()


def _refuse_another(training: Training, config: DictConfig) -> None:
    """Refuses to take a finished training for one with another configuration.

    Raises:
        UserError: naming the first difference, that of a class before those of its arguments.
    """
    path = training.folder / "config.yaml"
    if not path.is_file():
        return
    # Which network it starts from is compared by content (check_finished): the study's folder may have been moved.
    without = ("finetune.checkpoint",) if training.arm == "tuned" else ()
    for difference in differences(recipe_of(load(path)), recipe_of(config), without).values():
        raise UserError(
            f"{training.folder} was trained with another configuration: {difference}. Give the study another run_dir, or "
            "remove that folder."
        )
