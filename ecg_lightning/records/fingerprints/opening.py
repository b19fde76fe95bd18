"""The first part of a fingerprint: the first eight seconds from the first sample that is not zero.

The eight independent leads, averaged over 40 ms (which removes the mains at 50 Hz and makes 100 and 500 Hz alike), each
brought to unit energy, roots taken so that P and T waves and noise count beside the QRS complex, and projected on 64 fixed
random directions, which keeps correlations. A start moved by up to 4 ms is tolerated, by 10 ms mostly not.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.fingerprints.directions import describe

OPENING = 64
"""Bytes of the description."""
_SECONDS = 8
_RATE = 25
_LEAST_ENERGY = 4e-4  # of the leads' mean: a lead without signal is not blown up to noise


def describe_opening(leads: NDArray[np.float32], sampling_rate: float) -> NDArray[np.int8]:
    """Describes the opening.

    Args:
        leads: (8, samples) from the first sample that is not zero.
        sampling_rate: Hz.

    Returns:
        (64,) int8; zeros where there is no signal.
    """
    stop = int((_SECONDS + 1 / _RATE) * sampling_rate) + 2
    blocks = _average(leads[:, :stop], sampling_rate)
    blocks -= blocks.sum(axis=1, keepdims=True) / blocks.shape[1]  # numpy's mean takes four times as long
    energy = np.square(blocks).sum(axis=1, keepdims=True) / blocks.shape[1]
    if not energy.any():
        return np.zeros(OPENING, np.int8)
    blocks /= np.sqrt(energy + _LEAST_ENERGY * energy.mean())
    shape = np.zeros((len(leads), _SECONDS * _RATE), np.float32)
    shape[:, : blocks.shape[1]] = np.copysign(np.sqrt(np.abs(blocks)), blocks)
    return describe(shape.ravel(), OPENING)


def _average(leads: NDArray[np.float32], sampling_rate: float) -> NDArray[np.float32]:
    """Averages the straight line through the samples over blocks of 1 / 25 s, at any sampling rate."""
    count = min(_SECONDS * _RATE, int((leads.shape[1] - 2) / sampling_rate * _RATE))
    if count < 1:
        return np.zeros((len(leads), 1), np.float32)
    edges, before, after = _edges(count, sampling_rate)
    ends = leads.take(edges, axis=1) * before + leads.take(edges + 1, axis=1) * after
    sums: NDArray[np.float32] = np.add.reduceat(leads[:, : edges[-1]], edges[:-1], axis=1)
    sums += ends[:, 1:] - ends[:, :-1]
    return sums


@lru_cache(maxsize=64)
def _edges(count: int, sampling_rate: float) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
    """The sample before each edge of the blocks, and the weights of it and of the next one.

    The trapezoidal rule: half a sample at each edge, and the part of the step beyond it.
    """
    edges = np.arange(count + 1) * (sampling_rate / _RATE)
    whole = edges.astype(np.intp)
    part = (edges - whole).astype(np.float32)
    after = 0.5 * part * part
    return whole, part + np.float32(0.5) - after, after
