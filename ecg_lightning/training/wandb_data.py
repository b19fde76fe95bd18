"""What W&B shows of a run's data: how many recordings train and validate, and how many of them have each term."""

from typing import Any

import numpy as np

from ecg_lightning.datamodules.packed import PackedDataModule

SIDES = ("train", "val")
"""The sides that `fit` reads."""


def record_counts(data: PackedDataModule) -> dict[str, int]:
    """Returns the number of recordings of each side, and of those that were set aside when the sources were packed."""
    rejected = sum(int(part.store.meta["rejected"]) for part in data.sources.values())
    return {f"data/{side}/records": len(data.rows(side)) for side in SIDES} | {"data/set_aside": rejected}


def term_counts(data: PackedDataModule) -> list[dict[str, Any]]:
    """Returns a row for each term: how many recordings of each side are positive, negative, or not annotated."""
    rows: list[dict[str, Any]] = [{"term": term} for term in data.terms]
    for side in SIDES:
        targets = data.targets[data.rows(side)]
        for row, column in zip(rows, targets.T, strict=True):
            row[f"{side} positive"] = int((column == 1).sum())
            row[f"{side} negative"] = int((column == 0).sum())
            row[f"{side} not annotated"] = int(np.isnan(column).sum())
    return rows
