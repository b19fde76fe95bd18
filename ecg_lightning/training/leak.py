"""The leak guard: finds recordings and patients of the validation and test sides that trained the network or an ancestor.

Recordings are compared by their fingerprints (`records.fingerprints`), so that archive, number, rate and format do not
matter. Inside one source nothing can leak: all recordings of a patient are on one side, copies of a recording are on one
side where folds are not official, and a training copy of a recording that an official fold holds out is left out of
training (`PackedDataModule.rows`). Two ways remain, and are searched here: between the sources of a mix, and from the
recordings that trained the checkpoint. Of another project's weights only the archives are known that trained them: all
recordings of these count as seen.
"""

import sys
from collections import Counter
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
"""How many examples a sentence names."""
SIDES = {"val": "validation", "test": "test"}
"""What sentences call a split that is held out."""


def leaks_between_sides(data: PackedDataModule) -> list[str]:
    """Returns what one side of the data shares with another, as sentences; none where nothing is shared.

    Validation and test are compared only between the sources of a mix: official folds may hold a recording twice.
    """
    train, val, test = (data.rows(split) for split in SPLITS)
    held_out = np.concatenate([val, test])
    leaks = _shared(data, train, held_out, "validation or test side", "training")
    if len(data.sources) > 1:
        leaks += _shared(data, val, test, "test side", "validation", across=True)
    return leaks


def _shared(
    data: PackedDataModule,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    second_side: str,
    first_side: str,
    across: bool = False,
) -> list[str]:
    """Returns, as sentences, which recordings and patients of the second rows are also in the first rows.

    Args:
        data: has the rows.
        first: (recordings,) rows of one side.
        second: (recordings,) rows of the side that is held out from it.
        second_side: what sentences call the second side.
        first_side: what sentences call the first side.
        across: whether only pairs from different sources count.
    """
    index = data.store.index
    source = index["source"].to_numpy(object) if "source" in index else np.full(len(index), "", object)
    ids = index["record_id"].to_numpy(object)
    leaks = []
    copies = data.store.copies_between(first, second)
    if across:
        copies = copies[source[copies[:, 0]] != source[copies[:, 1]]]
    if len(copies):
        pairs = ", ".join(f"{ids[a]} = {ids[b]}" for a, b in copies[:EXAMPLES])
        remedy = f" data.drop_copies=true leaves such copies out of {first_side}." if len(data.sources) > 1 else ""
        count = len(np.unique(copies[:, 1]))
        leaks.append(f"{count} recordings of the {second_side} are also in {first_side}, for example {pairs}.{remedy}")
    patient_rows = _patients_on_both(first, second, index["patient_id"].to_numpy(object), source, across)
    if len(patient_rows):
        pairs = ", ".join(f"that of {ids[a]} and {ids[b]}" for a, b in patient_rows[:EXAMPLES])
        leaks.append(
            f"{len(patient_rows)} patients of the {second_side} are also in {first_side}, for example {pairs}."
        )
    return leaks


def _patients_on_both(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    patient: NDArray[np.object_],
    source: NDArray[np.object_],
    across: bool,
) -> NDArray[np.int64]:
    """Returns (patients, 2): a row of the first side and one of the second for each patient who is on both sides."""
    first_patients, second_patients = (
        pd.DataFrame({"patient": patient[rows], "source": source[rows], "row": rows})
        .loc[lambda table: table["patient"] != ""]
        .drop_duplicates(["patient", "source"])
        for rows in (first, second)
    )
    shared = first_patients.merge(second_patients, on="patient")
    if across:
        shared = shared[shared["source_x"] != shared["source_y"]]
    pairs: NDArray[np.int64] = shared.drop_duplicates("patient")[["row_x", "row_y"]].to_numpy(np.int64)
    return pairs


