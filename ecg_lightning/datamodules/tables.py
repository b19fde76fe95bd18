"""What archives share that list their recordings in a CSV table: reading it, and the WFDB files that it names."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.records import Record, read_wfdb
from ecg_lightning.store.pack import Reader, Row

NO_CODES = "no_codes"
_NO_ID = ("nan", "none", "null")


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of an archive's CSV table as text, without white space around it; "" where a cell is empty.

    Raises:
        UserError: where the table is not there, is no CSV, or lacks a column.
    """
    try:
        table = pd.read_csv(path, usecols=list(columns), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(
            f"data.root: '{path.parent}' has no {path.name}; it should be the folder of the archive as distributed."
        ) from error
    except ValueError as error:  # a column that is not there, a file that is no table, another encoding
        raise UserError(f"{path} is not the table that the archive distributes: {error}") from error
    return pd.DataFrame({name: [*map(str.strip, table[name])] for name in columns}, dtype=object)


def ids(cells: "pd.Series[str]") -> "pd.Series[str]":
    """Ids as text of one form: without the decimals that a table of numbers gives them, "" where there is none.

    >>> ids(pd.Series(["7.0", "nan", "007", ""])).tolist()
    ['7', '', '007', '']
    """
    whole = (cell[:-2] if cell.endswith(".0") and cell[:-2].isdecimal() else cell for cell in cells)
    return pd.Series(["" if cell.lower() in _NO_ID else cell for cell in whole], cells.index, dtype=object)


def checked_codes(record: Record, codes: str | None = None) -> Record:
    """The recording, flagged "no_codes" where neither its table (``codes``) nor its header says anything of it."""
    silent = not (record.codes if codes is None else codes)
    return replace(record, quality=(*record.quality, NO_CODES)) if silent else record


def read_row(row: Row, folder: Path) -> Record:
    """Reads the recording that a row of the table names."""
    return checked_codes(read_wfdb(f"{folder}/{row['file']}"), row["codes"])


class WFDBTableDataModule(ECGDataModule):
    """Base of the sources whose ``table()`` names WFDB recordings, without a suffix."""

    def files(self, table: pd.DataFrame) -> Iterable[str | Path]:
        """Header and signal file of every recording."""
        folder = self.folder
        return [f"{folder}/{file}{end}" for file in table["file"] for end in (".hea", ".dat")]

    def reader(self) -> Reader:
        """Reads WFDB ``.hea`` and ``.dat``."""
        return partial(read_row, folder=self.folder)
