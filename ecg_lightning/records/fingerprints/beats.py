"""The second part of a fingerprint: what surrounds three heart beats, wherever the recording begins.

The first two beats and the last one around which a window of four seconds fits are looked for in the first ten seconds. A
window is described in time counted from its beat, so a start that was moved changes nothing, and another recording that
shares some five seconds has a beat in common. What changes more slowly than in 0.2 s is taken out and the rest averaged
over 40 ms, so that filters of the usual kind change little.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from ecg_lightning.records.fingerprints.integral import GRID, SMOOTH, Integral

WINDOWS = 3
_LENGTH = 4.0  # s of a window
_BEFORE = 0.3  # s of a window before its beat
# A window's values are 20 ms apart: averages over 40 ms less those over 200 ms, so over two and over ten steps.
_STEP, _NARROW, _WIDE = 0.02, 2, 10
_VALUES = round(_LENGTH / _STEP)
_FROM_BEAT = np.arange(_VALUES + _WIDE) * _STEP - _BEFORE - (_WIDE - 1) / 2 * _STEP  # s: a window's points
_LEAST_ENERGY = 4e-4  # of the leads' mean: a lead without signal is not blown up to noise
_APART = 0.25  # s: the least distance of two beats
_LEAST_SLOPE = 0.3  # of the median: a beat's least steepness, squared


def beat_values(integral: Integral, on_grid: NDArray[np.float64]) -> NDArray[np.float32]:
    """Averages and scales the windows around beats.

    Args:
        integral: of eight leads from the first sample that is not zero.
        on_grid: (8, points) its values on the grid.

    Returns:
        (windows, 1600): up to three windows of 200 values of eight leads.
    """
    nothing = np.empty((0, _VALUES * len(on_grid)), np.float32)
    if integral.seconds < _LENGTH:
        return nothing
    beats = _beats(on_grid, integral.sampling_rate)
    beats = beats[(beats >= _BEFORE) & (beats - _BEFORE + _LENGTH <= integral.seconds)].tolist()
    if not beats:
        return nothing
    beats = np.array(sorted({*beats[:2], beats[-1]}))
    points = integral.until(beats[:, None] + _FROM_BEAT)
    first = (_WIDE - _NARROW) // 2
    values = (points[..., first + _NARROW : first + _NARROW + _VALUES] - points[..., first : first + _VALUES]) / _NARROW
    values -= (points[..., _WIDE:] - points[..., :_VALUES]) / _WIDE
    energy = np.einsum("ijk,ijk->ij", values, values) / _VALUES  # (leads, windows)
    mean = energy.mean(axis=0)
    if not mean.all():
        return nothing
    values /= (np.sqrt(mean) * (energy / mean + _LEAST_ENERGY) ** 0.25)[..., None]
    return values.transpose(1, 2, 0).astype(np.float32, order="C").reshape(len(beats), -1)


def _beats(on_grid: NDArray[np.float64], sampling_rate: float) -> NDArray[np.float64]:
    """The times of the steepest places, between the points of the grid by a parabola."""
    smooth = (on_grid[:, SMOOTH:] - on_grid[:, :-SMOOTH]) / (SMOOTH * GRID * sampling_rate)
    slope = smooth[:, 2:] - smooth[:, :-2]
    slope *= slope
    each = slope.mean(axis=1)
    if not each.any():
        return np.zeros(0)
    steepness = np.convolve((1 / np.sqrt(each + _LEAST_ENERGY * each.mean())) @ slope, _kernel(), "same")
    around = maximum_filter1d(steepness, 2 * round(_APART / GRID) + 1, mode="constant")
    peaks = np.flatnonzero((steepness >= around) & (steepness > _LEAST_SLOPE * _median(around)))
    peaks = peaks[(peaks > 0) & (peaks < len(steepness) - 1)]
    left, top, right = steepness[peaks - 1], steepness[peaks], steepness[peaks + 1]
    bend = left - 2 * top + right
    beside = np.divide(0.5 * (left - right), bend, out=np.zeros(len(peaks)), where=bend < 0)
    times: NDArray[np.float64] = (peaks + 1 + beside + SMOOTH / 2) * GRID
    return times


def _median(values: NDArray[np.float64]) -> float:
    """As np.median, which takes four times as long."""
    half = len(values) // 2
    ordered = np.partition(values, (half - 1, half))
    return float(ordered[half] if len(values) % 2 else 0.5 * (ordered[half - 1] + ordered[half]))


@lru_cache(maxsize=1)
def _kernel() -> NDArray[np.float64]:
    """A bell of 120 ms."""
    bell: NDArray[np.float64] = np.hanning(round(0.12 / GRID) + 3)
    bell /= bell.sum()
    return bell
