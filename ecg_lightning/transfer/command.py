"""The verb `transfer`: trains what is missing, measures what is not measured, and writes table and figure."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from ecg_lightning.config import as_dict, compose, load
from ecg_lightning.errors import UserError
from ecg_lightning.schema import build, check, check_paths
from ecg_lightning.transfer.study import Study, Training, read_study

SILENT = (
    "run_dir", "checkpoint_path", "logger.", "data.root", "data.store_dir", "data.pack_workers", "data.num_workers",
    "trainer.enable_", "trainer.accelerator",
)  # fmt: skip
"""Keys that do not change what a training comes to."""


def transfer(arguments: Sequence[str]) -> int:
    """The verb: ``transfer --large A.yaml --small B.yaml --sizes [100,500,all] --seeds [3]``.

    What is finished is never done again, so the same command goes on where it stopped; started in several processes,
    or on several machines with one folder, they share the trainings.
    """
    study = read_study(arguments)
    trainings = study.trainings()
    for training in trainings:  # all mistakes before the first hour of training
        config = compose(training.words)
        check(config)
        check_paths(config)
        _refuse_another(training.folder, config)
    _refuse_unlike(study)
    folder = Path(study.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    titles = {training: f"[{k}/{len(trainings)}] {training}" for k, training in enumerate(trainings, start=1)}
    busy = [
        training for training in trainings if not _attempt(study, training, titles[training], training.arm == "large")
    ]
    for training in busy:  # another process was at it
        _attempt(study, training, titles[training], wait=True)
    if not study.trains_large:
        _measure(study, study.folder("large"), study.checkpoint, "small")
    from ecg_lightning.transfer.report import report

    report(study)
    return 0


def _attempt(study: Study, training: Training, title: str, wait: bool) -> bool:
    """Trains and measures one network; False where another process is at it and there is something else to do."""
    try:
        with FileLock(Path(study.run_dir) / f"{training.folder.name}.lock", timeout=-1 if wait else 0):
            _train(training, title)
            for archive in _archives(study, training.arm):
                _measure(study, training.folder, str(training.folder / "checkpoints" / "best.ckpt"), archive)
    except Timeout:
        return False
    return True


def _archives(study: Study, arm: str) -> list[str]:
    """The archives on which an arm's network is measured: on the large one where something can be forgotten."""
    return ["small", "large"] if study.trains_large and arm != "small" else ["small"]


def _train(training: Training, title: str) -> None:
    if (training.folder / "done").exists():
        return
    from ecg_lightning import run

    print(title, flush=True)
    if run.fit([*training.words, f"run_dir={training.folder}", "checkpoint_path=auto"]):
        raise KeyboardInterrupt
    (training.folder / "done").touch()


def _measure(study: Study, folder: Path, checkpoint: str, archive: str) -> None:
    """Writes test.json and test.npz of a network on an archive's test folds."""
    target = folder / f"on_{archive}"
    if (target / "test.json").exists():
        return
    from ecg_lightning import evaluation

    target.mkdir(parents=True, exist_ok=True)
    words = [*study.configured(archive), f"run_dir={target}", f"checkpoint_path={checkpoint}"]
    with contextlib.redirect_stdout(io.StringIO()):  # the study's own table says it all
        evaluation.evaluate("test", words)


def _refuse_another(folder: Path, config: DictConfig) -> None:
    """Refuses to take a finished training for one with another configuration.

    Raises:
        UserError: naming the first difference.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        return
    before, now = _flat(load(path)), _flat(config)
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            then, here = (each.get(key, "the default") for each in (before, now))
            raise UserError(
                f"{folder} was trained with another configuration: {key} was {then}, and is {here} in this study. "
                "Give the study another run_dir, or remove that folder."
            )


def _refuse_unlike(study: Study) -> None:
    """Refuses archives that one network cannot be measured on, before anything is trained.

    Raises:
        UserError: where the large archive's network predicts other terms than the small one has, or from another input.
    """
    from ecg_lightning import checkpoints
    from ecg_lightning.datamodules.base import ECGDataModule
    from ecg_lightning.evaluation import check_fits

    def data(archive: str) -> ECGDataModule:
        built: ECGDataModule = build("data", as_dict(compose(study.configured(archive)).data), seed=0)
        return built

    if study.trains_large:
        large = data("large")
        check_fits(large.terms, large.label_space, large.input_spec(), data("small"))
    else:
        read = checkpoints.read(study.large)
        check_fits(read.terms, read.card["label_space"], read.card["input"], data("small"))


def _flat(config: DictConfig) -> dict[str, str]:
    """Keys and values; what does not change the outcome is left out."""
    found: dict[str, str] = {}
    for group, values in as_dict(config).items():
        each = (
            {f"{group}.{key}": value for key, value in values.items()} if isinstance(values, dict) else {group: values}
        )
        found |= {key: str(value) for key, value in each.items() if value is not None}
    return {key: value for key, value in found.items() if not key.startswith(SILENT)}
