"""How probabilities become decisions: the group `decision` of a configuration."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy.special import expit

from ecg_lightning.errors import UserError
from ecg_lightning.metrics.calibration import Calibration, fit_calibration
from ecg_lightning.metrics.pairs import Floats
from ecg_lightning.metrics.thresholds import choose_thresholds
from ecg_lightning.ranges import Between, Misfit, check_fields


@dataclass(frozen=True)
class Decision:
    """How thresholds and calibration are chosen on the validation recordings, never on those of the test.

    Attributes:
        threshold: paper (the best 0.8 G-mean + 0.2 F1), youden (sensitivity + specificity), gmean, fbeta, sensitivity or
            specificity (the best of the other one at the level).
        beta: of fbeta; 1 weights sensitivity and PPV equally, 2 prefers sensitivity.
        level: the sensitivity or specificity that is reached on the validation recordings.
        calibration: platt (slope and intercept of each term's logits), temperature (the slope alone) or none.
    """

    threshold: Literal["paper", "youden", "gmean", "fbeta", "sensitivity", "specificity"] = "paper"
    beta: Annotated[float, Between(0, 100, above=True)] = 1.0
    level: Annotated[float, Between(0, 1)] = 0.9
    calibration: Literal["platt", "temperature", "none"] = "platt"

    def __post_init__(self) -> None:
        try:
            check_fields(self)
        except Misfit as error:
            raise UserError(f"decision.{error}") from error

    @property
    def rule(self) -> str:
        """The name of the rule of the thresholds, with its number where it has one: `paper`, `f2`, `sensitivity 0.95`."""
        match self.threshold:
            case "fbeta":
                return f"f{self.beta:g}"
            case "sensitivity" | "specificity":
                return f"{self.threshold} {self.level:g}"
            case _:
                return self.threshold

    def thresholds(self, logits: Floats, targets: Floats) -> Floats:
        """Chooses the threshold of each term's probability, (terms,), on logits and targets (records, terms)."""
        return choose_thresholds(expit(logits), targets, self.threshold, beta=self.beta, level=self.level)

    def calibrate(self, logits: Floats, targets: Floats) -> Calibration:
        """Fits the calibration on logits and targets (records, terms)."""
        if self.calibration == "none":
            terms = targets.shape[1]
            return Calibration(np.ones(terms), np.zeros(terms))
        return fit_calibration(logits, targets, self.calibration)
