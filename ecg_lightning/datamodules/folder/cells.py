"""Cells of a hospital's own table, as text: what they mean as ages, sexes, dates and sides."""

import re
from collections.abc import Mapping

import pandas as pd

from ecg_lightning.datamodules.folder.splits import is_day
from ecg_lightning.datamodules.rows import is_form, tell
from ecg_lightning.errors import UserError
from ecg_lightning.ranges import FOLDS
from ecg_lightning.records import parse_age, parse_sex, stated, stated_id

TRUE = (
    "1",
    "1.0",
    "true",
    "yes",
    "y",
    "t",
    "ja",
    "j",
    "wahr",
    "oui",
    "vrai",
    "sí",
    "si",
    "sì",
    "sim",
    "positive",
    "pos",
    "present",
)
FALSE = (
    "0",
    "0.0",
    "false",
    "no",
    "n",
    "f",
    "nein",
    "falsch",
    "non",
    "faux",
    "não",
    "nao",
    "negative",
    "neg",
    "absent",
)
SIDES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_TIME = re.compile(r"([T ].*)?$")
_NO_DAY = re.compile(r"[0\W]*")  # 0000-00-00, as databases write a day that is not known


def ages(cells: pd.Series) -> list[float]:
    """Years for each cell (``45``, ``45,5``, ``45 years``), NaN for others; how many these are is said."""
    meant = {cell: parse_age(cell) for cell in cells.unique()}
    strange = cells[cells.map(meant).isna() & (cells.map(stated) != "")]
    if len(strange):
        tell(
            f"The column '{cells.name}' holds {some(strange)}: {len(strange):,} ages are no numbers from 0 to 150 and "
            "count as unknown."
        )
    return [meant[cell] for cell in cells]


def sexes(cells: pd.Series, values: Mapping[str, str]) -> pd.Series:
    """F, M or "" for each cell, by the given values first; U and words for missing are unknown.

    Raises:
        UserError: where more than a few cells are neither, or a given value is none of the three; it lists the column's values.
    """
    meant = {cell: values[cell] if cell in values else parse_sex(cell) for cell in cells.unique()}
    unknown = [
        cell for cell, sex in meant.items()
        if sex not in ("F", "M", "") or (not sex and cell not in values and stated(cell) and cell.lower() != "u")
    ]  # fmt: skip
    if unknown:
        hint = f"say what each means: sex_values: {{{unknown[0]}: F, …}} with F, M or '' (unknown)."
        if any(values.get(cell) for cell in unknown):
            raise UserError(f"The column '{cells.name}' holds {some(cells)}; {hint}")
        pass_over(cells, cells.isin(unknown), "is no sex", hint)
    return cells.map(meant)


def dates(cells: pd.Series, date_format: str | None) -> pd.Series:
    """ISO 8601 for each cell, "" where there is none; a T before the time becomes a space.

    Raises:
        UserError: where more than a few cells are dates in another form, or days that there are not; it says how the form
            is given.
    """
    cells = cells.map(stated)
    cells = cells.mask(cells.map(lambda cell: bool(_NO_DAY.fullmatch(cell))), "")
    if date_format is not None:
        read = iso(pd.to_datetime(cells.where(cells != ""), format=date_format, errors="coerce"))
    else:
        known = {cell: is_day(cell[:10]) and bool(_TIME.match(cell[10:])) for cell in cells.unique()}
        read = cells.str.slice_replace(10, 11, " ").str.rstrip().where(cells.map(known).astype(bool), "")
    wrong = f"is not a date like {date_format or '2021-03-17'}"
    pass_over(cells, (read == "") & (cells != ""), wrong, "give its form, for example date_format: '%d.%m.%Y %H:%M'.")
    return read


def pass_over(cells: pd.Series, strange: "pd.Series[bool]", wrong: str, hint: str) -> None:
    """Says of some cells that they count as empty.

    Args:
        cells: a column.
        strange: which of them are not understood.
        wrong: what they are not, as in "is not a date".
        hint: what to do.

    Raises:
        UserError: where there are so many that it is the column that was not understood; it names the first row.
    """
    if not strange.any():
        return
    what = f"The column '{cells.name}' holds {some(cells[strange])} (first in row {int(strange.to_numpy().argmax()) + 1}), which {wrong}"
    if is_form(int(strange.sum()), int((cells.map(stated) != "").sum())):
        raise UserError(f"{what}; {hint}")
    tell(f"{what}: {int(strange.sum()):,} such cells count as empty; {hint}")


def iso(times: pd.Series) -> pd.Series:
    """Times as text, midnight left out, "" where there is none."""
    text: pd.Series = times.dt.strftime("%Y-%m-%d %H:%M:%S").fillna("").str.removesuffix(" 00:00:00")
    return text


def split_columns(cells: pd.Series) -> dict[str, list[str] | list[int]]:
    """The index's column ``split`` (train, val, test) or ``fold`` (1 … 10), whichever a table's column holds.

    Raises:
        UserError: where more than a few cells are neither.
    """
    ids = cells.map(stated_id)
    is_fold = ids.map(lambda value: value.isdecimal() and 1 <= int(value) <= FOLDS).astype(bool)
    is_side = ids.str.lower().isin(SIDES)
    known = is_fold if is_fold.sum() >= is_side.sum() else is_side
    pass_over(cells, ~known & (ids != ""), "is no side", "train, val and test, or folds 1 to 10, are known.")
    if known is is_side:
        return {"split": [SIDES.get(value.lower(), "") for value in ids]}
    return {"fold": [int(value) if fold else 0 for value, fold in zip(ids, is_fold, strict=True)]}


def marked(cells: pd.Series) -> list[bool]:
    """Which cells hold anything but 0, no, false or nothing."""
    return [bool(cell) and cell.lower() not in FALSE for cell in cells.map(stated)]


def some(cells: pd.Series) -> str:
    """The first values of a column, for a message."""
    values = [repr(value) for value in cells.unique()[:8]]
    return ", ".join(values) + (" …" if cells.nunique() > len(values) else "")
