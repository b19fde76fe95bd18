"""SPH: 25,770 recordings of 24,666 patients of Shandong Provincial Hospital, 10 to 60 s, AHA statements (Liu 2022)."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.datamodules.tables import checked_codes, ids, read_table
from ecg_lightning.records import LEADS, Record, parse_age, parse_sex, read_record
from ecg_lightning.store.pack import Reader, Row

RATE = 500.0  # Hz, stated by the paper; the files do not say it


def read_row(row: Row, folder: Path) -> Record:
    """Reads the dataset `ecg` (12, samples), millivolts, of the file that a row of the table names."""
    return checked_codes(
        read_record(folder / row["file"], sampling_rate=RATE, unit="mV", leads=LEADS, dataset="ecg"), row["codes"]
    )


@dataclass(eq=False, repr=False)
class SPHDataModule(ECGDataModule):
    """SPH as figshare distributes it: `metadata.csv`, and `records` with one HDF5 file a recording; folds by patient.

    A recording has one or more statements of the AHA list (Mason 2007), each with modifiers behind it: `60+310`.
    """

    source = "sph"
    system = "aha"

    def table(self) -> pd.DataFrame:
        """The official table. Recording A00001 is the file `A00001.h5`, or `SPH00001.h5` in re-issued copies."""
        columns = ["ECG_ID", "Patient_ID", "Age", "Sex", "Date", "AHA_Code"]
        table = read_table(self.folder / "metadata.csv", columns)
        file_of = {file.stem: file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*.h5")}
        return pd.DataFrame(
            {
                "record_id": table["ECG_ID"],
                "patient_id": ids(table["Patient_ID"]),
                "age": table["Age"].map(parse_age),
                "sex": table["Sex"].map(parse_sex),
                "date": table["Date"],
                "codes": table["AHA_Code"].str.replace(";", "|"),
                "file": [
                    file_of.get(name) or file_of.get(f"SPH{name[1:]}") or f"records/{name}.h5"
                    for name in table["ECG_ID"]
                ],
                REFUSED: table[REFUSED],
            }
        )

    def reader(self) -> Reader:
        """Reads HDF5."""
        return partial(read_row, folder=self.folder)
