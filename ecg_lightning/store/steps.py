"""From millivolts at a recording's own rate to what a store holds: steps of 1 µV at the store's rate."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ecg_lightning.records import RecordError

_RATES = (25.0, 100_000.0)  # Hz: from two samples a QRS complex to ten times what any recorder does
_MOST_HOURS = 48.0  # the longest Holter recordings


def to_steps(signal: NDArray[np.float32], rate: float, sampling_rate: int) -> tuple[NDArray[np.int16], bool]:
    """A signal in mV (12, samples) at ``rate`` as (samples, 12) steps of 1 µV at ``sampling_rate``, and whether any was clipped.

    Resampling is polyphase with scipy's anti-aliasing Kaiser window; the line from the first to the last sample is taken
    out meanwhile, so that a baseline offset does not ring at the edges.

    Raises:
        RecordError: "bad sampling rate" or "too long", where a wrong header would have a signal fill the memory.
    """
    if not _RATES[0] <= rate <= _RATES[1]:
        raise RecordError(f"bad sampling rate: {rate:g} Hz, and {_RATES[0]:g} to {_RATES[1]:g} are taken")
    hours = signal.shape[1] / rate / 3600
    if hours > _MOST_HOURS:
        raise RecordError(f"too long: {hours:,.0f} hours of signal, at most {_MOST_HOURS:g} are taken")
    if rate != sampling_rate:
        ratio = (Fraction(sampling_rate) / Fraction(rate)).limit_denominator(10_000)
        signal = resample_poly(signal, ratio.numerator, ratio.denominator, axis=1, padtype="line")
    steps = np.multiply(signal.T, np.float32(1000.0), order="C")
    limit = np.iinfo(np.int16).max
    clipped = bool(max(steps.max(), -steps.min()) >= limit + 0.5)
    if clipped:
        np.clip(steps, -limit, limit, out=steps)
    return np.rint(steps, out=steps).astype(np.int16), clipped
