"""The AUROC of every arm of a transfer study, with intervals of a bootstrap over patients and seeds."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.evaluation.predictions import Predictions, check_comparable, read_predictions
from ecg_lightning.metrics import Difference, Interval, Intervals, auroc, auroc_differences, auroc_intervals, macro
from ecg_lightning.transfer.study import ALL, Study


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

    @classmethod
    def of(cls, interval: Interval | Difference) -> "Estimate":
        """Makes it from an interval of the bootstrap."""
        return cls(interval.estimate, interval.low, interval.high)


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
        self._intervals: dict[tuple[str, str, str], Intervals] = {}
        self._first: dict[str, Predictions] = {}

    def predictions(self, arm: str, size: str, seed: int, archive: str = "small") -> Predictions:
        """Returns the predictions of a measured network.

        Raises:
            UserError: where it was measured on other recordings than the first network, since differences are paired.
        """
        measured = read_predictions(self.study.measured(arm, size, seed, archive))
        check_comparable([self._first.setdefault(archive, measured), measured])
        return measured

    def intervals(self, arm: str, size: str = "", archive: str = "small") -> Intervals:
        """Computes the AUROC of an arm, the mean over its seeds, by term and macro, with intervals over patients and seeds."""
        key = (arm, size, archive)
        if key not in self._intervals:
            logits, targets, patients = self._networks(arm, size, archive)
            self._intervals[key] = auroc_intervals(logits, targets, patients, resamples=self.study.resamples)
        return self._intervals[key]

    def macro(self, arm: str, size: str = "", archive: str = "small") -> Estimate:
        """Computes the macro AUROC of an arm, the mean over its seeds."""
        return Estimate.of(self.intervals(arm, size, archive).macro)

    def difference(self, arm: str, size: str, baseline: str, baseline_size: str, archive: str = "small") -> Estimate:
        """Computes the paired difference in macro AUROC of an arm and a baseline on the same recordings."""
        logits, targets, patients = self._networks(arm, size, archive)
        baseline_logits, _, _ = self._networks(baseline, baseline_size, archive)
        resamples = self.study.resamples
        return Estimate.of(auroc_differences(logits, baseline_logits, targets, patients, resamples=resamples).macro)

    def _networks(
        self, arm: str, size: str, archive: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Returns logits (seeds, recordings, terms), targets (recordings, terms) and patients (recordings,) of an arm."""
        seeds = range(self.study.seeds_at(size) if size else 1)  # the large archive's network has no size and one seed
        measured = [self.predictions(arm, size, seed, archive) for seed in seeds]
        return np.stack([network.logits for network in measured]), measured[0].targets, measured[0].patients

    def seeds(self, arm: str, size: str) -> list[float]:
        """Returns the macro AUROC of network seed of an arm."""
        measured = [self.predictions(arm, size, seed) for seed in range(self.study.seeds_at(size))]
        return [macro(auroc(network.logits, network.targets)) for network in measured]

    @property
    def arms(self) -> list[str]:
        """The arms of the study that train on the small archive."""
        return ["small", "tuned", *(["both"] if self.study.both else [])]

    def rows(self) -> list[dict[str, object]]:
        """Returns a row for each size, with plain values and estimates."""
        rows = []
        for size in self.study.sizes:
            row: dict[str, object] = {"size": size, "seeds": self.study.seeds_at(size)}
            row |= {arm: self.macro(arm, size) for arm in self.arms}
            row["tuned - small"] = self.difference("tuned", size, "small", size)
            row["tuned - large"] = self.difference("tuned", size, "large", "")
            row["by seed"] = {arm: self.seeds(arm, size) for arm in self.arms}
            if self.study.trains_large:
                row["tuned on large"] = self.macro("tuned", size, "large")
                row["forgotten"] = self.difference("tuned", size, "large", "", "large")
            rows.append(row)
        return rows


def count(size: str, records: int) -> int:
    """Returns a size as a number of recordings."""
    return records if size == ALL else int(size)
