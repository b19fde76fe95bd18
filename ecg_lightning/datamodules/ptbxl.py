"""PTB-XL 1.0.3: 21,799 recordings of 10 s with SCP-ECG statements and ten folds by patient (Wagner 2020)."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.datamodules.tables import WFDBTableDataModule, ids, read_table, refuse
from ecg_lightning.labels import Annotation, translate
from ecg_lightning.ranges import FOLDS, Between
from ecg_lightning.records import parse_sex


@dataclass(eq=False, repr=False)
class PTBXLDataModule(WFDBTableDataModule):
    """PTB-XL as PhysioNet distributes it, with its official folds: 1-8 train, 9 validates, 10 tests.

    Attributes:
        file_rate: which of the archive's files are packed, 100 or 500 Hz; by default 100 where that suffices.
        minimum_likelihood: statements below this likelihood (per cent) are not annotated; the benchmark takes all.
        only_validated: leave out recordings that no human has validated.
    """

    source = "ptbxl"
    system = "scp"

    file_rate: Literal[100, 500] | None = None
    minimum_likelihood: Annotated[float, Between(0, 100)] = 0.0
    only_validated: bool = False

    def table(self) -> pd.DataFrame:
        """The official table, with statements as `NORM=100|SR=0`; ages over 89, published as 300, become 90."""
        path = self.folder / "ptbxl_database.csv"
        columns = ["ecg_id", "patient_id", "age", "sex", "recording_date", "site", "scp_codes", "strat_fold"]
        columns += ["validated_by_human", "filename_lr", "filename_hr"]
        table = read_table(path, columns)
        record, fold = (pd.to_numeric(ids(table[name]), errors="coerce") for name in ("ecg_id", "strat_fold"))
        codes = table["scp_codes"].map(_statements)
        unreadable = {"ecg_id": record.isna(), "strat_fold": ~fold.isin(range(1, FOLDS + 1)), "scp_codes": codes.isna()}
        for name, cells in unreadable.items():
            table[REFUSED] = refuse(table, cells, name, path)
        age = pd.to_numeric(table["age"], errors="coerce")
        return pd.DataFrame(
            {
                "record_id": [f"{number:05.0f}" if number >= 0 else "" for number in record],
                "patient_id": ids(table["patient_id"]),
                "age": age.mask(age == 300, 90.0).where(age >= 0),
                "sex": [{"0": "M", "1": "F"}.get(cell, parse_sex(cell)) for cell in ids(table["sex"])],
                "date": table["recording_date"],
                "site": ids(table["site"]),
                "codes": codes.fillna(""),
                "fold": fold.fillna(0).astype(int),
                "file": table["filename_lr" if self._rate() == 100 else "filename_hr"],
                "validated_by_human": table["validated_by_human"].str.lower().isin(("true", "1", "1.0")),
                REFUSED: table[REFUSED],
            }
        )

    def _rate(self) -> int:
        return self.file_rate or (100 if self.sampling_rate <= 100 else 500)

    def options(self) -> dict[str, Any]:
        """Which files were packed."""
        return {"file_rate": self._rate()}

    def annotation(self, codes: str, source: str) -> Annotation:
        """Statements at or above the minimum likelihood are positive, those below it are left open.

        PTB-XL writes 0 where no likelihood was given, as for most forms and rhythms; those count as stated.
        """
        if not codes:
            return super().annotation(codes, source)
        pairs = [code.rpartition("=") for code in codes.split("|") if code]
        unlikely_codes = [code for code, _, value in pairs if 0 < float(value) < self.minimum_likelihood]
        likely_codes = [code for code, _, _ in pairs if code not in unlikely_codes]
        likely, unlikely = (translate(self.system, codes, source) for codes in (likely_codes, unlikely_codes))
        return likely | unlikely.as_uncertain()

    def keep(self, index: pd.DataFrame) -> NDArray[np.bool_]:
        """All recordings, or those that a human validated."""
        validated: NDArray[np.bool_] = index["validated_by_human"].to_numpy(bool)
        return validated if self.only_validated else np.ones(len(index), bool)


def _statements(text: str) -> str | None:
    """A cell of statements as `NORM=100|SR=0`; "" where it is empty, None where it holds anything else."""
    try:
        # Written as Python's dictionaries of plain words: as JSON they are read ten times as fast.
        likelihoods = json.loads(text.replace("'", '"')) if text else {}
        return "|".join(f"{code}={value:g}" for code, value in likelihoods.items())
    except (ValueError, AttributeError):  # no JSON, no mapping, no numbers
        return None
