"""The layout of the PhysioNet/CinC Challenges 2020 and 2021: WFDB headers with ``#Dx:`` SNOMED CT codes."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import pandas as pd

from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.pack import Reader, Row
from ecg_lightning.records import Record, read_wfdb


def read_row(row: Row, folder: Path) -> Record:
    """Reads the recording that a row of the table names; age, sex and codes stand in its header."""
    return read_wfdb(folder / row["file"])


class CinCDataModule(ECGDataModule):
    """Base of the archives that the challenge distributes; headers are found in root and below it.

    The challenge names no patients, so a recording stands for one (Georgia, Chapman-Ningbo and CPSC have one
    recording a patient, as far as their authors say).
    """

    def table(self) -> pd.DataFrame:
        """Every header below root."""
        files = sorted(path.relative_to(self.folder) for path in self.folder.rglob("*.hea"))
        return pd.DataFrame({"record_id": [f.stem for f in files], "file": [f.as_posix() for f in files]}, dtype=object)

    def files(self, table: pd.DataFrame) -> list[Path]:
        """Header and signal file of every recording."""
        headers = [self.folder / file for file in table["file"]]
        return [path for header in headers for path in (header, header.with_suffix(".mat"))]

    def reader(self) -> Reader:
        """Reads WFDB headers with ``.mat`` or ``.dat`` signals."""
        return partial(read_row, folder=self.folder)


@dataclass(eq=False, repr=False)
class GeorgiaDataModule(CinCDataModule):
    """Georgia 12-lead ECG Challenge Database: 10,344 recordings of mostly 10 s at 500 Hz."""

    source: ClassVar[str] = "georgia"
