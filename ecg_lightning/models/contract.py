"""Contract: what a network that was published expects and puts out; plain values, beside the network that has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Contract:
    """What belongs to the weights of a published network.

    Attributes:
        name: under which it was published.
        sha256: of its file.
        terms: the ordered terms, one a logit.
        leads: that the network sees, in this order.
        sampling_rate: of its input, in Hz.
        seconds: of its input.
        preprocess: from millivolts to its input, the values of `ecg_lightning.transforms.Preprocess`.
        metadata: columns of patient data that it sees beside the signal.
        thresholds: probabilities at and above which a term is positive; None for a term that was not learnt.
        slope: of the calibration, see `calibrated`.
        intercept: of the calibration.
        card: everything that the file says of itself, as plain values.
        weights: hash of the tensors, by which it is known whether they were trained since.
        seen: (recordings, bytes) fingerprints of the recordings that trained it; None where unknown.
    """

    name: str
    sha256: str
    terms: tuple[str, ...]
    leads: tuple[str, ...]
    sampling_rate: int
    seconds: float
    preprocess: Mapping[str, Any]
    metadata: tuple[str, ...]
    thresholds: tuple[float | None, ...]
    slope: tuple[float, ...]
    intercept: tuple[float, ...]
    card: Mapping[str, Any] = field(repr=False)
    weights: str = field(repr=False)
    seen: Tensor | None = field(repr=False, compare=False)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities (batch, terms) of logits (batch, terms), as the thresholds compare them."""
        return logits.sigmoid()

    def calibrated(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities (batch, terms) of logits (batch, terms): sigmoid(slope · logit + intercept)."""
        slope, intercept = (torch.tensor(values).to(logits) for values in (self.slope, self.intercept))
        return (logits * slope + intercept).sigmoid()

    def positive(self, logits: Tensor) -> list[list[str]]:
        """The terms that are positive in each recording, by logits (batch, terms)."""
        return [self._above(row) for row in self.probabilities(logits).tolist()]

    def _above(self, probabilities: Sequence[float]) -> list[str]:
        rows = zip(self.terms, probabilities, self.thresholds, strict=True)
        return [term for term, value, threshold in rows if threshold is not None and value >= threshold]
