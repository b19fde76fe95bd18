"""How strongly each moment of each lead is shaded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.2, 0.4, 0.7)
"""Parts of the largest value from which a moment is shaded, and shaded more strongly."""
_SMOOTHING = 0.06  # s: half a QRS complex; gradients change their sign from sample to sample


@dataclass(frozen=True, eq=False)
class Shading:
    """What speaks for one term in a recording.

    Attributes:
        values: (12, samples) contribution of each sample to the term's logit; what is negative is not shaded.
        sampling_rate: Hz.
        start: second of the recording at which the values begin.
    """

    values: NDArray[np.floating]
    sampling_rate: float
    start: float = 0.0

    def smoothed(self) -> NDArray[np.float64]:
        """(12, samples) the contributions, averaged over 60 ms, where they are positive; the largest is 1."""
        half = round(_SMOOTHING / 2 * self.sampling_rate)
        window = np.hanning(2 * half + 3)[1:-1]  # an odd number of samples, so that nothing moves
        window /= window.sum()
        smooth = np.array([np.convolve(lead, window, mode="same") for lead in self.values], np.float64)
        positive = np.maximum(smooth, 0)
        return positive / largest if (largest := float(positive.max(initial=0))) > 0 else positive

    def strongest_lead(self) -> int:
        """The row of the lead with the largest sum of smoothed contributions."""
        return int(self.smoothed().sum(axis=1).argmax())


def levels_at(
    smoothed: NDArray[np.float64], shading: Shading, times: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.int64]:
    """(times,) how many of `LEVELS` one lead reaches at some moments.

    Args:
        smoothed: (samples,) the lead's row of `Shading.smoothed`.
        shading: where it is from.
        times: seconds of the recording.
    """
    sample_times = shading.start + np.arange(len(smoothed)) / shading.sampling_rate
    return np.searchsorted(LEVELS, np.interp(times, sample_times, smoothed, left=0, right=0), side="right")
