"""Pairs of rows that correlate, found without comparing all with all."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_SIZE = 64
# Candidates share one of 16 keys. Two rows that correlate by 0.99 share one of 18 bits with p > 0.9999, by 0.96 with 0.95,
# and two that do not correlate with 16 / 2^18. Windows around beats resemble each other, many by 0.5 and more, so that a
# high threshold takes longer keys: 0.998 shares one of 48 bits with p > 0.999, 0.99 with 0.84, and 0.5 with 6e-8.
_BANDS, _BITS, _MANY_BITS = 16, 18, 48
_HIGH = 0.98
_CHUNK = 1 << 18  # pairs compared at a time: some 130 MB


def near(a: NDArray[np.int8], b: NDArray[np.int8] | None, threshold: float) -> NDArray[np.int64]:
    """Finds the pairs of rows with at least a correlation.

    Args:
        a: (n, 64).
        b: (m, 64), or None for pairs within `a`.
        threshold: least correlation.

    Returns:
        (pairs, 2): row in `a` and row in `b`, sorted; within `a`, the first is the smaller.
    """
    first = _unit(a)
    second = first if b is None else _unit(b)
    pairs = [np.zeros(0, np.int64)]
    for planes in _planes(_MANY_BITS if threshold > _HIGH else _BITS):
        keys = _keys(first, planes)
        for i, j in _candidates(keys, keys if b is None else _keys(second, planes)):
            if b is None:
                later = i < j
                i, j = i[later], j[later]
            same = np.einsum("ij,ij->i", first[i], second[j]) >= threshold
            pairs.append(i[same] * len(second) + j[same])
    return np.stack(np.divmod(np.unique(np.concatenate(pairs)), max(1, len(second))), axis=1)


@lru_cache(maxsize=2)
def _planes(bits: int) -> NDArray[np.float32]:
    return np.random.RandomState(1).standard_normal((_BANDS, _SIZE, bits)).astype(np.float32)


def _unit(rows: NDArray[np.int8]) -> NDArray[np.float32]:
    """Normalises rows; zeros stay zeros."""
    values = np.asarray(rows, np.float32).reshape(-1, _SIZE)
    unit: NDArray[np.float32] = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1)
    return unit


def _keys(rows: NDArray[np.float32], planes: NDArray[np.float32]) -> NDArray[np.int64]:
    """On which side of each plane a row lies, as one number; -1 for zeros."""
    keys = np.zeros(len(rows), np.int64)
    for bit in range(planes.shape[1]):
        keys |= (rows @ planes[:, bit] > 0).astype(np.int64) << bit
    keys[~rows.any(axis=1)] = -1
    return keys


def _candidates(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of rows with the same key, some at a time; key -1 has none."""
    order = np.argsort(second, kind="stable")
    ordered = second[order]
    left = np.searchsorted(ordered, first, "left")
    counts = np.where(first < 0, 0, np.searchsorted(ordered, first, "right") - left)
    ends = np.cumsum(counts)
    start = 0
    while start < len(first):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _CHUNK, "right")))
        rows = np.repeat(np.arange(start, stop), counts[start:stop])
        within = np.arange(len(rows)) - np.repeat(ends[start:stop] - counts[start:stop] - done, counts[start:stop])
        yield rows, order[left[rows] + within]
        start = stop
