"""Measuring a study's networks on the archives' test folds: once, and again where the network or the archive changed."""

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


class Outputs(NamedTuple):
    """What a network said of the test recordings.

    Attributes:
        logits: (recordings, terms).
        targets: (recordings, terms) 1, 0 or NaN.
        records: (recordings,) positions in the store.
        patients: (recordings,) a number each.
    """

    logits: NDArray[np.float32]
    targets: NDArray[np.float32]
    records: NDArray[np.int64]
    patients: NDArray[np.int64]


def outputs(folder: Path) -> Outputs:
    """The saved outputs of a measured network."""
    with (folder / "test.npz").open("rb") as file, np.load(file) as saved:
        return Outputs(*(saved[name] for name in Outputs._fields))


def describe(data: PackedDataModule) -> dict[str, Any]:
    """What a test.json says of its data, as it is read back."""
    plain: dict[str, Any] = json.loads(json.dumps(data.describe()))
    return plain


def measure(study: Study, checkpoint: str, archive: str, described: Mapping[str, Any], folder: Path) -> None:
    """Writes test.json and test.npz of a network on an archive's test folds, unless they are there and still hold.

    Args:
        study: whose archives.
        checkpoint: the network.
        archive: ``small`` or ``large``.
        described: what the archive is now, from `describe`.
        folder: gets the files.
    """
    if _holds(folder, checkpoints.read(checkpoint).sha256, described):
        return
    from ecg_lightning.evaluation.evaluate import evaluate

    folder.mkdir(parents=True, exist_ok=True)
    evaluate(compose([*study.configured(archive), f"run_dir={folder}", f"checkpoint_path={checkpoint}"]))


def _holds(folder: Path, sha256: str, described: Mapping[str, Any]) -> bool:
    """Whether what was measured is of this network and of the archive as it is now."""
    try:
        said = json.loads((folder / "test.json").read_text(encoding="utf-8"))
        outputs(folder)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):  # not there, or cut short
        return False
    return bool(said.get("checkpoint_sha256") == sha256 and said.get("data") == described)
