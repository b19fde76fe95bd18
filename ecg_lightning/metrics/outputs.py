"""What a network put out for records, beside what is true of them: the argument of whatever measures it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.metrics.pairs import Booleans, Floats, checked


@dataclass(frozen=True)
class Outputs:
    """The outputs of one network for some records.

    Attributes:
        probabilities: (records, terms), compared with the thresholds and ranked.
        targets: (records, terms) 1, 0, or NaN where not annotated.
        decisions: (records, terms) 1 where a term is called positive, 0, or NaN where nothing is decided.
        calibrated: (records, terms) calibrated probabilities; None where there are none.
    """

    probabilities: Floats
    targets: Floats
    decisions: Floats
    calibrated: Floats | None = None

    @classmethod
    def of(
        cls,
        probabilities: ArrayLike,
        targets: ArrayLike,
        thresholds: ArrayLike | None = None,
        calibrated: ArrayLike | None = None,
    ) -> Self:
        """Checks the arrays, and decides.

        Args:
            probabilities: (records, terms).
            targets: 1, 0, or NaN where not annotated, (records, terms).
            thresholds: one for all terms or (terms,), NaN where nothing is decided; None decides nothing at all.
            calibrated: (records, terms) calibrated probabilities, if there are any.

        Raises:
            ValueError: on shapes that do not fit together, and further errors as of `auroc`.
        """
        probabilities, targets = checked(probabilities, targets)
        threshold = np.full(targets.shape[1:], np.nan) if thresholds is None else np.asarray(thresholds, np.float64)
        decisions = np.where(np.isnan(threshold), np.nan, probabilities >= threshold)
        if calibrated is not None:
            calibrated, _ = checked(calibrated, targets)
        return cls(probabilities, targets, decisions, calibrated)

    def __len__(self) -> int:
        return len(self.targets)

    def at(self, rows: NDArray[np.int64] | Booleans) -> "Outputs":
        """Returns the outputs for some of the records."""
        calibrated = None if self.calibrated is None else self.calibrated[rows]
        return Outputs(self.probabilities[rows], self.targets[rows], self.decisions[rows], calibrated)

    @property
    def is_annotated(self) -> Booleans:
        """(records, terms) whether each target is 1 or 0."""
        return ~np.isnan(self.targets)

    @property
    def is_called(self) -> Booleans:
        """(records, terms) whether each term is called positive."""
        called: Booleans = self.decisions == 1
        return called

    @property
    def is_decided(self) -> Booleans:
        """(records, terms) whether a decision counts: there is one, and the target is annotated."""
        return self.is_annotated & ~np.isnan(self.decisions)
