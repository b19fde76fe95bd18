"""The layout of the PhysioNet/CinC Challenges 2020 and 2021: WFDB headers with `#Dx:` SNOMED CT codes."""

import os
from collections.abc import Iterable
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import ClassVar

import pandas as pd

from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.datamodules.tables import checked_codes
from ecg_lightning.records import Record, read_wfdb
from ecg_lightning.records.record import readable
from ecg_lightning.records.segments import masters_of_segments
from ecg_lightning.store.pack import Reader, Row

_ENDS = ((".hea", ".mat"), (".HEA", ".MAT"))


def files_below(folder: Path, ending: str) -> list[str]:
    """The files in a folder and below it whose names have an ending, relative to the folder and sorted.

    Upper and lower case count as the same. Hidden files and folders are left out: a download keeps its notes in `.download`.
    """
    files = []
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(path).relative_to(folder)
        files += [
            (below / name).as_posix()
            for name in names
            if name.lower().endswith(ending.lower()) and not name.startswith(".")
        ]
    return sorted(files)


def table_of(files: Iterable[str]) -> pd.DataFrame:
    """One row a file: `record_id`, `file`, and `REFUSED` for a name that is not UTF-8, which no index can hold, or has control characters."""
    names = [(file, readable(file)) for file in files]
    refused = [
        "" if file == name else "bad name: it is not in UTF-8, or holds control characters; rename the file"
        for file, name in names
    ]
    ids = [Path(name).stem for _, name in names]
    return pd.DataFrame({"record_id": ids, "file": [name for _, name in names], REFUSED: refused}, dtype=object)


def number_of(record_id: str) -> int:
    """The number in a recording's id; 0 where it has none.

    >>> number_of("JS10646"), number_of("S0138"), number_of("test")
    (10646, 138, 0)
    """
    return int("".join(filter(str.isdecimal, record_id)) or 0)


def read_row(row: Row, folder: Path) -> Record:
    """Reads the recording that a row of the table names; age, sex and codes stand in its header."""
    return checked_codes(read_wfdb(f"{folder}/{row['file']}"))


class CinCDataModule(ECGDataModule):
    """Base of the archives that the challenge distributes; headers are found in root and below it.

    The challenge names no patients. Each recording counts as a patient, since most archives have one recording of each
    patient, as their authors say. Where patients have several, the archive's own list names them
    (`recordings_of_patients`).
    """

    recordings_of_patients: ClassVar[str] = ""
    """One digit a patient, numbered from 1: how many of the recordings, numbered from 1, are the patient's."""

    def table(self) -> pd.DataFrame:
        """Every header below root, with the patient where the archive's list names the patients."""
        files = files_below(self.folder, ".hea")
        segments = masters_of_segments(f"{self.folder}/{file}" for file in files)
        table = table_of(file for file in files if f"{self.folder}/{file}" not in segments)
        if self.recordings_of_patients:
            table["patient_id"] = self.patients(table["record_id"])
        return table

    def patients(self, record_ids: Iterable[str]) -> list[str]:
        """The patient of each recording, by the number in its id; "" where the list does not name it."""
        counts = enumerate(map(int, self.recordings_of_patients), 1)
        patients = ["", *chain.from_iterable(repeat(f"patient{number:03d}", count) for number, count in counts)]
        return [patients[number] if (number := number_of(name)) < len(patients) else "" for name in record_ids]

    def files(self, table: pd.DataFrame) -> Iterable[str]:
        """Header and signal file of every recording."""
        folder = self.folder
        return [f"{folder}/{file[:-4]}{end}" for file in table["file"] for end in _ENDS[file[-4:].isupper()]]

    def reader(self) -> Reader:
        """Reads WFDB headers with `.mat` or `.dat` signals."""
        return partial(read_row, folder=self.folder)
