"""What a checkpoint has seen: the fingerprints of the recordings that trained it and its ancestors, and whether they are all.

A checkpoint whose list is not whole has an unknown ancestry, and so has whatever is trained from it.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.records.fingerprints import OPENING, SIZE, unreadable, widened

WIDTHS = (OPENING, SIZE)
"""Bytes of a fingerprint: of older checkpoints, and now."""


def flaw(checkpoint: Checkpoint) -> str | None:
    """What contradicts a checkpoint's list of recordings, as a sentence; None where nothing does."""
    seen, count = checkpoint.seen, checkpoint.card.seen
    listed = 0 if seen is None else len(seen) if seen.dim() else 1
    if listed != count and count is not None:
        return (
            f"{checkpoint.name} was changed since it was written: its card counts {count} recordings that trained it, and it "
            f"lists {listed}. Its ancestry is unknown."
        )
    if seen is None:
        return None
    if not _has_fingerprints(seen):
        return (
            f"{checkpoint.name} was changed since it was written: its list of the recordings that trained it is no list of "
            "fingerprints. Its ancestry is unknown."
        )
    rows = _rows_of(seen)
    lost = len(seen) - len(rows)
    if lost:
        return (
            f"{checkpoint.name} was changed since it was written: {lost} of the {len(seen)} fingerprints of the recordings "
            "that trained it are damaged or there twice. Its ancestry is unknown."
        )
    return None


def is_unknown(checkpoint: Checkpoint) -> bool:
    """Whether recordings may have trained it, or an ancestor, that it does not list."""
    return checkpoint.seen is None or checkpoint.card.ancestry_unknown or flaw(checkpoint) is not None


def listed(checkpoint: Checkpoint) -> NDArray[np.int8]:
    """(recordings, 256) the fingerprints that can be read in a checkpoint's list; an older list is widened by zeros."""
    if checkpoint.seen is None or not _has_fingerprints(checkpoint.seen):
        return np.zeros((0, SIZE), np.int8)
    return _rows_of(checkpoint.seen)


def _rows_of(seen: Tensor) -> NDArray[np.int8]:
    """As `listed`, of a list of fingerprints."""
    return _once(widened(seen.numpy()))


def seen(data: PackedDataModule, parent: Checkpoint | None = None) -> Tensor:
    """(recordings, 256) int8 fingerprints of the training recordings and of those that the parent has seen, each once."""
    lists = [data.store.fingerprints[data.rows("train")]]
    if parent is not None:
        lists.append(listed(parent))
    return torch.from_numpy(_once(np.concatenate(lists)))


def without_fingerprint(data: PackedDataModule) -> int:
    """How many of the recordings that take part have no fingerprint that can be compared."""
    return int(unreadable(data.store.fingerprints[data.usable]).sum())


def unknown_after(data: PackedDataModule, parent: Checkpoint | None) -> bool:
    """Whether what this data trains, from this parent, will have an unknown ancestry."""
    blind = unreadable(data.store.fingerprints[data.rows("train")]).any()
    return bool(blind) or (parent is not None and is_unknown(parent))


def ancestors(data: PackedDataModule, checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint that this data trained, as one that has seen only what its ancestors have."""
    if checkpoint.seen is None or flaw(checkpoint) is not None:
        return checkpoint
    rows = listed(checkpoint)
    known = {row.tobytes() for row in seen(data).numpy()[:, :OPENING]}
    others = rows[[row.tobytes() not in known for row in rows[:, :OPENING]]]
    return replace(checkpoint, seen=torch.from_numpy(others), card=replace(checkpoint.card, seen=len(others)))


def _has_fingerprints(rows: Tensor) -> bool:
    return rows.dtype == torch.int8 and rows.dim() == 2 and rows.shape[1] in WIDTHS


def _once(rows: NDArray[np.int8]) -> NDArray[np.int8]:
    """The rows that can be read, each recording once, in an order that tells nothing; of equal ones the first."""
    rows = rows[~unreadable(rows)]
    _, first = np.unique(rows[:, :OPENING], axis=0, return_index=True)
    once: NDArray[np.int8] = rows[first]
    return once
