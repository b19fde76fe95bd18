"""Splits are by patient: official folds where a source has them, otherwise a hash of the patient's id."""

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FOLDS = 10
"""Folds are numbered 1 … 10, as in PTB-XL; by default 9 validates and 10 tests."""


def hashed_fold(patient: str) -> int:
    """A patient's fold, 1 … 10: the same for ever, whatever records are added to the archive.

    >>> hashed_fold("patient 7") == hashed_fold("patient 7")
    True
    """
    return int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big") % FOLDS + 1


def folds(index: pd.DataFrame) -> NDArray[np.int64]:
    """The fold of every recording: the index's own where it is not 0, else by a hash of the patient (or, where that is
    unknown, of the recording's id). A patient whose recordings have several folds of their own keeps the first, so that
    no patient is ever on two sides.
    """
    known = index["patient_id"] != ""
    patient = index["patient_id"].where(known, "record " + index["record_id"].astype(str))
    hashes = {name: hashed_fold(name) for name in patient.unique()}
    official = index["fold"].where(index["fold"] > 0)
    first = official.groupby(patient).transform("first")
    found: NDArray[np.int64] = first.fillna(patient.map(hashes)).to_numpy(np.int64)
    return found
