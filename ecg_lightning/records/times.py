"""The sampling rate that a column of times says, in any unit of time."""

from math import isclose

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.record import RecordError

RATES = (30.0, 50_000.0)
"""Hz between which an ECG is sampled: 50 Hz and less on wearables, 32 kHz where pacemaker spikes are looked for."""
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_UNIT_NAMES = {
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "sekunden": "s", "ms": "ms", "msec": "ms",
    "millisecond": "ms", "milliseconds": "ms", "us": "us", "µs": "us", "μs": "us", "usec": "us", "microseconds": "us",
    "ns": "ns", "nanoseconds": "ns",
}  # fmt: skip
_JITTER = 0.1  # of a step, up to which times are even
_MOST_DECIMALS = 9


def check_plausible_rate(rate: float) -> None:
    """Raises `RecordError` where no ECG is sampled at such a rate, which may be NaN."""
    if not RATES[0] <= rate <= RATES[1]:
        raise RecordError(f"bad sampling rate: {rate:g} Hz; an ECG has {RATES[0]:g} to {RATES[1]:,.0f} Hz")


def check_rate(rate: float, expected: float | None, origin: str = "in the file") -> None:
    """Raises `RecordError` where a file's rate is not the expected one to a thousandth."""
    if expected is not None and not isclose(rate, expected, rel_tol=1e-3):
        raise RecordError(f"contradictory sampling rate: {rate:g} Hz {origin}, expected {expected:g} Hz")


def time_unit(text: str) -> str:
    """Seconds, milliseconds … as `s`, `ms`, `us`, `ns`; "" for any other text."""
    return _UNIT_NAMES.get(text.strip().casefold().rstrip("."), "")


def is_count(values: NDArray[np.float64]) -> bool:
    """Whether values are an index: whole numbers that rise by one."""
    return len(values) > 1 and bool(values[0] == np.rint(values[0]) and np.all(np.diff(values) == 1))


def rate_of_times(values: NDArray[np.float64], unit: str = "") -> float:
    """The sampling rate in Hz that even times say.

    Args:
        values: one a sample.
        unit: s, ms, us or ns; where it is not given, the first of these with which the rate is one of an ECG.

    Raises:
        RecordError: "uneven times", or "bad sampling rate".
    """
    if len(values) < 2 or not np.isfinite(values).all():
        raise RecordError("uneven times: a cell of the column of times is empty or not a number; remove the column")
    smallest = 4 * float(np.spacing(np.abs(values).max()))  # a time of day since 1970 has steps of 0.2 µs
    values = values - values[0]
    numbers = np.arange(len(values)) - (len(values) - 1) / 2
    step = float(numbers @ (values - values.mean()) / (numbers @ numbers))
    steps = np.diff(values)
    rounding = max(_rounding(values, smallest), smallest)
    line = values.mean() + step * numbers
    even = bool(np.all(np.abs(steps - np.median(steps)) <= _JITTER * np.median(steps)))
    even |= bool(np.abs(values - line).max() <= 0.51 * rounding + smallest)
    if not step > 0 or not even:
        worst = int(np.argmax(np.abs(steps - np.median(steps))))
        raise RecordError(
            f"uneven times: from sample {worst + 1} to {worst + 2} they go from {values[worst]:g} to {values[worst + 1]:g}, "
            f"and mostly by {np.median(steps):g}; bring the signal to one rate, or remove the column"
        )
    units = [unit] if unit else [*_SECONDS]
    rates = [1 / (step * _SECONDS[name]) for name in units]
    rate = next((rate for rate in rates if RATES[0] <= rate <= RATES[1]), rates[0])
    check_plausible_rate(rate)
    # Rounded times say the rate no better than this; a whole number of Hz is meant.
    uncertain = rounding / (step * len(values)) + 1e-6
    return float(round(rate)) if abs(rate - round(rate)) <= uncertain * rate else rate


def _rounding(values: NDArray[np.float64], error: float) -> float:
    """The last decimal place of values that are right to within an error: 0.001 where all are multiples of it, else 0."""
    for decimals in range(-_MOST_DECIMALS, _MOST_DECIMALS):
        place = 10.0**-decimals
        if np.all(np.abs(values - np.rint(values / place) * place) <= 2 * error):
            return place
    return 0.0
