"""The integral of a recording over time: it makes averages over any stretch of time exact at any sampling rate."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

GRID = 0.01
"""Seconds between the points of the grid."""
SMOOTH = 4
"""Points of the grid over which the signal is averaged to look for beats."""
_INSIDE = 1.001  # samples from the end: the last position has a sample behind it


class Integral:
    """The integral of the straight lines through the samples, up to a constant for each lead.

    Values are in samples times the signal's unit: a difference is divided by the stretch's length for an average.

    Attributes:
        leads: (leads, samples) float32, at least two samples.
        sampling_rate: Hz.
    """

    def __init__(self, leads: NDArray[np.float32], sampling_rate: float) -> None:
        self.leads, self.sampling_rate = leads, sampling_rate
        self._sums = np.cumsum(leads, axis=1, dtype=np.float64)

    @property
    def seconds(self) -> float:
        """Time from the first to the last sample."""
        return float((self.leads.shape[1] - 1) / self.sampling_rate)

    def until(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """(leads, …) the integral until each time in seconds; beyond the ends, until the end."""
        return self._at(*_weights(times * self.sampling_rate, self.leads.shape[1]))

    def on_grid(self) -> NDArray[np.float64]:
        """(leads, points) the integral until every point of the grid before the end."""
        return self._at(*_grid_weights(self.sampling_rate, self.leads.shape[1]))

    def _at(
        self, before: NDArray[np.intp], weight: NDArray[np.float64], after: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        integral: NDArray[np.float64] = self._sums.take(before, axis=1)
        integral += self.leads.take(before, axis=1) * weight
        if after.any():
            integral += self.leads.take(before + 1, axis=1) * after
        return integral


def _weights(
    positions: NDArray[np.float64], samples: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """The sample before each position, and by how much of it and of the next one its running sum differs from the integral."""
    positions = np.minimum(np.maximum(positions, 0), samples - _INSIDE)
    before = positions.astype(np.intp)
    part = positions - before
    after = 0.5 * part * part
    return before, part - 0.5 - after, after


@lru_cache(maxsize=64)
def _grid_weights(
    sampling_rate: float, samples: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    # Rounded as np.arange rounds it for the averages around points: a point more or less would change fingerprints.
    middle = 0.5 * SMOOTH * GRID
    count = SMOOTH + len(np.arange(middle, (samples - 1) / sampling_rate - middle, GRID))
    return _weights(np.arange(count, dtype=np.float64) * (GRID * sampling_rate), samples)
