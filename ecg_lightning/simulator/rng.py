"""Random numbers addressed by (seed, record, name, position), so that a record is the same in whatever batch it is drawn."""

from functools import cache
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit integers with the SplitMix64 finaliser (Steele, Lea and Flood 2014)."""
    x = x ^ (x >> np.uint64(30))
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


@cache
def _quantiles() -> NDArray[np.float32]:
    """Standard normal quantiles of the 65,536 midpoints: a table makes four normals of one 64-bit number."""
    return ndtri((np.arange(65536) + 0.5) / 65536).astype(np.float32)


class Draws:
    """Independent random numbers for a batch of records.

    Each method takes the name of what is drawn; the same (seed, key, name) always gives the same numbers.

    Args:
        seed: the archive's seed.
        keys: non-negative integers, one a record (its number, or that of its patient).
    """

    def __init__(self, seed: int, keys: ArrayLike) -> None:
        start = _mix(np.array([seed + 1], np.uint64) * _GOLDEN)
        self.keys = _mix(np.asarray(keys, np.uint64) * _GOLDEN + start)
        self.n = len(self.keys)

    def _bits(self, name: str, count: int) -> NDArray[np.uint64]:
        stream = _mix(self.keys ^ np.uint64(crc32(name.encode()) << 29))
        return _mix(stream[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)

    def uniform(
        self, name: str, low: ArrayLike = 0.0, high: ArrayLike = 1.0, shape: tuple[int, ...] = ()
    ) -> NDArray[np.float32]:
        """Uniform in [low, high), of shape (records, *shape); low and high broadcast against it."""
        count = int(np.prod(shape))
        unit = (self._bits(name, count) >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)
        low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        return np.asarray(low + (high - low) * unit.reshape(self.n, *shape), np.float32)

    def normal(self, name: str, shape: tuple[int, ...] = ()) -> NDArray[np.float32]:
        """Standard normal, of shape (records, *shape)."""
        count = int(np.prod(shape))
        shorts = self._bits(name, -(-count // 4)).view(np.uint16)[:, :count]
        return np.take(_quantiles(), shorts, mode="wrap").reshape(self.n, *shape)

    def chance(self, name: str, probability: ArrayLike) -> NDArray[np.bool_]:
        """True with the given probability, (records,)."""
        return self.uniform(name) < np.asarray(probability, np.float32)

    def choice(self, name: str, weights: ArrayLike) -> NDArray[np.intp]:
        """Index drawn with the given weights, (choices,) or (records, choices)."""
        edges = np.cumsum(np.asarray(weights, np.float64), axis=-1)
        u = self.uniform(name) * edges[..., -1]
        return np.asarray((u[:, None] >= edges[..., :-1]).sum(1), np.intp)
