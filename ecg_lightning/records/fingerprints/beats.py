"""The second part of a fingerprint: what surrounds three heart beats, wherever the recording begins.

The first two beats and the last one that a window of four seconds fits around are looked for in the first ten seconds. A
window is described in time counted from its beat, so a start that was moved changes nothing, and another recording that
shares some five seconds has a beat in common. What changes more slowly than in 0.2 s is taken out and the rest averaged
over 40 ms, so that filters of the usual kind change little.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from ecg_lightning.records.fingerprints.directions import describe

WINDOWS, WINDOW = 3, 64
SECONDS = 10.0  # looked at: of a longer recording the beginning
_BEFORE, _LENGTH = 0.3, 4.0  # s: where a window begins before its beat, and how long it is
_STEP = 0.02  # s between the values of a window
_NARROW, _WIDE = 0.04, 0.2  # s: the averages whose difference is described
_LEAST_ENERGY = 4e-4  # of the leads' mean: a lead without signal is not blown up to noise
_GRID = 0.01  # s between the values in which beats are looked for
_APART = 0.25  # s: the least distance of two beats
_LEAST_SLOPE = 0.3  # of the median: a beat's least steepness, squared


def describe_beats(leads: NDArray[np.float32], sampling_rate: float) -> NDArray[np.int8]:
    """Describes three windows.

    Args:
        leads: (leads, samples) from the first sample that is not zero.
        sampling_rate: Hz.

    Returns:
        (3, 64) int8; zeros for a window that there is not.
    """
    found = np.zeros((WINDOWS, WINDOW), np.int8)
    leads = leads[:, : int(SECONDS * sampling_rate) + 1]
    seconds = (leads.shape[1] - 1) / sampling_rate
    if seconds < _LENGTH:
        return found
    integral = _Integral(leads, sampling_rate)
    beats = _beats(integral, seconds)
    beats = beats[(beats >= _BEFORE) & (beats - _BEFORE + _LENGTH <= seconds)]
    chosen = np.unique([*beats[:2], *beats[-1:]])
    if not len(chosen):
        return found
    times = chosen[:, None] + (np.arange(_STEP / 2, _LENGTH, _STEP) - _BEFORE)
    values = (integral.average(times, _NARROW) - integral.average(times, _WIDE)).astype(np.float32)
    energy = np.square(values).mean(axis=1, keepdims=True)
    mean = energy.mean(axis=2, keepdims=True)
    if not mean.all():
        return found
    values /= np.sqrt(mean) * (energy / mean + _LEAST_ENERGY) ** 0.25
    found[: len(chosen)] = describe(values.reshape(len(chosen), -1), WINDOW)
    return found


class _Integral:
    """The integral of the straight lines through the samples, which makes averages exact at any sampling rate."""

    def __init__(self, leads: NDArray[np.float32], sampling_rate: float) -> None:
        self.samples, self.sampling_rate = np.ascontiguousarray(leads.T, np.float64), sampling_rate
        self.sums = np.zeros_like(self.samples)
        np.cumsum((self.samples[1:] + self.samples[:-1]) * 0.5, axis=0, out=self.sums[1:])

    def average(self, times: NDArray[np.float64], width: float) -> NDArray[np.float64]:
        """(…, leads) the averages over so many seconds around each time."""
        average: NDArray[np.float64] = self._until(times + width / 2) - self._until(times - width / 2)
        return average / (width * self.sampling_rate)

    def _until(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        position = np.clip(times * self.sampling_rate, 0, len(self.samples) - 1.001)
        whole = position.astype(np.intp)
        part = (position - whole)[..., None]
        until: NDArray[np.float64] = self.samples.take(whole + 1, axis=0)
        before = self.samples.take(whole, axis=0)
        until -= before
        until *= 0.5 * part
        until += before
        until *= part
        until += self.sums.take(whole, axis=0)
        return until


def _beats(integral: _Integral, seconds: float) -> NDArray[np.float64]:
    """The times of the steepest places, between the values of the grid by a parabola."""
    smooth = integral.average(np.arange(_NARROW / 2, seconds - _NARROW / 2, _GRID), _NARROW)
    slope = np.square(smooth[2:] - smooth[:-2])
    each = slope.mean(axis=0)
    if not each.any():
        return np.zeros(0)
    steepness = np.convolve(slope @ (1 / np.sqrt(each + _LEAST_ENERGY * each.mean())), _kernel(), "same")
    around = maximum_filter1d(steepness, 2 * round(_APART / _GRID) + 1, mode="constant")
    peaks = np.flatnonzero((steepness >= around) & (steepness > _LEAST_SLOPE * np.median(around)))
    peaks = peaks[(peaks > 0) & (peaks < len(steepness) - 1)]
    left, top, right = steepness[peaks - 1], steepness[peaks], steepness[peaks + 1]
    bend = left - 2 * top + right
    beside = np.divide(0.5 * (left - right), bend, out=np.zeros(len(peaks)), where=bend < 0)
    times: NDArray[np.float64] = (peaks + 1 + beside) * _GRID + _NARROW / 2
    return times


@lru_cache(maxsize=1)
def _kernel() -> NDArray[np.float64]:
    """A bell of 120 ms."""
    bell: NDArray[np.float64] = np.hanning(round(0.12 / _GRID) + 3)
    bell /= bell.sum()
    return bell
