"""What archives share that list their recordings in a CSV table: reading it, and the WFDB files that it names."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd

from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.csv_file import first_row, read_csv
from ecg_lightning.datamodules.rows import REFUSED, is_form, tell
from ecg_lightning.errors import UserError
from ecg_lightning.records import Record, read_wfdb, stated, stated_id
from ecg_lightning.store.pack import Reader, Row

NO_CODES = "no_codes"
_stated = lru_cache(1 << 16)(stated)  # a million rows share their texts


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Reads some columns of an archive's CSV table as text; "" where a cell is empty or has a word for missing.

    Returns:
        The columns, and `REFUSED` with the reason why a row cannot be used.

    Raises:
        UserError: where the table is not there, is no CSV, or lacks a column.
    """
    try:
        names = first_row(path, ",")
        for column in columns:
            if column not in names:
                raise _other_table(path, f"it has no column '{column}', but {', '.join(names[:20]) or 'none'}")
        table = read_csv(path, columns, ",")
    except FileNotFoundError as error:
        raise UserError(
            f"data.root: '{path.parent}' has no {path.name}; it should be the folder of the archive as distributed."
        ) from error
    except UnicodeDecodeError as error:
        raise _other_table(path, "it is not in UTF-8") from error
    except csv.Error as error:
        raise _other_table(path, str(error)) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Mend that and run the command again.") from error
    return table.assign(**{name: table[name].map(_stated) for name in columns})


def _other_table(path: Path, reason: str) -> UserError:
    return UserError(f"{path} is not the table that the archive distributes: {reason}. Download it again.")


def without_refused(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A table that describes the recordings of another one, without the rows that cannot be used; their number is reported."""
    refused = table.loc[table[REFUSED] != "", REFUSED]
    if len(refused):
        tell(f"{path}: {len(refused):,} rows cannot be used and count as absent; the first is a {refused.iloc[0]}.")
    return table[table[REFUSED] == ""].drop(columns=REFUSED)


def refuse(table: pd.DataFrame, unreadable: "pd.Series[bool]", column: str, path: Path) -> "pd.Series[str]":
    """(rows,) why each row is refused: the reasons of the table, and unreadable cells of one column.

    Args:
        table: of `read_table`.
        unreadable: (rows,) which rows have a cell that cannot be read.
        column: the column.
        path: the table's.

    Raises:
        UserError: where there are so many such cells that the column has another form; it shows the first.
    """
    refused: pd.Series[str] = table[REFUSED]
    unreadable = unreadable & (refused == "")
    if unreadable.any():
        row = int(unreadable.argmax())
        if is_form(int(unreadable.sum()), int((refused == "").sum())):
            raise UserError(f"{path}: row {row + 1} of the column {column} holds '{table[column].iloc[row]}'.")
        reasons = f"bad row: the column {column} of {path.name} holds '" + table[column] + "'"
        refused = refused.where(~unreadable, reasons)
    return refused


def ids(cells: "pd.Series[str]") -> "pd.Series[str]":
    """(rows,) ids as text of one form: without the decimals that a table of numbers gives them, "" where there is no id.

    >>> ids(pd.Series(["7.0", "nan", "007", ""])).tolist()
    ['7', '', '007', '']
    """
    return pd.Series([*map(stated_id, cells)], cells.index, dtype=object)


def checked_codes(record: Record, codes: str | None = None) -> Record:
    """The recording, flagged "no_codes" where it has no code: in its table (`codes`), or in its header where that is None."""
    has_codes = bool(record.codes if codes is None else codes)
    return record if has_codes else replace(record, quality=(*record.quality, NO_CODES))


def read_row(row: Row, folder: Path) -> Record:
    """Reads the recording that a row of the table names."""
    return checked_codes(read_wfdb(f"{folder}/{row['file']}"), row["codes"])


class WFDBTableDataModule(ECGDataModule):
    """Base of the sources whose `table()` names WFDB recordings, without a suffix."""

    def files(self, table: pd.DataFrame) -> Iterable[str | Path]:
        """Header and signal file of every recording."""
        folder = self.folder
        return [f"{folder}/{file}{end}" for file in table["file"] for end in (".hea", ".dat")]

    def reader(self) -> Reader:
        """Reads WFDB `.hea` and `.dat`."""
        return partial(read_row, folder=self.folder)
