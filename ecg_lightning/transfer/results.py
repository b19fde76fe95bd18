"""The measured networks of a transfer study: AUROC of every arm, with intervals of a bootstrap by patient."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.errors import UserError
from ecg_lightning.metrics import auroc, macro
from ecg_lightning.metrics.bootstrap import resampled_auroc
from ecg_lightning.transfer.measure import Outputs, outputs
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
        """As a difference."""
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def estimate(values: Floats) -> Estimate:
    """From the value on all recordings, followed by those of the resamples; percentiles, undefined ones left out."""
    defined = values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(defined, [0.025, 0.975]) if defined.size else (np.nan, np.nan)
    return Estimate(float(values[0]), float(low), float(high))


def areas(said: Outputs, resamples: int) -> Floats:
    """(1 + resamples, terms) AUROC of a measured network: on all recordings, then in each resample of the patients.

    Networks that were measured on the same recordings get the same resamples, so that their differences are paired.
    """
    drawn = resampled_auroc(said.logits, said.targets, said.patients, resamples=resamples)
    return np.vstack([auroc(said.logits, said.targets), drawn])


class Results:
    """The measured networks of a study.

    Attributes:
        study: whose.
        records: the number of the small archive's training recordings, for the figure's axis.
        terms: what the networks predict.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        some = json.loads((study.measured("large") / "test.json").read_text(encoding="utf-8"))
        self.records: int = some["data"]["records"]["train"]
        self.terms: list[str] = [row["term"] for row in some["terms"]]
        self._areas: dict[tuple[str, str, str], Floats] = {}
        self._first: dict[str, Path] = {}

    def outputs(self, arm: str, size: str, seed: int, archive: str = "small") -> Outputs:
        """The outputs of a measured network.

        Raises:
            UserError: where it was measured on other recordings than the first one was, since differences are paired.
        """
        folder = self.study.measured(arm, size, seed, archive)
        first = self._first.setdefault(archive, folder)
        said, expected = outputs(folder), outputs(first)
        for name in ("records", "targets", "patients"):
            if not np.array_equal(getattr(said, name), getattr(expected, name), equal_nan=name == "targets"):
                raise UserError(
                    f"{folder} and {first} were measured on different test recordings, and cannot be compared. The archive "
                    "changed meanwhile: run the same command again."
                )
        return said

    def macro(self, arm: str, size: str = "", archive: str = "small") -> Floats:
        """(1 + resamples,) macro AUROC of an arm, the mean over its seeds."""
        return np.array([macro(row) for row in self.areas(arm, size, archive)])

    def areas(self, arm: str, size: str = "", archive: str = "small") -> Floats:
        """(1 + resamples, terms) AUROC of an arm, the mean over its seeds."""
        key = (arm, "" if arm == "large" else size, archive)
        if key not in self._areas:
            seeds = range(self.study.seeds_at(size)) if key[1] else range(1)
            each = [areas(self.outputs(arm, key[1], k, archive), self.study.resamples) for k in seeds]
            self._areas[key] = np.mean(each, axis=0)
        return self._areas[key]

    def seeds(self, arm: str, size: str) -> list[float]:
        """Macro AUROC of each seed of an arm."""
        found = []
        for k in range(self.study.seeds_at(size)):
            said = self.outputs(arm, size, k)
            found.append(macro(auroc(said.logits, said.targets)))
        return found

    @property
    def arms(self) -> list[str]:
        """The arms of the study that train on the small archive."""
        return ["small", "tuned", *(["both"] if self.study.both else [])]

    def rows(self) -> list[dict[str, object]]:
        """One row a size, plain values and estimates."""
        large, found = self.macro("large"), []
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
            found.append(row)
        return found


def count(size: str, records: int) -> int:
    """A size as a number of recordings."""
    return records if size == ALL else int(size)
