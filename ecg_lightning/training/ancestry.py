"""The ancestry of a checkpoint: the fingerprints of the recordings that trained it and its ancestors, and whether the list is whole.

A checkpoint whose list is not whole has an unknown ancestry, and so has every checkpoint that is trained from it.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.records.fingerprints import OPENING, SIZE, unreadable, widened

WIDTHS = (OPENING, SIZE)
"""Bytes of a fingerprint in older checkpoints, and in present ones."""


def flaw(checkpoint: Checkpoint) -> str | None:
    """Returns what is wrong with a checkpoint's list of fingerprints, as a sentence; None where nothing is."""
    seen, count = checkpoint.seen, checkpoint.card.seen
    length = 0 if seen is None else len(seen) if seen.dim() else 1
    changed = f"{checkpoint.name} was changed after it was written"
    if length != count and count is not None:
        return (
            f"{changed}: its card counts {count} recordings that trained it, and its list has {length}. "
            "Its ancestry is unknown."
        )
    if seen is None:
        return None
    if not _are_fingerprints(seen):
        return f"{changed}: its list of training recordings does not hold fingerprints. Its ancestry is unknown."
    damaged = len(seen) - len(_distinct(widened(seen.numpy())))
    if damaged:
        return (
            f"{changed}: of the {len(seen)} fingerprints of its training recordings, {damaged} are damaged or listed twice. "
            "Its ancestry is unknown."
        )
    return None


def is_unknown(checkpoint: Checkpoint) -> bool:
    """Returns whether recordings that the checkpoint does not list may have trained it or an ancestor."""
    return checkpoint.seen is None or checkpoint.card.ancestry_unknown or flaw(checkpoint) is not None


def fingerprints_of(checkpoint: Checkpoint) -> NDArray[np.int8]:
    """Returns the readable fingerprints in a checkpoint's list, (recordings, 256); older ones are widened by zeros."""
    if checkpoint.seen is None or not _are_fingerprints(checkpoint.seen):
        return np.zeros((0, SIZE), np.int8)
    return _distinct(widened(checkpoint.seen.numpy()))


def seen_after_training(data: PackedDataModule, parent: Checkpoint | None = None) -> Tensor:
    """Returns the fingerprints of the training recordings and those in the parent's list, each once.

    Args:
        data: the data that train.
        parent: the checkpoint that the training starts from.

    Returns:
        (recordings, 256) int8.
    """
    fingerprints = [data.store.fingerprints[data.rows("train")]]
    if parent is not None:
        fingerprints.append(fingerprints_of(parent))
    return torch.from_numpy(_distinct(np.concatenate(fingerprints)))


def inherited(card: Card, parent: Checkpoint) -> Card:
    """Returns the card with what a network inherits from its parent: archives that trained it, family, licence and citation."""
    origin = parent.card
    return replace(
        card, archives=list(origin.archives), family=origin.family, licence=origin.licence, citation=origin.citation
    )


def count_without_fingerprint(data: PackedDataModule) -> int:
    """Returns how many recordings that take part have no fingerprint that can be compared."""
    return int(unreadable(data.store.fingerprints[data.usable]).sum())


def is_unknown_after_training(data: PackedDataModule, parent: Checkpoint | None) -> bool:
    """Returns whether a checkpoint that these data train from this parent has an unknown ancestry."""
    any_unreadable = unreadable(data.store.fingerprints[data.rows("train")]).any()
    return bool(any_unreadable) or (parent is not None and is_unknown(parent))


def without_training_recordings(checkpoint: Checkpoint, data: PackedDataModule) -> Checkpoint:
    """Returns the checkpoint with a list that lacks the training recordings of the data: its ancestors' list."""
    if checkpoint.seen is None or flaw(checkpoint) is not None:
        return checkpoint
    fingerprints = fingerprints_of(checkpoint)
    trained = {row.tobytes() for row in seen_after_training(data).numpy()[:, :OPENING]}
    inherited = fingerprints[[row.tobytes() not in trained for row in fingerprints[:, :OPENING]]]
    return replace(checkpoint, seen=torch.from_numpy(inherited), card=replace(checkpoint.card, seen=len(inherited)))


def _are_fingerprints(rows: Tensor) -> bool:
    """Returns whether the type and the shape are those of a list of fingerprints."""
    return rows.dtype == torch.int8 and rows.dim() == 2 and rows.shape[1] in WIDTHS


def _distinct(fingerprints: NDArray[np.int8]) -> NDArray[np.int8]:
    """Returns the readable rows of (recordings, 256), each recording once, sorted; of equal rows the first."""
    readable = fingerprints[~unreadable(fingerprints)]
    _, first = np.unique(readable[:, :OPENING], axis=0, return_index=True)
    distinct: NDArray[np.int8] = readable[first]
    return distinct