def leaks_from_checkpoint(data: PackedDataModule, splits: Sequence[str], checkpoint: Checkpoint) -> list[str]:
    """Returns, as sentences, which recordings of these sides trained a checkpoint or an ancestor, themselves or by patient.

    A checkpoint names no patients. A patient trained it where any recording that the sources have of the patient did.
    """
    flaw = ancestry.flaw(checkpoint)
    if flaw is None and ancestry.is_unknown(checkpoint):
        print(
            f"{checkpoint.name}: its ancestry is unknown. It does not list all recordings that trained it or a checkpoint "
            "that it comes from. Recordings of these data may be among them.",
            file=sys.stderr,
        )
    rows = np.concatenate([data.rows(split) for split in splits])
    patient = patients(data.store.index)
    patients_rows = np.flatnonzero(patient.isin(patient.iloc[rows]))
    fingerprints = data.store.fingerprints[patients_rows]
    _warn_of_missing_fingerprints(data, int(unreadable(fingerprints).sum()))
    trained = patients_rows[np.unique(matching_pairs(ancestry.fingerprints_of(checkpoint), fingerprints)[:, 1])]
    same_recording = rows[np.isin(rows, trained)]
    same_patient = np.setdiff1d(rows[patient.iloc[rows].isin(patient.iloc[trained])], same_recording)
    sides = " and ".join(SIDES[split] for split in splits)
    leaks = [*([] if flaw is None else [flaw]), *_leaks_from_archives(data, rows, sides, checkpoint)]
    for leaked, link in ((same_recording, ""), (same_patient, " are of patients of whom another recording")):
        if len(leaked):
            ids = ", ".join(data.store.index["record_id"].iloc[leaked[:EXAMPLES]])
            leaks.append(
                f"{len(leaked)} of the {len(rows)} recordings of the {sides} side{link} trained {checkpoint.name} or a "
                f"checkpoint that it comes from, for example {ids}."
            )
    return leaks


def _leaks_from_archives(
    data: PackedDataModule, rows: NDArray[np.int64], sides: str, checkpoint: Checkpoint
) -> list[str]:
    """Returns, as sentences, which of these rows are of archives that trained a checkpoint or an ancestor as a whole.

    Of such an archive there are no fingerprints, so that any of its recordings may have trained the checkpoint.
    """
    archives = checkpoint.card.archives
    if not archives:
        return []
    rows_of_part = data.by_source(rows) or {data.source: np.ones(len(rows), bool)}
    shared: Counter[str] = Counter()
    for name, is_of_part in rows_of_part.items():
        if (source := data.sources[name].source) in archives:
            shared[source] += int(is_of_part.sum())
    if not shared:
        print(
            f"{checkpoint.name} was trained on {', '.join(archives)}, of which there are no fingerprints. That none of these "
            "data is among it is known by the archives' names alone.",
            file=sys.stderr,
        )
    return [
        f"{count} of the {len(rows)} recordings of the {sides} side are of {source}, and {source} trained {checkpoint.name} or "
        "a checkpoint that it comes from."
        for source, count in shared.items()
    ]


def check_training(data: PackedDataModule, parent: Checkpoint | None) -> None:
    """Says how many copies are left out of training, and refuses data whose held-out recordings train, now or before.

    Raises:
        UserError: where anything leaks and `data.allow_leak` is not set.
    """
    _warn_of_missing_fingerprints(data, ancestry.count_without_fingerprint(data))
    if not data.allow_leak and len(data.copies):
        print(f"{len(data.copies)} recordings are left out of training: a copy is on the validation or test side.")
    leaks = leaks_between_sides(data)
    if parent is not None:
        leaks += leaks_from_checkpoint(data, tuple(SIDES), parent)
    refuse(leaks, data)


def refuse(leaks: Sequence[str], data: PackedDataModule) -> None:
    """Ends the run where anything leaks; with `data.allow_leak`, prints the leaks and goes on.

    Raises:
        UserError: with the leaks.
    """
    if not leaks:
        return
    text = f"{data.source}: " + "\n".join(leaks)
    if not data.allow_leak:
        raise UserError(
            f"{text}\nResults would be too good. data.allow_leak=true goes on nevertheless, and the checkpoint says so."
        )
    print(f"Leak allowed: {text}", file=sys.stderr)


def _warn_of_missing_fingerprints(data: PackedDataModule, count: int) -> None:
    if count:
        print(
            f"{count} recordings of {data.source} have no usable fingerprint. Whether they trained the network before cannot "
            f"be checked. If they have a signal, {data.store.path} is damaged: remove it, and it is packed again.",
            file=sys.stderr,
        )
