"""Cells of a hospital's own table, as text: what they mean as ages, sexes, dates and sides."""

import re
import sys
from collections.abc import Mapping
from math import nan

import pandas as pd

from ecg_lightning.datamodules.folder.splits import is_day
from ecg_lightning.datamodules.splits import FOLDS
from ecg_lightning.errors import UserError
from ecg_lightning.records import parse_age, parse_sex

TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
SIDES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_SEXES = ("f", "female", "m", "male")
_AGE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:y|yrs?|years?|j|jahre?|a)?\.?", re.IGNORECASE)
_TIME = re.compile(r"([T ].*)?$")


def ages(cells: pd.Series) -> list[float]:
    """Years for each cell (``45``, ``45,5``, ``45 years``), NaN for others; how many these are is said."""
    meant = {}
    for cell in cells.unique():
        match = _AGE.fullmatch(cell)
        meant[cell] = parse_age(match.group(1).replace(",", ".")) if match else nan
    strange = cells[cells.map(meant).isna() & (cells != "")]
    if len(strange):
        print(
            f"The column '{cells.name}' holds {some(strange)}: {len(strange):,} ages are no numbers from 0 to 150 and "
            "count as unknown.",
            file=sys.stderr,
        )
    return [meant[cell] for cell in cells]


def sexes(cells: pd.Series, values: Mapping[str, str]) -> pd.Series:
    """F, M or "" for each cell, by the given values first.

    Raises:
        UserError: for a cell that is neither; it lists the column's values.
    """
    meant = {}
    for cell in cells.unique():
        meant[cell] = values[cell] if cell in values else parse_sex(cell)
        if meant[cell] not in ("F", "M", "") or (cell and cell not in values and cell.lower() not in _SEXES):
            raise UserError(
                f"The column '{cells.name}' holds {some(cells)}; say what each means: sex_values: {{{cell}: F, …}} "
                "with F, M or '' (unknown)."
            )
    return cells.map(meant)


def dates(cells: pd.Series, date_format: str | None) -> pd.Series:
    """ISO 8601 for each cell, "" where there is none; a T before the time becomes a space.

    Raises:
        UserError: for a date in another form, or a day that there is not; it says how the form is given.
    """
    if date_format is not None:
        read = pd.to_datetime(cells.where(cells != ""), format=date_format, errors="coerce")
        wrong = cells[read.isna() & (cells != "")]
        cells = iso(read)
    else:
        known = {cell: is_day(cell[:10]) and bool(_TIME.match(cell[10:])) for cell in cells.unique()}
        wrong = cells[~cells.map(known).astype(bool) & (cells != "")]
        cells = cells.str.slice_replace(10, 11, " ").str.rstrip()
    if len(wrong):
        raise UserError(
            f"The column '{wrong.name}' holds {some(wrong)}, which is not a date like "
            f"{date_format or '2021-03-17'}; give its form, for example date_format: '%d.%m.%Y %H:%M'."
        )
    return cells


def iso(times: pd.Series) -> pd.Series:
    """Times as text, midnight left out, "" where there is none."""
    text: pd.Series = times.dt.strftime("%Y-%m-%d %H:%M:%S").fillna("").str.removesuffix(" 00:00:00")
    return text


def split_columns(cells: pd.Series) -> dict[str, list[str] | list[int]]:
    """The index's column ``split`` (train, val, test) or ``fold`` (1 … 10), whichever a table's column holds.

    Raises:
        UserError: for any other cell.
    """
    values = {*cells.unique()} - {""}
    if all(value.isdecimal() and 1 <= int(value) <= FOLDS for value in values):
        return {"fold": [int(value or 0) for value in cells]}
    if all(value.lower() in SIDES for value in values):
        return {"split": [SIDES.get(value.lower(), "") for value in cells]}
    raise UserError(f"The column '{cells.name}' holds {some(cells)}; train, val and test, or folds 1 to 10, are known.")


def marked(cells: pd.Series) -> list[bool]:
    """Which cells hold anything but 0, no, false or nothing."""
    return [bool(cell) and cell.lower() not in FALSE for cell in cells]


def some(cells: pd.Series) -> str:
    """The first values of a column, for a message."""
    values = [repr(value) for value in cells.unique()[:8]]
    return ", ".join(values) + (" …" if cells.nunique() > len(values) else "")
