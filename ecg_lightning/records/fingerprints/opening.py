"""The first part of a fingerprint: the first eight seconds from the first sample that is not zero.

The eight independent leads are averaged over 40 ms, which removes the mains at 50 Hz and makes 100 and 500 Hz alike. Each lead
is brought to unit energy. Roots are taken, so that P and T waves and noise count beside the QRS complex. A start that is moved
by up to 4 ms is tolerated, by 10 ms mostly not.
"""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.fingerprints.integral import GRID

_SECONDS = 8
_RATE = 25  # averages a second
EVERY = round(1 / _RATE / GRID)
"""Points of the grid in each average."""
_LEAST_ENERGY = 4e-4  # of the leads' mean: a lead without signal is not blown up to noise


def opening_values(integral: NDArray[np.float64], samples: int, sampling_rate: float) -> NDArray[np.float32]:
    """Averages and scales the opening.

    Args:
        integral: (8, points) its values at every `EVERY` points of the grid, from the first sample that is not zero.
        samples: of the recording from there on.
        sampling_rate: Hz.

    Returns:
        (1, 1600): eight leads of 200 values, zeros where the recording has ended; (0, 1600) where there is no signal.
    """
    count = min(_SECONDS * _RATE, int((samples - 2) / sampling_rate * _RATE), integral.shape[1] - 1)
    values = np.zeros((len(integral), _SECONDS * _RATE), np.float32)
    if count < 1:
        return values.reshape(1, -1)[:0]
    averages = (integral[:, 1 : count + 1] - integral[:, :count]).astype(np.float32)
    averages -= averages.sum(axis=1, keepdims=True) / count  # numpy's mean takes four times as long
    energy = np.einsum("ij,ij->i", averages, averages)[:, None] / count
    if not energy.any():
        return values.reshape(1, -1)[:0]
    averages /= np.sqrt(energy + _LEAST_ENERGY * energy.mean())
    values[:, :count] = np.copysign(np.sqrt(np.abs(averages)), averages)
    return values.reshape(1, -1)
