"""A tiny PTB-XL and a tiny network, for tests that train."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

import fake
from ecg_lightning.evaluation.predictions import Predictions
from ecg_lightning.main import main

TINY = (
    "model.name=ResNet1dModule", "model.block=basic", "model.widths=[4,4,8,8]", "model.pooling=mean", "model.dropout=0.2",
    "data.batch_size=16", "trainer.max_epochs=2", "trainer.gradient_clip_val=1", "trainer.num_sanity_val_steps=0",
    "trainer.enable_progress_bar=false", "trainer.enable_model_summary=false", "trainer.accelerator=cpu",
    "logger.wandb=false",
)  # fmt: skip
"""Overrides that make a run take a second or two."""


def archive(folder: Path, records: int = 80) -> Path:
    """A small PTB-XL at 100 Hz, 3 s a recording."""
    fake.ptbxl(folder / "ptbxl", records, seconds=3)
    return folder / "ptbxl"


def arguments(root: Path, run_dir: Path, *more: str) -> list[str]:
    """The words after the verb for a tiny run on a tiny archive."""
    data = (
        "data.name=PTBXLDataModule",
        f"data.root={root}",
        "data.seconds=3",
        f"data.store_dir={run_dir.parent / 'store'}",
    )
    return [*data, *TINY, "data.pack_workers=1", f"run_dir={run_dir}", *more]


def fit(root: Path, run_dir: Path, *more: str) -> Path:
    """Trains; returns the run's folder."""
    assert run("fit", arguments(root, run_dir, *more)) == 0
    return run_dir


def run(verb: str, words: Sequence[str]) -> int:
    """One verb as the command line runs it, in this process."""
    return main([verb, *words])


def record(folder: Path) -> str:
    """The first recording in a folder."""
    return str(min(folder.rglob("*.hea")))


def predictions(
    logits: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike | None = None,
    terms: Sequence[str] = (),
    name: str = "run",
) -> Predictions:
    """What a network would have put out for records of a test: logits and targets (records, terms), with the threshold 0.5."""
    values, labels = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    numbers = np.arange(len(values))
    return Predictions(
        name,
        tuple(terms) or tuple(f"T{k}" for k in range(values.shape[1])),
        np.array([f"r{number}" for number in numbers], object),
        numbers,
        numbers if patients is None else np.asarray(patients),
        labels,
        values,
        expit(values),
        expit(values),
        (expit(values) >= 0.5).astype(np.float64),
    )
