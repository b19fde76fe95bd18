"""The outputs of a network for each recording that it was measured on, as a Parquet file in the run's folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.datamodules.splits import patients
from ecg_lightning.errors import UserError
from ecg_lightning.files import write_whole
from ecg_lightning.metrics import Outputs
from ecg_lightning.metrics.epoch import RecordOutputs
from ecg_lightning.modules.base import ECGModule

FILES = {"test": "predictions.parquet", "val": "val_predictions.parquet"}
"""The file of each split."""
COMPARED = {"record_ids": "recordings", "records": "recordings", "targets": "labels", "patients": "patients"}
"""What must be the same in two runs whose differences are paired, and what messages call it."""


@dataclass(frozen=True)
class Predictions:
    """What a network put out for the recordings of a split.

    Attributes:
        name: what messages call the run.
        terms: the ordered terms.
        record_ids: (recordings,) the archive's own ids.
        records: (recordings,) positions in the store, ascending.
        patients: (recordings,) a number for each patient.
        targets: (recordings, terms) 1, 0, or NaN where not annotated.
        logits: (recordings, terms).
        probabilities: (recordings, terms) uncalibrated.
        calibrated: (recordings, terms) calibrated probabilities.
        positive: (recordings, terms) 1, 0, or NaN where the term was not learnt.
    """

    name: str
    terms: tuple[str, ...]
    record_ids: NDArray[np.object_]
    records: NDArray[np.int64]
    patients: NDArray[np.int64]
    targets: NDArray[np.float64]
    logits: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    calibrated: NDArray[np.float64]
    positive: NDArray[np.float64]

    @classmethod
    def of(cls, module: ECGModule, outputs: RecordOutputs, data: PackedDataModule, name: str) -> Self:
        """Makes them from what an evaluation collected; patients become numbers, without names."""
        index = data.store.index.iloc[outputs.records]
        probabilities = expit(outputs.logits)
        called = (probabilities >= module.thresholds).astype(np.float64)
        return cls(
            name,
            module.terms,
            index["record_id"].astype(str).to_numpy(object),
            outputs.records,
            np.unique(patients(index).to_numpy(), return_inverse=True)[1],
            outputs.targets,
            outputs.logits,
            probabilities,
            module.calibration.apply(outputs.logits),
            np.where(np.isnan(module.thresholds), np.nan, called),
        )

    def __len__(self) -> int:
        return len(self.records)

    @property
    def outputs(self) -> Outputs:
        """The outputs as the metrics take them."""
        return Outputs(self.probabilities, self.targets, self.positive, self.calibrated)

    def write(self, path: Path) -> None:
        """Writes the file, whole or not at all; equal predictions make equal bytes."""
        columns: dict[str, Any] = {"record_id": self.record_ids, "record": self.records, "patient": self.patients}
        for prefix, values in self._columns().items():
            columns |= {f"{prefix}/{term}": values[:, k] for k, term in enumerate(self.terms)}
        write_whole(path, pd.DataFrame(columns).to_parquet(index=False))

    def _columns(self) -> dict[str, NDArray[np.float64]]:
        return {
            "label": self.targets, "logit": self.logits, "probability": self.probabilities,
            "calibrated": self.calibrated, "positive": self.positive,
        }  # fmt: skip


def check_comparable(runs: Sequence[Predictions]) -> None:
    """Refuses runs whose differences would not be paired.

    Raises:
        UserError: where they predict other terms, or were measured on other recordings, labels or patients.
    """
    first, *rest = runs
    for run in rest:
        if run.terms != first.terms:
            raise UserError(
                f"{first.name} predicts {', '.join(first.terms)}, and {run.name} predicts {', '.join(run.terms)}: only "
                "networks of the same terms, in the same order, are compared."
            )
        for name, title in COMPARED.items():
            if not np.array_equal(getattr(run, name), getattr(first, name), equal_nan=name == "targets"):
                raise UserError(
                    f"{run.name} and {first.name} were measured on different test recordings, and cannot be compared: "
                    f"their {title} differ. The archive has changed in the meantime, or the folds differ. Run `test` of both again."
                )


def read_predictions(folder: Path, split: str = "test") -> Predictions:
    """Reads the predictions of a run, or of a network that was measured into a folder.

    Raises:
        UserError: where there are none, or the file is damaged.
    """
    path = folder / FILES[split]
    if not path.is_file():
        verb = "test" if split == "test" else "validate"
        raise UserError(f"{folder} has no {path.name}: run `{verb} run_dir={folder}` first.")
    try:
        table = pd.read_parquet(path)
        terms = tuple(name.removeprefix("label/") for name in map(str, table) if name.startswith("label/"))
        arrays = [
            table[[f"{prefix}/{term}" for term in terms]].to_numpy(np.float64)
            for prefix in ("label", "logit", "probability", "calibrated", "positive")
        ]
        records, patient_numbers = (table[name].to_numpy(np.int64) for name in ("record", "patient"))
        return Predictions(str(folder), terms, table["record_id"].to_numpy(object), records, patient_numbers, *arrays)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged. Run `test run_dir={folder}` again.") from error
