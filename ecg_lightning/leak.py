"""No leak: whether patients or recordings of the validation or test side were seen in training, by this network or before.

Recordings are known again by their content (``records.fingerprints``), whatever their archive, number, rate or format.
Within one source nothing can leak: patients, and unofficial folds of recordings that occur twice, are on one side, and a
training copy of a recording that an official fold holds out is left out (``ECGDataModule.rows``). What is left is found
here: between the sources of a mix, and against the recordings that trained the checkpoint.
"""

import sys
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.splits import patients
from ecg_lightning.errors import UserError
from ecg_lightning.records import matches

EXAMPLES = 3
SIDES = {"val": "validation", "test": "test"}


def within(data: ECGDataModule) -> list[str]:
    """What the training side of the data shares with its validation and test sides, in sentences; nothing where it is well."""
    train, held_out = data.rows("train"), np.concatenate([data.rows(split) for split in SIDES])
    ids = data.store.index["record_id"].to_numpy(object)
    found = []
    if len(copies := data.store.copies(train, held_out)):
        pairs = ", ".join(f"{ids[a]} = {ids[b]}" for a, b in copies[:EXAMPLES])
        found.append(
            f"{len(np.unique(copies[:, 1]))} recordings of the validation or test side are also in training, for example "
            f"{pairs}."
            + (" data.drop_copies=true leaves such copies out of training." if len(data.sources) > 1 else "")
        )
    patient = data.store.index["patient_id"]
    shared = patient.iloc[train][patient.iloc[train].isin(patient.iloc[held_out][patient.iloc[held_out] != ""])]
    if len(shared):
        first = shared.drop_duplicates().iloc[:EXAMPLES].index
        theirs = [held_out[(patient.iloc[held_out] == patient.iloc[row]).argmax()] for row in first]
        pairs = ", ".join(f"that of {ids[a]} and {ids[b]}" for a, b in zip(first, theirs, strict=True))
        found.append(
            f"{shared.nunique()} patients of the validation or test side are also in training, for example {pairs}."
        )
    return found


def before(data: ECGDataModule, splits: Sequence[str], checkpoint: Checkpoint) -> list[str]:
    """Whether recordings of these sides, or others of their patients, trained a checkpoint or an ancestor, in sentences.

    A checkpoint names no patients. It has seen a patient where it has seen any recording that the sources have of him.
    """
    if checkpoint.seen is None:
        print(
            f"{checkpoint.name} does not list the recordings that trained it; these may be among them.", file=sys.stderr
        )
        return []
    rows = np.concatenate([data.rows(split) for split in splits])
    patient = patients(data.store.index)
    theirs = np.flatnonzero(patient.isin(patient.iloc[rows]))
    seen = theirs[np.unique(matches(checkpoint.seen.numpy(), data.store.content[theirs])[:, 1])]
    itself = rows[np.isin(rows, seen)]
    other = np.setdiff1d(rows[patient.iloc[rows].isin(patient.iloc[seen])], itself)
    sides, found = " and ".join(SIDES[split] for split in splits), []
    for some, what in ((itself, ""), (other, " are of patients of whom another recording")):
        if len(some):
            share = f"{len(some)} of the {len(rows)} recordings of the {sides} side"
            ids = ", ".join(data.store.index["record_id"].iloc[some[:EXAMPLES]])
            found.append(
                f"{share}{what} trained {checkpoint.name} or a checkpoint that it comes from, for example {ids}."
            )
    return found


def check_training(data: ECGDataModule, parent: Checkpoint | None) -> None:
    """Says which training recordings are left out as copies, and refuses to train on what is held out, now or before.

    Raises:
        UserError: where anything leaks and ``data.allow_leak`` is not set.
    """
    if not data.allow_leak and len(data.copies):
        print(f"{len(data.copies)} recordings are left out of training: a copy is on the validation or test side.")
    refuse(within(data) + (before(data, tuple(SIDES), parent) if parent is not None else []), data)


def refuse(found: Sequence[str], data: ECGDataModule) -> None:
    """Ends the run where anything was found, or, with ``data.allow_leak``, says it.

    Raises:
        UserError: with what was found.
    """
    if not found:
        return
    text = f"{data.source}: " + "\n".join(found)
    if not data.allow_leak:
        raise UserError(
            f"{text}\nResults would be too good. data.allow_leak=true goes on nevertheless, and the checkpoint says so."
        )
    print(f"Leak allowed: {text}", file=sys.stderr)


def seen(data: ECGDataModule, parent: Checkpoint | None = None) -> Tensor:
    """(recordings, 64) int8 descriptors of the training recordings and of those that the parent has seen, each once."""
    lists = [data.store.content[data.rows("train")]]
    if parent is not None and parent.seen is not None:
        lists.append(parent.seen.numpy())
    descriptors: NDArray[np.int8] = np.unique(np.concatenate(lists), axis=0)
    return torch.from_numpy(descriptors[descriptors.any(axis=1)])
