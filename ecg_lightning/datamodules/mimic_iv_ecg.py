"""MIMIC-IV-ECG (Gow 2023): some 800,000 recordings of 160,000 patients, with the report that the machine printed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.datamodules.tables import WFDBTableDataModule, ids, read_table, without_refused
from ecg_lightning.errors import UserError

RECORDS, REPORTS = "record_list.csv", "machine_measurements.csv"
LINES = tuple(f"report_{number}" for number in range(18))


@dataclass(eq=False, repr=False)
class MIMICIVECGDataModule(WFDBTableDataModule):
    """MIMIC-IV-ECG as PhysioNet distributes it: 10 s at 500 Hz, folds by patient; age and sex are not part of it.

    The statements are a machine's, matched by a table of phrases; what it calls possible is neither 1 nor 0.
    """

    source = "mimic_iv_ecg"
    system = "mimic"

    def table(self) -> pd.DataFrame:
        """The list of recordings, each with the lines of its report."""
        records = read_table(self.folder / RECORDS, ["subject_id", "study_id", "ecg_time", "path"])
        reports = without_refused(read_table(self.folder / REPORTS, ["study_id", *LINES]), self.folder / REPORTS)
        codes: dict[str, str] = {}
        for study, *lines in zip(ids(reports["study_id"]), *(reports[line] for line in LINES), strict=True):
            codes[study] = "|".join(filter(None, (codes.get(study), *lines)))  # a study may have several rows
        if not codes:
            raise UserError(f"{self.folder / REPORTS} has no rows. Download it again.")
        studies = ids(records["study_id"])
        return pd.DataFrame(
            {
                "record_id": studies,
                "patient_id": ids(records["subject_id"]),
                "date": records["ecg_time"],
                "codes": studies.map(codes).fillna(""),
                "file": records["path"],
                REFUSED: records[REFUSED],
            }
        )

    def files(self, table: pd.DataFrame) -> Iterable[str | Path]:
        """The two tables and the folders of patients: to look at 1.6 million files would take minutes at every start.

        The thousand folders p1000, p1001 … change with every patient who is fetched later.
        """
        groups = sorted({"/".join(file.split("/", 2)[:2]) for file in table["file"]})
        return [self.folder / name for name in (RECORDS, REPORTS, "files", *groups)]
