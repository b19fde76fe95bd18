"""Numbers that keep the correlations of long rows of values: their projections on fixed random directions."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

PART = 64
"""Bytes of each part of a fingerprint."""
SIGMA = 32
"""int8 units of one standard deviation: the range of int8 holds four of them."""


def project(values: NDArray[np.float32]) -> NDArray[np.int8]:
    """(rows, 64) int8 of (rows, values); no row may be all zeros."""
    projected = values @ _directions(values.shape[1])
    projected *= SIGMA / np.sqrt(np.square(projected).mean(axis=1, keepdims=True))
    rounded: NDArray[np.int8] = np.rint(projected).clip(-127, 127).astype(np.int8)
    return rounded


@lru_cache(maxsize=1)
def _directions(values: int) -> NDArray[np.float32]:
    """(values, 64) random numbers, by the generator whose numbers numpy has promised never to change."""
    return np.random.RandomState(12).standard_normal((values, PART)).astype(np.float32)
