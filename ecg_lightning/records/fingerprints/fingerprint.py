"""The fingerprint as a whole: 64 bytes of the opening, then 64 of each of three windows around beats."""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.fingerprints.beats import WINDOWS, beat_values
from ecg_lightning.records.fingerprints.directions import PART, SIGMA, project
from ecg_lightning.records.fingerprints.integral import Integral
from ecg_lightning.records.fingerprints.matching import near
from ecg_lightning.records.fingerprints.opening import EVERY, opening_values

OPENING = PART
"""Bytes that describe the opening; an older fingerprint has only these."""
SIZE = OPENING + WINDOWS * PART
"""Bytes of a fingerprint."""
OPENING_THRESHOLD = 0.96
BEATS_THRESHOLD = 0.99
_SECONDS = 10.0  # that are described: of a longer recording the beginning
_INDEPENDENT = (0, 1, 6, 7, 8, 9, 10, 11)  # I, II, V1–V6; the others follow from these
_TOLERANCE = 0.15  # of a part's root mean square, which rounding and clipping change by less
_AT_ONCE = 1 << 16  # rows: some 130 MB

Fingerprints = NDArray[np.int8]


def fingerprint(signal: NDArray[np.number], sampling_rate: float) -> Fingerprints:
    """Describes a recording in few bytes.

    Args:
        signal: (12, samples) in the order of `LEADS`, any unit, every sample finite.
        sampling_rate: Hz.

    Returns:
        (256,) int8. A part is zeros, which match nothing, where there is no signal; so is a window that does not fit.
    """
    if signal.shape[1] and not (signal[:, 0].any() and signal[:, -1].any()):
        present = np.flatnonzero(signal.any(axis=0))
        signal = signal[:, present[0] : present[-1] + 1] if len(present) else signal[:, :0]
    parts = np.zeros((1 + WINDOWS, PART), np.int8)
    leads = signal[_INDEPENDENT, : int(_SECONDS * sampling_rate) + 1].astype(np.float32, copy=False)
    if leads.shape[1] < 2:
        return parts.ravel()
    integral = Integral(leads, sampling_rate)
    on_grid = integral.on_grid()
    opening = opening_values(on_grid[:, ::EVERY], leads.shape[1], sampling_rate)
    if len(opening):  # all parts are projected at once: the directions are larger than the processor's cache
        values = np.concatenate([opening, beat_values(integral, on_grid)])
        parts[: len(values)] = project(values)
    return parts.ravel()


def matching_pairs(a: Fingerprints, b: Fingerprints | None = None) -> NDArray[np.int64]:
    """Finds the pairs of fingerprints that belong to the same recording.

    Args:
        a: (n, 256).
        b: (m, 256), or None for pairs within `a`.

    Returns:
        (pairs, 2): row in `a` and row in `b`, sorted; within `a`, the first is the smaller.
    """
    first, second = np.asarray(a), None if b is None else np.asarray(b)
    openings = near(first[:, :OPENING], None if second is None else second[:, :OPENING], OPENING_THRESHOLD)
    around = near(_windows(first), None if second is None else _windows(second), BEATS_THRESHOLD) // WINDOWS
    if second is None:
        around = around[around[:, 0] != around[:, 1]]  # windows of one recording resemble each other
    pairs: NDArray[np.int64] = np.unique(np.concatenate([openings, around]), axis=0)
    return pairs


def _windows(rows: Fingerprints) -> Fingerprints:
    return rows[:, OPENING:].reshape(-1, PART)


def widened(rows: Fingerprints) -> Fingerprints:
    """(n, 256) of (n, 64): what an older fingerprint does not say is zeros, which match nothing."""
    return np.pad(rows, ((0, 0), (0, SIZE - rows.shape[1])))


def unreadable(rows: Fingerprints) -> NDArray[np.bool_]:
    """(n,) which rows of (n, 256) match nothing that they should: zeros, or numbers that `fingerprint` never gives."""
    bad = np.ones(len(rows), np.bool_)
    for first in range(0, len(rows), _AT_ONCE):
        parts = np.asarray(rows[first : first + _AT_ONCE], np.float32).reshape(-1, SIZE // OPENING, OPENING)
        size = np.sqrt(np.square(parts).mean(axis=2))
        whole = np.abs(size / SIGMA - 1) < _TOLERANCE
        whole[:, 1:] |= size[:, 1:] == 0
        bad[first : first + _AT_ONCE] = ~whole.all(axis=1)
    return bad
