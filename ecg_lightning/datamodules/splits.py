"""Splits are by patient: official folds where a source has them, otherwise a hash of the patient's id."""

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ecg_lightning.ranges import FOLDS


def hashed_fold(patient: str) -> int:
    """A patient's fold, 1 … 10: the same for ever, whatever records are added to the archive.

    >>> hashed_fold("patient 7") == hashed_fold("patient 7")
    True
    """
    return int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big") % FOLDS + 1


def patients(index: pd.DataFrame) -> "pd.Series[str]":
    """(records,) the patient of every recording; a recording whose patient is unknown counts as a patient."""
    return index["patient_id"].where(index["patient_id"] != "", "record " + index["record_id"].astype(str))


def folds(index: pd.DataFrame, copy_pairs: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """(records,) the fold of every recording: the index's where it is not 0, else by a hash of the patient.

    A recording whose patient is unknown counts as a patient. A patient whose recordings have several folds in the index
    gets the first of them, so that no patient is ever on two sides.

    Args:
        index: with `patient_id`, `record_id` and `fold`.
        copy_pairs: (pairs, 2) rows that hold the same recording. Patients who share a recording are taken for one person where
            they have no fold in the index; official folds stay as they are.
    """
    patient = patients(index)
    official = index["fold"].where(index["fold"] > 0)
    first = official.groupby(patient).transform("first")
    if copy_pairs is not None and len(copy_pairs):
        patient = _persons(patient, copy_pairs)
        first = first.fillna(official.groupby(patient).transform("first"))
    hashes = {name: hashed_fold(name) for name in patient.unique()}
    fold: NDArray[np.int64] = first.fillna(patient.map(hashes)).to_numpy(np.int64)
    return fold


def _persons(patient: "pd.Series[str]", copy_pairs: NDArray[np.int64]) -> "pd.Series[str]":
    """(records,) the patient of every recording; patients who share recordings all get the name of the first of them."""
    number, names = pd.factorize(patient, sort=True)
    links = coo_array(
        (np.ones(len(copy_pairs)), (number[copy_pairs[:, 0]], number[copy_pairs[:, 1]])), shape=(len(names), len(names))
    )
    _, group = connected_components(links, directed=False)
    _, leader = np.unique(group, return_index=True)
    return pd.Series(np.asarray(names)[leader[group[number]]], patient.index)


def folds_of_sides(
    side: NDArray[np.object_], index: pd.DataFrame, val_folds: list[int], test_folds: list[int]
) -> NDArray[np.int64]:
    """(records,) folds that put recordings on their sides: one of the folds of the side, or 0 for no side at all.

    A patient who has recordings on several sides stays on the last of train, val, test; the patient's recordings of the
    earlier sides are on no side, so that a test of later months stays a test of those months.

    Args:
        side: (records,) train, val, test, or "" for none.
        index: with `patient_id` and `record_id`.
        val_folds: folds that validate.
        test_folds: folds that test.
    """
    rank = pd.Series(side, index.index).map({"": 0, "train": 1, "val": 2, "test": 3})
    last = rank.groupby(patients(index)).transform("max")
    train_folds = [fold for fold in range(1, FOLDS + 1) if fold not in (*val_folds, *test_folds)]
    fold_of = np.array([0, *((side_folds or [0])[0] for side_folds in (train_folds, val_folds, test_folds))])
    fold: NDArray[np.int64] = fold_of[rank.where(rank == last, 0).to_numpy(np.int64)]
    return fold
