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
    "logger.wandb=false", "report.ecgs=0",
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


def record(folder: Path) -> str:
    """The first recording in a folder."""
    return str(min(folder.rglob("*.hea")))


def untrained(folder: Path, leads: Sequence[str], terms: Sequence[str], seconds: float = 3) -> str:
    """Writes a published network with random weights, in a moment; its first term is one that it has not learnt."""
    import torch
    from safetensors.torch import save_file

    from ecg_lightning.checkpoints.card import Card
    from ecg_lightning.checkpoints.checkpoint import CARD_KEY, HASH_KEY, content_hash
    from ecg_lightning.models import ResNet1d

    torch.manual_seed(0)
    model = {"block": "basic", "widths": [4, 4, 8, 8], "pooling": "mean"}
    network = ResNet1d(leads=len(leads), outputs=len(terms), **model)
    torch.nn.init.normal_(network.head.weight)
    data = {"source": "ptbxl", "fingerprint": "f0", "label_space": [*terms], "val_folds": [9], "test_folds": [10],
            "allow_leak": False, "records": {"train": 8, "val": 1, "test": 1}}  # fmt: skip
    text = Card.from_dict({
        "format": 3, "model": {"name": "ResNet1dModule", **model}, "label_space": [*terms], "terms": [*terms], "data": data,
        "allow_leak": False, "parent": None, "provenance": {"ecg_lightning": "0.2.0", "torch": "2.13.0"},
        "input": {"sampling_rate": 100, "seconds": seconds, "preprocess": {"normalisation": "zscore", "leads": [*leads]}},
        "thresholds": [None, *[0.5] * (len(terms) - 1)], "seen": 0, "metrics": {}, "epoch": 1,
        "calibration": {"slope": [0.5] * len(terms), "intercept": [0.1] * len(terms)},
    }, "untrained").to_json()  # fmt: skip
    state = network.state_dict()
    path = folder / "untrained.safetensors"
    save_file(state, path, {CARD_KEY: text, HASH_KEY: content_hash(text, state)})
    return str(path)
