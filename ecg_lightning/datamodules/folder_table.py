"""A hospital's own table, CSV or Parquet: its columns, found by what they hold, and cells as text of one form."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ecg_lightning.config import suggest
from ecg_lightning.datamodules.splits import FOLDS
from ecg_lightning.errors import UserError
from ecg_lightning.records import parse_sex

COLUMNS = {
    "path": "the signal file, from root",
    "patient": "the patient's id, the same for all recordings of a person",
    "record": "the recording's id; by default its path without the suffix",
    "codes": "diagnosis codes, several joined by the separator",
    "age": "years",
    "sex": "F or M in any spelling, others by sex_values",
    "hospital": "where it was recorded",
    "date": "when: 2021-03-17 or 2021-03-17 08:15, others by date_format",
    "split": "train, val or test; or a fold, 1 to 10",
    "rate": "Hz, where the files do not say it",
    "unit": "V, mV, uV, nV or steps a millivolt, where the files do not say it",
    "leave_out": "anything but 0, no, false or nothing: the recording takes no part",
}
"""What the columns of a table may hold. By default a column has the name that stands here."""
REQUIRED = ("path", "patient")
TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
SIDES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_SEXES = ("f", "female", "m", "male")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\b.*")


def beside(folder: Path, name: str) -> Path:
    """A file that the configuration names: from the archive's folder or, where there is none, from here.

    Raises:
        UserError: where it is in neither.
    """
    found = next((path for path in (folder / name, Path(name).expanduser()) if path.is_file()), None)
    if found is None:
        raise UserError(f"There is no file '{name}', neither in data.root '{folder}' nor here.")
    return found


def column_names(path: Path) -> list[str]:
    """The names in a table's first row.

    Raises:
        UserError: where it is no CSV or Parquet table in UTF-8.
    """
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet

            return list(pyarrow.parquet.read_schema(path).names)
        return next(csv.reader([_first_line(path)], delimiter=_delimiter(path)), [])
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not in UTF-8; save it as 'CSV UTF-8'.") from error
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise UserError(f"{path} cannot be read as a table: {error}") from error


def read_text(path: Path, names: Sequence[str], separator: str = "|") -> pd.DataFrame:
    """Some columns of a table, every cell as text without spaces around it, "" where there is nothing.

    Args:
        path: a CSV file (comma, semicolon or tab; UTF-8), or a Parquet file.
        names: columns that it has.
        separator: what joins the items of a Parquet list.
    """
    wanted = list(dict.fromkeys(names))
    if path.suffix.lower() == ".parquet":
        table = pd.read_parquet(path, columns=wanted)
        return _stripped({name: _text(table[name], separator) for name in wanted})
    try:
        table = pd.read_csv(
            path, sep=_delimiter(path), usecols=wanted, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
    return _stripped({name: table[name] for name in wanted})


def find_columns(path: Path, given: Mapping[str, str | None], also: Sequence[str] = ()) -> dict[str, str]:
    """Which column of a table holds what.

    Args:
        path: the table.
        given: by what it holds (a key of `COLUMNS`), the column's name; None where the table has no such column.
        also: further columns that must be there.

    Returns:
        The columns that there are, by what they hold.

    Raises:
        UserError: for a key that is not one of `COLUMNS`, or a column that is not in the table; with what there is.
    """
    for key in given:
        if key not in COLUMNS:
            raise UserError(f"data.columns: there is no '{key}'. {suggest(key, COLUMNS)}Choices: {', '.join(COLUMNS)}.")
    present = column_names(path)
    wanted = {key: given.get(key, key) for key in COLUMNS}
    named = [*(name for key, name in given.items() if name is not None), *also]
    for name in [*named, *(name for key in REQUIRED if (name := wanted[key]) is not None)]:
        if name not in present:
            key = next((key for key, value in wanted.items() if value == name), "")
            what = f" ({COLUMNS[key]})" if key else ""
            raise UserError(
                f"{path.name} has no column '{name}'{what}. {suggest(name, present)}It has: {', '.join(present)}. "
                f"Say which it is: columns: {{{key or 'path'}: …}}."
            )
    if wanted["path"] is None:
        raise UserError("data.columns.path: a table must say where the signal files are.")
    return {key: name for key, name in wanted.items() if name is not None and name in present}


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
                f"The column '{cells.name}' holds {_some(cells)}; say what each means: sex_values: {{{cell}: F, …}} "
                "with F, M or '' (unknown)."
            )
    return cells.map(meant)


def dates(cells: pd.Series, date_format: str | None) -> pd.Series:
    """ISO 8601 for each cell, "" where there is none.

    Raises:
        UserError: for a date in another form; it says how the form is given.
    """
    if date_format is not None:
        read = pd.to_datetime(cells.where(cells != ""), format=date_format, errors="coerce")
        wrong = cells[read.isna() & (cells != "")]
        cells = _iso(read)
    else:
        wrong = cells[~cells.str.fullmatch(_DATE) & (cells != "")]
    if len(wrong):
        raise UserError(
            f"The column '{wrong.name}' holds {_some(wrong)}, which is not a date like "
            f"{date_format or '2021-03-17'}; give its form, for example date_format: '%d.%m.%Y %H:%M'."
        )
    return cells


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
    raise UserError(
        f"The column '{cells.name}' holds {_some(cells)}; train, val and test, or folds 1 to 10, are known."
    )


def marked(cells: pd.Series) -> list[bool]:
    """Which cells hold anything but 0, no, false or nothing."""
    return [bool(cell) and cell.lower() not in FALSE for cell in cells]


def first_cells(path: Path) -> list[str]:
    """The first cell of every line of a text or CSV file that is not empty."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row[0].strip() for row in csv.reader(file, delimiter=_delimiter(path)) if row and row[0].strip()]


def _some(cells: pd.Series) -> str:
    values = [repr(value) for value in cells.unique()[:8]]
    return ", ".join(values) + (" …" if cells.nunique() > len(values) else "")


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as file:
        return file.readline()


def _delimiter(path: Path) -> str:
    return max(",;\t", key=_first_line(path).count)


def _stripped(cells: Mapping[str, pd.Series]) -> pd.DataFrame:
    return pd.DataFrame({name: [cell.strip() for cell in column] for name, column in cells.items()}, dtype=object)


def _iso(times: pd.Series) -> pd.Series:
    """Times as text, midnight left out, "" where there is none."""
    text: pd.Series = times.dt.strftime("%Y-%m-%d %H:%M:%S").fillna("").str.removesuffix(" 00:00:00")
    return text


def _text(column: pd.Series, separator: str) -> pd.Series:
    """A Parquet column as text; whole numbers without a decimal point, dates in ISO 8601, lists joined."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return _iso(column)
    if pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")
    texts = [separator.join(map(str, cell)) if isinstance(cell, (list, np.ndarray)) else str(cell) for cell in column]
    return pd.Series(texts, name=column.name, dtype=object).where(column.notna().to_numpy(), "")
