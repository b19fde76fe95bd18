"""No leak: whether patients or recordings of the validation or test side were seen in training, by this network or before.

Recordings are known again by their content (``records.fingerprints``), whatever their archive, number, rate or format.
Within one source nothing can leak: patients, and unofficial folds of recordings that occur twice, are on one side, and a
training copy of a recording that an official fold holds out is left out (``PackedDataModule.rows``). What is left is found
here: between the sources of a mix, and against the recordings that trained the checkpoint.
"""

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.datamodules.splits import patients
from ecg_lightning.errors import UserError
from ecg_lightning.ranges import SPLITS
from ecg_lightning.records import matching_pairs
from ecg_lightning.records.fingerprints import unreadable
from ecg_lightning.training import ancestry

EXAMPLES = 3
SIDES = {"val": "validation", "test": "test"}


def within(data: PackedDataModule) -> list[str]:
    """What one side of the data shares with another, in sentences; nothing where it is well.

    Validation and test are compared between the sources of a mix alone: official folds may hold a recording twice.
    """
    train, val, test = (data.rows(split) for split in SPLITS)
    found = _shared(data, train, np.concatenate([val, test]), "validation or test side are also in training")
    if len(data.sources) > 1:
        found += _shared(data, val, test, "test side are also in validation", across=True)
    return found


def _shared(
    data: PackedDataModule, first: NDArray[np.int64], second: NDArray[np.int64], said: str, across: bool = False
) -> list[str]:
    """Recordings, and patients, of the second rows that the first have too; ``across``: those of another source alone."""
    index, found = data.store.index, []
    ids = index["record_id"].to_numpy(object)
    source = index["source"].to_numpy(object) if "source" in index else np.full(len(index), "", object)
    copies = data.store.copies_between(first, second)
    if across:
        copies = copies[source[copies[:, 0]] != source[copies[:, 1]]]
    if len(copies):
        pairs = ", ".join(f"{ids[a]} = {ids[b]}" for a, b in copies[:EXAMPLES])
        remedy = f" data.drop_copies=true leaves such copies out of {said.rpartition(' ')[2]}."
        found.append(
            f"{len(np.unique(copies[:, 1]))} recordings of the {said}, for example {pairs}."
            + (remedy if len(data.sources) > 1 else "")
        )
    patient = index["patient_id"].to_numpy(object)
    one, other = (
        pd.DataFrame({"patient": patient[rows], "source": source[rows], "row": rows})
        .loc[lambda table: table["patient"] != ""]
        .drop_duplicates(["patient", "source"])
        for rows in (first, second)
    )
    both = one.merge(other, on="patient")
    if across:
        both = both[both["source_x"] != both["source_y"]]
    both = both.drop_duplicates("patient")
    if len(both):
        rows = both[["row_x", "row_y"]].to_numpy()[:EXAMPLES]
        pairs = ", ".join(f"that of {ids[a]} and {ids[b]}" for a, b in rows)
        found.append(f"{len(both)} patients of the {said}, for example {pairs}.")
    return found


def before(data: PackedDataModule, splits: Sequence[str], checkpoint: Checkpoint) -> list[str]:
    """Whether recordings of these sides, or others of their patients, trained a checkpoint or an ancestor, in sentences.

    A checkpoint names no patients. It has seen a patient where it has seen any recording that the sources have of him.
    """
    flaw = ancestry.flaw(checkpoint)
    if flaw is None and ancestry.is_unknown(checkpoint):
        print(
            f"{checkpoint.name}: ancestry unknown. Not all recordings that trained it, or a checkpoint that it comes from, "
            "are listed; these may be among them.",
            file=sys.stderr,
        )
    rows = np.concatenate([data.rows(split) for split in splits])
    patient = patients(data.store.index)
    theirs = np.flatnonzero(patient.isin(patient.iloc[rows]))
    content = data.store.fingerprints[theirs]
    _say_blind(data, int(unreadable(content).sum()))
    seen = theirs[np.unique(matching_pairs(ancestry.listed(checkpoint), content)[:, 1])]
    itself = rows[np.isin(rows, seen)]
    other = np.setdiff1d(rows[patient.iloc[rows].isin(patient.iloc[seen])], itself)
    sides, found = " and ".join(SIDES[split] for split in splits), [] if flaw is None else [flaw]
    for some, what in ((itself, ""), (other, " are of patients of whom another recording")):
        if len(some):
            share = f"{len(some)} of the {len(rows)} recordings of the {sides} side"
            ids = ", ".join(data.store.index["record_id"].iloc[some[:EXAMPLES]])
            found.append(
                f"{share}{what} trained {checkpoint.name} or a checkpoint that it comes from, for example {ids}."
            )
    return found


def check_training(data: PackedDataModule, parent: Checkpoint | None) -> None:
    """Says which training recordings are left out as copies, and refuses to train on what is held out, now or before.

    Raises:
        UserError: where anything leaks and ``data.allow_leak`` is not set.
    """
    _say_blind(data, ancestry.without_fingerprint(data))
    if not data.allow_leak and len(data.copies):
        print(f"{len(data.copies)} recordings are left out of training: a copy is on the validation or test side.")
    refuse(within(data) + (before(data, tuple(SIDES), parent) if parent is not None else []), data)


def refuse(found: Sequence[str], data: PackedDataModule) -> None:
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


def _say_blind(data: PackedDataModule, count: int) -> None:
    if count:
        print(
            f"{count} recordings of {data.source} have no usable fingerprint, and nobody can tell whether they were seen in "
            f"training. If they have a signal, {data.store.path} is damaged: remove it, and it is packed again.",
            file=sys.stderr,
        )
