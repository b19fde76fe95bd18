"""From millivolts at a recording's own rate to what a store holds: whole microvolts at the store's rate."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records import RecordError
from ecg_lightning.store.resampling import resampled

_RATES = (25.0, 100_000.0)  # Hz: from two samples a QRS complex to ten times what any recorder does
_MOST_HOURS = 48.0  # the longest Holter recordings


def to_microvolts(signal: NDArray[np.float32], rate: float, sampling_rate: int) -> tuple[NDArray[np.int16], bool]:
    """Resamples a signal and rounds it to microvolts.

    Args:
        signal: (12, samples) millivolts.
        rate: Hz of the signal.
        sampling_rate: Hz of the store.

    Returns:
        (samples, 12) int16 microvolts at the store's rate, and whether any value was beyond ±32.767 mV and was clipped.

    Raises:
        RecordError: "bad sampling rate" or "too long", where a wrong header would have a signal fill the memory.
    """
    if not _RATES[0] <= rate <= _RATES[1]:
        raise RecordError(f"bad sampling rate: {rate:g} Hz. It must be between {_RATES[0]:g} and {_RATES[1]:g} Hz")
    hours = signal.shape[1] / rate / 3600
    if hours > _MOST_HOURS:
        raise RecordError(f"too long: {hours:,.0f} hours of signal. At most {_MOST_HOURS:g} hours are packed")
    if rate != sampling_rate:
        signal = resampled(signal, (Fraction(sampling_rate) / Fraction(rate)).limit_denominator(10_000))
    microvolts = np.multiply(signal.T, np.float32(1000.0), order="C")
    limit = np.iinfo(np.int16).max
    clipped = bool(max(microvolts.max(), -microvolts.min()) >= limit + 0.5)
    if clipped:
        np.clip(microvolts, -limit, limit, out=microvolts)
    return np.rint(microvolts, out=microvolts).astype(np.int16), clipped
