"""Cells of a hospital's own table, as text: what they mean as ages, sexes, dates, and sides of the split."""

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
_NO_DAY = re.compile(r"[0\W]*")  # 0000-00-00, as databases write an unknown day


def ages(cells: pd.Series) -> list[float]:
    """(rows,) years for each cell (`45`, `45,5`, `45 years`), NaN for others, whose number is reported."""
    age_of = {cell: parse_age(cell) for cell in cells.unique()}
    not_ages = cells[cells.map(age_of).isna() & (cells.map(stated) != "")]
    if len(not_ages):
        tell(
            f"The column '{cells.name}' holds {examples(not_ages)}: {len(not_ages):,} ages are not numbers from 0 to 150 and "
            "count as unknown."
        )
    return [age_of[cell] for cell in cells]


def sexes(cells: pd.Series, values: Mapping[str, str]) -> pd.Series:
    """(rows,) F, M or "" for each cell; U and words for missing are unknown.

    Args:
        cells: a column.
        values: what some cells mean, F, M or "".

    Raises:
        UserError: where more than a few cells are no sex, or `values` has another value; it lists the column's values.
    """
    sex_of = {cell: values[cell] if cell in values else parse_sex(cell) for cell in cells.unique()}
    unknown = [
        cell for cell, sex in sex_of.items()
        if sex not in ("F", "M", "") or (not sex and cell not in values and stated(cell) and cell.lower() != "u")
    ]  # fmt: skip
    if unknown:
        hint = f"say what each means: sex_values: {{{unknown[0]}: F, …}} with F, M or '' (unknown)."
        if any(values.get(cell) for cell in unknown):
            raise UserError(f"The column '{cells.name}' holds {examples(cells)}; {hint}")
        count_as_empty(cells, cells.isin(unknown), "is no sex", hint)
    return cells.map(sex_of)


def dates(cells: pd.Series, date_format: str | None) -> pd.Series:
    """(rows,) ISO 8601 for each cell, "" where there is no date; a T before the time becomes a space.

    Args:
        cells: a column.
        date_format: of its dates, as strptime has it; None where they are written as 2021-03-17.

    Raises:
        UserError: where more than a few cells have another format, or name days that do not exist; it says how the format
            is given.
    """
    cells = cells.map(stated)
    cells = cells.mask(cells.map(lambda cell: bool(_NO_DAY.fullmatch(cell))), "")
    if date_format is not None:
        times = iso(pd.to_datetime(cells.where(cells != ""), format=date_format, errors="coerce"))
    else:
        is_date = {cell: is_day(cell[:10]) and bool(_TIME.match(cell[10:])) for cell in cells.unique()}
        times = cells.str.slice_replace(10, 11, " ").str.rstrip().where(cells.map(is_date).astype(bool), "")
    problem = f"is not a date like {date_format or '2021-03-17'}"
    hint = "give the format, for example date_format: '%d.%m.%Y %H:%M'."
    count_as_empty(cells, (times == "") & (cells != ""), problem, hint)
    return times


def count_as_empty(cells: pd.Series, unreadable: "pd.Series[bool]", problem: str, hint: str) -> None:
    """Reports the cells that cannot be read and count as empty.

    Args:
        cells: (rows,) a column.
        unreadable: (rows,) which of its cells cannot be read.
        problem: what is wrong with such a cell, as in "is not a date".
        hint: what to do.

    Raises:
        UserError: where there are so many that the whole column was misunderstood; it names the first row.
    """
    count = int(unreadable.sum())
    if not count:
        return
    row = int(unreadable.to_numpy().argmax()) + 1
    sentence = f"The column '{cells.name}' holds {examples(cells[unreadable])} (first in row {row}), which {problem}"
    if is_form(count, int((cells.map(stated) != "").sum())):
        raise UserError(f"{sentence}; {hint}")
    tell(f"{sentence}: {count:,} such cells count as empty; {hint}")


def iso(times: pd.Series) -> pd.Series:
    """(rows,) times as text without a midnight, "" where there is no time."""
    text: pd.Series = times.dt.strftime("%Y-%m-%d %H:%M:%S").fillna("").str.removesuffix(" 00:00:00")
    return text


def split_columns(cells: pd.Series) -> dict[str, list[str] | list[int]]:
    """The index's column `split` (train, val, test) or `fold` (1 … 10), whichever a table's column holds.

    Raises:
        UserError: where more than a few cells are neither a side nor a fold.
    """
    ids = cells.map(stated_id)
    is_fold = ids.map(lambda value: value.isdecimal() and 1 <= int(value) <= FOLDS).astype(bool)
    is_side = ids.str.lower().isin(SIDES)
    has_folds = is_fold.sum() >= is_side.sum()
    readable = is_fold if has_folds else is_side
    count_as_empty(cells, ~readable & (ids != ""), "is no side", "write train, val and test, or folds 1 to 10.")
    if not has_folds:
        return {"split": [SIDES.get(value.lower(), "") for value in ids]}
    return {"fold": [int(value) if fold else 0 for value, fold in zip(ids, is_fold, strict=True)]}


def marked(cells: pd.Series) -> list[bool]:
    """(rows,) which cells hold anything but 0, no, false or nothing."""
    return [bool(cell) and cell.lower() not in FALSE for cell in cells.map(stated)]


def examples(cells: pd.Series) -> str:
    """The first values of a column, for a message."""
    values = [repr(value) for value in cells.unique()[:8]]
    return ", ".join(values) + (" …" if cells.nunique() > len(values) else "")
