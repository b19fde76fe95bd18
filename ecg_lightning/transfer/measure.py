"""Measures a study's networks on the archives' test folds: once, and again where the network or the archive has changed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecg_lightning import checkpoints
from ecg_lightning.config.compose import compose
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictions import read_predictions
from ecg_lightning.transfer.study import Study


def describe(data: PackedDataModule) -> dict[str, Any]:
    """Returns the description of an archive as it is read back from a test.json."""
    plain: dict[str, Any] = json.loads(json.dumps(data.describe()))
    return plain


def measure(study: Study, checkpoint: str, archive: str, description: Mapping[str, Any], folder: Path) -> None:
    """Writes test.json and predictions.parquet of a network on an archive's test folds, unless the folder has valid ones.

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
        read_predictions(folder)
    except (OSError, ValueError, UserError):  # there is none, or it is incomplete
        return False
    return bool(report.get("checkpoint_sha256") == sha256 and report.get("data") == description)
