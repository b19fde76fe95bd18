"""A hospital's own table, CSV or Parquet: its columns, found by what they hold, and cells as text of one form."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ecg_lightning.datamodules.csv_file import all_rows, first_row, read_csv
from ecg_lightning.datamodules.folder.cells import iso
from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.errors import UserError, one_line, suggest

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
    "unit": "V, mV, uV, nV or a gain in ADC units per millivolt, where the files do not say it",
    "dataset": "the name of the signal within its file, where a file has several",
    "row": "its number from 0, where a signal of a file has several recordings",
    "leave_out": "anything but 0, no, false or nothing: the recording takes no part",
}
"""What the columns of a table may hold. By default a column has the name that stands here."""
REQUIRED = ("path", "patient")


def beside(folder: Path, name: str) -> Path:
    """A file that the configuration names: in the archive's folder, else in the working directory.

    Raises:
        UserError: where it is in neither.
    """
    for path in (folder / name, Path(name).expanduser()):
        if path.is_file():
            return path
    raise UserError(f"There is no file '{name}', neither in data.root '{folder}' nor in the working directory.")


def column_names(path: Path) -> list[str]:
    """The names in a table's first row.

    Raises:
        UserError: where it is no CSV or Parquet table in UTF-8.
    """
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet

            return list(pyarrow.parquet.read_schema(path).names)
        return first_row(path)
    except UnicodeDecodeError as error:
        raise _encoding_error(path) from error
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise UserError(f"{path} cannot be read as a table: {error}") from error


def read_text(path: Path, names: Sequence[str], separator: str = "|") -> pd.DataFrame:
    """Reads some columns of a table: every cell as text without spaces around it, and why a row is refused.

    Args:
        path: a CSV file (comma, semicolon or tab; UTF-8), or a Parquet file.
        names: columns that it has.
        separator: what joins the items of a Parquet list.

    Returns:
        The columns, and `REFUSED`: "" for a row that can be used.

    Raises:
        UserError: for a file that is no table, or two columns of one name.
    """
    columns = list(dict.fromkeys(names))
    try:
        if path.suffix.lower() != ".parquet":
            return read_csv(path, columns)
        import pyarrow.parquet

        # Without the notes of pandas, by which a column may become the index.
        table = pyarrow.parquet.read_table(path, columns=columns).to_pandas(ignore_metadata=True)
    except UnicodeDecodeError as error:
        raise _encoding_error(path) from error
    except (OSError, ValueError, csv.Error) as error:  # pyarrow's errors are ValueErrors
        raise UserError(f"{path} cannot be read as a table: {one_line(error)}") from error
    texts = {name: [cell.strip() for cell in _text(table[name], separator)] for name in columns}
    return pd.DataFrame(texts, dtype=object).assign(**{REFUSED: ""})


def find_columns(path: Path, configured: Mapping[str, str | None], label_columns: Mapping[str, str]) -> dict[str, str]:
    """The names of a table's columns by what they hold.

    Args:
        path: the table.
        configured: the column's name by what it holds (a key of `COLUMNS`); None where the table has no such column.
        label_columns: columns of labels, which must be in the table, with their terms.

    Returns:
        By each key of `COLUMNS` that the table has a column for, the column's name.

    Raises:
        UserError: for a key that is not one of `COLUMNS`, or a column that the table lacks; it lists those that there are.
    """
    for key in configured:
        if key not in COLUMNS:
            raise UserError(f"data.columns: there is no '{key}'. {suggest(key, COLUMNS)}Choices: {', '.join(COLUMNS)}.")
    table_columns = column_names(path)
    names = {key: configured.get(key, key) for key in COLUMNS}
    configured_names = [*(name for name in configured.values() if name is not None), *label_columns]
    required_names = [name for key in REQUIRED if (name := names[key]) is not None]
    for name in [*configured_names, *required_names]:
        if name not in table_columns:
            key = next((key for key, value in names.items() if value == name), "")
            meaning = f" ({COLUMNS[key]})" if key else ""
            remedy = f"columns: {{{key}: …}}" if key else f"label_columns: {{…: {label_columns[name]}}}"
            raise UserError(
                f"{path.name} has no column '{name}'{meaning}. {suggest(name, table_columns)}It has: "
                f"{', '.join(table_columns)}. Say which it is: {remedy}."
            )
    if names["path"] is None:
        raise UserError("data.columns.path is null: a table must have a column with the paths of the signal files.")
    return {key: name for key, name in names.items() if name is not None and name in table_columns}


def first_cells(path: Path) -> list[str]:
    """The first cell of every line of a text, CSV or Parquet file that is not empty."""
    if path.suffix.lower() == ".parquet":
        first = column_names(path)[0]
        return [cell for cell in read_text(path, [first])[first] if cell]
    try:
        return [row[0] for row in all_rows(path) if row[0]]
    except UnicodeDecodeError as error:
        raise _encoding_error(path) from error


def _encoding_error(path: Path) -> UserError:
    return UserError(f"{path} is not in UTF-8. Save it as 'CSV UTF-8'.")


def _text(column: pd.Series, separator: str) -> pd.Series:
    """A Parquet column as text; whole numbers without a decimal point, dates in ISO 8601, lists joined."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return iso(column)
    if pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")
    texts = [separator.join(map(str, cell)) if isinstance(cell, (list, np.ndarray)) else str(cell) for cell in column]
    return pd.Series(texts, name=column.name, dtype=object).where(column.notna().to_numpy(), "")
