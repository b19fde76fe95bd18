"""CPSC2018, the China Physiological Signal Challenge 2018 (Liu 2018): nine classes, in its own form or the CinC challenge's."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from ecg_lightning.datamodules.cinc import CinCDataModule, files_below, table_of
from ecg_lightning.datamodules.tables import checked_codes, ids, read_table, without_refused
from ecg_lightning.labels import Annotation, translate
from ecg_lightning.records import LEADS, Record, read_record
from ecg_lightning.store.pack import Reader, Row

REFERENCE = "REFERENCE.csv"
LABELS = ("First_label", "Second_label", "Third_label")


def read_struct(row: Row, folder: Path) -> Record:
    """Reads a MATLAB file with the struct `ECG` (sex, age, data)."""
    return checked_codes(read_record(f"{folder}/{row['file']}", leads=LEADS), row["codes"])


@dataclass(eq=False, repr=False)
class CPSC2018DataModule(CinCDataModule):
    """CPSC2018: 6,877 recordings of 6 to 144 s at 500 Hz, each of one to three of nine classes.

    With `REFERENCE.csv` in root or below (several, where it is in parts) it is read as it was first published; else by its headers, as the CinC
    challenge re-issued it. Both forms give the same terms.
    """

    source = "cpsc2018"

    def table(self) -> pd.DataFrame:
        """Every header, or every MATLAB file with its class numbers from `REFERENCE.csv`."""
        references = files_below(self.folder, REFERENCE)
        if not references:
            return super().table()
        paths = [self.folder / file for file in references]
        table = pd.concat([without_refused(read_table(path, ["Recording", *LABELS]), path) for path in paths])
        codes: dict[str, dict[str, None]] = {}  # a recording may have several rows
        for name, labels in zip(table["Recording"], table[list(LABELS)].apply(ids).to_numpy().tolist(), strict=True):
            codes.setdefault(name, {}).update(dict.fromkeys(filter(None, labels)))
        files = table_of(files_below(self.folder, ".mat"))
        return files.assign(codes=["|".join(codes.get(name, ())) for name in files["record_id"]])

    def reader(self) -> Reader:
        """Reads WFDB, or MATLAB structs."""
        return partial(read_struct, folder=self.folder) if files_below(self.folder, REFERENCE) else super().reader()

    def annotation(self, codes: str, source: str) -> Annotation:
        """What SNOMED CT codes, or the challenge's class numbers 1 to 9, say."""
        if not codes or len(codes.partition("|")[0]) > 1:
            return super().annotation(codes, source)
        return translate("cpsc2018", codes.split("|"), source)
