"""A hospital's own split, by date or by a column of its table; recordings that it leaves out are counted."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.datamodules.rows import tell
from ecg_lightning.datamodules.splits import folds, folds_of_sides
from ecg_lightning.errors import UserError
from ecg_lightning.ranges import SPLITS


def check_dates(starts: Mapping[str, str]) -> None:
    """Refuses a `split_by_date` that names something else than sides with a day, a month or a year.

    Raises:
        UserError: it says what to write.
    """
    for side, start in starts.items():
        if side not in SPLITS or not is_day((str(start) + "-01-01")[:10]) or len(str(start)) not in (4, 7, 10):
            raise UserError(
                f"data.split_by_date: '{side}: {start}'; write, for example, {{val: 2021-01, test: 2021-03}}."
            )


def is_day(text: str) -> bool:
    """Whether a text is a day that exists, such as 2021-03-17."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def folds_of_hospital(
    index: pd.DataFrame,
    copy_pairs: NDArray[np.int64],
    starts: Mapping[str, str],
    val_folds: list[int],
    test_folds: list[int],
) -> NDArray[np.int64]:
    """(records,) the fold of every recording: by date, by the table's column of the split, or by a hash of the patient.

    Args:
        index: of the store, with `split` or `fold` where the table has it.
        copy_pairs: (pairs, 2) rows that hold the same recording.
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
        _tell_count((day == "").sum(), "have no date and are on no side")
    elif "split" in index:
        side = index["split"].fillna("").to_numpy()
        _tell_count((side == "").sum(), "have no side in the column of the split and take no part")
    else:
        return _folds_of_table(index, copy_pairs)
    fold = folds_of_sides(side, index, val_folds, test_folds)
    _tell_count(
        ((side != "") & (fold == 0)).sum(),
        "are on no side: their patients are on another one too, and stay on the last of train, val and test",
    )
    return fold


def _folds_of_table(index: pd.DataFrame, copy_pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """(records,) the table's folds, and where it has none, those of the patient or of a hash of the patient."""
    table_fold, fold = index["fold"].to_numpy(), folds(index, copy_pairs)
    if table_fold.any():
        _tell_count(
            (table_fold == 0).sum(), "have no fold in the table: they get the fold of their patient, or of its hash"
        )
    _tell_count(
        ((table_fold > 0) & (fold != table_fold)).sum(),
        "are of patients who have several folds: of each patient the first one counts for all",
    )
    return fold


def _tell_count(count: int, text: str) -> None:
    if count:
        tell(f"Split: {count:,} recordings {text}.")
