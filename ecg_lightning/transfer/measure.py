"""Measures a study's networks on the archives' test folds: once, and again where the network or the archive has changed."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ecg_lightning import checkpoints
from ecg_lightning.config.compose import compose
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.transfer.study import Study


class MeasuredLogits(NamedTuple):
    """The logits of a network for the recordings of the test folds, with the labels of these recordings.

    Attributes:
        logits: (recordings, terms).
        targets: (recordings, terms) 1, 0 or NaN.
        records: (recordings,) positions in the store.
        patients: (recordings,) a number for each patient.
    """

    logits: NDArray[np.float32]
    targets: NDArray[np.float32]
    records: NDArray[np.int64]
    patients: NDArray[np.int64]


def read_logits(folder: Path) -> MeasuredLogits:
    """Reads the logits of a network that was measured into a folder."""
    with (folder / "test.npz").open("rb") as file, np.load(file) as arrays:
        return MeasuredLogits(*(arrays[name] for name in MeasuredLogits._fields))


def describe(data: PackedDataModule) -> dict[str, Any]:
    """Returns the description of an archive as it is read back from a test.json."""
    plain: dict[str, Any] = json.loads(json.dumps(data.describe()))
    return plain


def measure(study: Study, checkpoint: str, archive: str, description: Mapping[str, Any], folder: Path) -> None:
    """Writes test.json and test.npz of a network on an archive's test folds, unless the folder has valid ones.

    Args:
        study: the study with the archives.
        checkpoint: the network.
        archive: `small` or `large`.
        description: the archive as it is now, from `describe`.
        folder: where the files are written.
    """
    if _is_valid(folder, checkpoints.read(checkpoint).sha256, description):
        return
    from ecg_lightning.evaluation.evaluate import evaluate

    folder.mkdir(parents=True, exist_ok=True)
    evaluate(compose([*study.configured(archive), f"run_dir={folder}", f"checkpoint_path={checkpoint}"]))


def _is_valid(folder: Path, sha256: str, description: Mapping[str, Any]) -> bool:
    """Returns whether a folder has the measurement of this network on the archive as it is now."""
    try:
        report = json.loads((folder / "test.json").read_text(encoding="utf-8"))
        read_logits(folder)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):  # there is none, or it is incomplete
        return False
    return bool(report.get("checkpoint_sha256") == sha256 and report.get("data") == description)
