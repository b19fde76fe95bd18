"""The AUROC of every arm of a transfer study, with intervals of a bootstrap by patient."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.errors import UserError
from ecg_lightning.metrics import auroc, macro
from ecg_lightning.metrics.bootstrap import resampled_auroc
from ecg_lightning.transfer.measure import MeasuredLogits, read_logits
from ecg_lightning.transfer.study import ALL, Study

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def signed(self) -> str:
        """The text of a difference, with signs."""
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def estimate(values: Floats) -> Estimate:
    """Returns the estimate for (1 + resamples,) values: on all recordings, then in each resample; it leaves NaN out."""
    defined = values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(defined, [0.025, 0.975]) if defined.size else (np.nan, np.nan)
    return Estimate(float(values[0]), float(low), float(high))


def areas(measured: MeasuredLogits, resamples: int) -> Floats:
    """Returns the (1 + resamples, terms) AUROC of a network: on all recordings, then in each resample of the patients.

    Networks that were measured on the same recordings get the same resamples, so that their differences are paired.
    """
    resampled = resampled_auroc(measured.logits, measured.targets, measured.patients, resamples=resamples)
    return np.vstack([auroc(measured.logits, measured.targets), resampled])


class Results:
    """The measured networks of a study.

    Attributes:
        study: the study.
        records: number of the small archive's training recordings, for the axis of the figure.
        terms: the terms that the networks predict.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        report = json.loads((study.measured("large") / "test.json").read_text(encoding="utf-8"))
        self.records: int = report["data"]["records"]["train"]
        self.terms: list[str] = [row["term"] for row in report["terms"]]
        self._areas: dict[tuple[str, str, str], Floats] = {}
        self._first_folders: dict[str, Path] = {}

    def logits(self, arm: str, size: str, seed: int, archive: str = "small") -> MeasuredLogits:
        """Returns the logits of a measured network.

        Raises:
            UserError: where it was measured on other recordings than the first network, since differences are paired.
        """
        folder = self.study.measured(arm, size, seed, archive)
        first = self._first_folders.setdefault(archive, folder)
        measured, expected = read_logits(folder), read_logits(first)
        for name in ("records", "targets", "patients"):
            if not np.array_equal(getattr(measured, name), getattr(expected, name), equal_nan=name == "targets"):
                raise UserError(
                    f"{folder} and {first} were measured on different test recordings, and cannot be compared. The archive "
                    "has changed in the meantime. Run the same command again."
                )
        return measured

    def macro(self, arm: str, size: str = "", archive: str = "small") -> Floats:
        """Returns the (1 + resamples,) macro AUROC of an arm, the mean over its seeds."""
        return np.array([macro(row) for row in self.areas(arm, size, archive)])

    def areas(self, arm: str, size: str = "", archive: str = "small") -> Floats:
        """Returns the (1 + resamples, terms) AUROC of an arm, the mean over its seeds."""
        key = (arm, "" if arm == "large" else size, archive)
        if key not in self._areas:
            seeds = range(self.study.seeds_at(size)) if key[1] else range(1)
            by_seed = [areas(self.logits(arm, key[1], seed, archive), self.study.resamples) for seed in seeds]
            self._areas[key] = np.mean(by_seed, axis=0)
        return self._areas[key]

    def seeds(self, arm: str, size: str) -> list[float]:
        """Returns the macro AUROC of network seed of an arm."""
        measured = [self.logits(arm, size, seed) for seed in range(self.study.seeds_at(size))]
        return [macro(auroc(network.logits, network.targets)) for network in measured]

    @property
    def arms(self) -> list[str]:
        """The arms of the study that train on the small archive."""
        return ["small", "tuned", *(["both"] if self.study.both else [])]

    def rows(self) -> list[dict[str, object]]:
        """Returns a row for each size, with plain values and estimates."""
        large, rows = self.macro("large"), []
        for size in self.study.sizes:
            means = {arm: self.macro(arm, size) for arm in self.arms}
            row: dict[str, object] = {"size": size, "seeds": self.study.seeds_at(size)}
            row |= {arm: estimate(values) for arm, values in means.items()}
            row["tuned - small"] = estimate(means["tuned"] - means["small"])
            row["tuned - large"] = estimate(means["tuned"] - large)
            row["by seed"] = {arm: self.seeds(arm, size) for arm in self.arms}
            if self.study.trains_large:
                row["tuned on large"] = estimate(self.macro("tuned", size, "large"))
                row["forgotten"] = estimate(self.macro("tuned", size, "large") - self.macro("large", archive="large"))
            rows.append(row)
        return rows


def count(size: str, records: int) -> int:
    """Returns a size as a number of recordings."""
    return records if size == ALL else int(size)
