"""LUDB, the Lobachevsky University Database (Kalyakulina 2020): 200 recordings of 10 s, diagnoses in words."""

from dataclasses import dataclass

import pandas as pd

from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.datamodules.tables import WFDBTableDataModule, read_table
from ecg_lightning.records import parse_age, parse_sex, stated

TEXTS = (
    "Rhythms", "Electric axis of the heart", "Conduction abnormalities", "Extrasystolies", "Hypertrophies",
    "Cardiac pacing", "Ischemia", "Non-specific repolarization abnormalities", "Other states",
)  # fmt: skip


@dataclass(eq=False, repr=False)
class LUDBDataModule(WFDBTableDataModule):
    """LUDB as PhysioNet distributes it: `ludb.csv` and WFDB files in `data`, each of another person."""

    source = "ludb"
    system = "ludb"

    def table(self) -> pd.DataFrame:
        """The official table; a cell holds several diagnoses, one a line."""
        table = read_table(self.folder / "ludb.csv", ["ID", "Sex", "Age", *TEXTS])
        lines = [[stated(line) for cell in row for line in cell.split("\n")] for row in table[list(TEXTS)].to_numpy()]
        return pd.DataFrame(
            {
                "record_id": table["ID"],
                "patient_id": table["ID"],
                "age": table["Age"].map(parse_age),
                "sex": table["Sex"].map(parse_sex),
                "codes": ["|".join(dict.fromkeys(filter(None, texts))) for texts in lines],
                "file": "data/" + table["ID"],
                REFUSED: table[REFUSED],
            }
        )
