"""Calibration pulses: a device may record, behind the ECG, the same rectangle of a millivolt in all leads at once."""

import numpy as np
from numpy.typing import NDArray

REMOVED = "calibration_removed"
_LEAST_HEIGHT = 0.3  # mV; the pulse has 1 mV, or half of it at half the gain
_FEWEST_LEADS = 3


def without_calibration(
    signal: NDArray[np.float64], is_lead: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Cuts calibration pulses, and what stands between them and the ECG, from both ends of a recording.

    No heart writes the same voltage into all leads, since III = II − I; so nothing of an ECG is cut. Where the ends have no
    pulse (zeros alone, for example), nothing is cut here.

    Args:
        signal: (rows, samples) millivolts.
        is_lead: (rows,) which of them are leads of an ECG.

    Returns:
        The rows without the pulses, and ("calibration_removed",) where there was one.
    """
    leads = signal[is_lead]
    if len(leads) < _FEWEST_LEADS or leads.shape[1] == 0:
        return signal, ()
    differ = np.flatnonzero((leads != leads[0]).any(axis=0))
    if len(differ) == 0:
        return signal, ()
    start, stop = int(differ[0]), int(differ[-1]) + 1
    start = start if _has_pulse(leads[0, :start]) else 0
    stop = stop if _has_pulse(leads[0, stop:]) else leads.shape[1]
    return signal[:, start:stop], (REMOVED,) * (stop - start < leads.shape[1])


def _has_pulse(samples: NDArray[np.float64]) -> bool:
    return bool((np.abs(samples) >= _LEAST_HEIGHT).any())
