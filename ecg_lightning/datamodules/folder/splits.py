"""A hospital's own split, by date or by a column of its table; what falls out of it is said."""

import sys
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.datamodules.splits import SPLITS, folds, folds_of_sides
from ecg_lightning.errors import UserError


def check_dates(starts: Mapping[str, str]) -> None:
    """Find out whether `split_by_date` names sides and days, months or years.

    Raises:
        UserError: it says what to write.
    """
    for side, start in starts.items():
        if side not in SPLITS or not is_day((str(start) + "-01-01")[:10]) or len(str(start)) not in (4, 7, 10):
            raise UserError(
                f"data.split_by_date: '{side}: {start}'; write, for example, {{val: 2021-01, test: 2021-03}}."
            )


def is_day(text: str) -> bool:
    """Whether a text is a day that there is, such as 2021-03-17."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def own_folds(
    index: pd.DataFrame,
    twins: NDArray[np.int64],
    starts: Mapping[str, str],
    val_folds: list[int],
    test_folds: list[int],
) -> NDArray[np.int64]:
    """The fold of every recording: by date or by the table's column where they say the split, else by a hash of the patient.

    Args:
        index: of the store, with ``split`` or ``fold`` where the table has it.
        twins: (pairs, 2) rows that hold the same recording.
        starts: the first day or month of sides; none where the split is not by date.
        val_folds: folds that validate.
        test_folds: folds that test.

    Raises:
        UserError: by date, where no recording has one.
    """
    if starts:
        day = index["date"].to_numpy()
        if not (day != "").any():
            raise UserError("data.split_by_date: no recording has a date; name their column in data.columns.date.")
        side = np.full(len(index), "" if "train" in starts else "train", object)
        for name, start in sorted(starts.items(), key=lambda item: item[1]):
            side[day >= start] = name
        side[day == ""] = ""
        _say((day == "").sum(), "have no date and are on no side")
    elif "split" in index:
        side = index["split"].fillna("").to_numpy()
        _say((side == "").sum(), "have no side in the column of the split and take no part")
    else:
        given = index["fold"].to_numpy()
        if given.any():
            _say((given == 0).sum(), "have no fold in the table: theirs is the patient's, or by a hash of the patient")
        found = folds(index, twins)
        moved = ((given > 0) & (found != given)).sum()
        _say(moved, "are of patients who have several folds: of each patient the first one counts for all")
        return found
    found = folds_of_sides(side, index, val_folds, test_folds)
    moved = ((side != "") & (found == 0)).sum()
    _say(moved, "are on no side: their patients are on another one too, and stay on the last of train, val and test")
    return found


def _say(count: int, what: str) -> None:
    if count:
        print(f"Split: {count:,} recordings {what}.", file=sys.stderr)
