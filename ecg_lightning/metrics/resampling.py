"""Resamples of the records of an evaluation, as weights: how often each record is drawn.

Patients are resampled, not records: several records of one patient are not independent (cluster bootstrap; Davison and
Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.metrics.pairs import Floats

CHUNK = 2**19  # weights at once, 4 MB: they stay near the processor
BLOCK = 64  # draws that are looked at together
ATTEMPTS = 20
"""Draws for each resample with every class, before fewer resamples are returned."""


def resample_weights(records: int, patients: ArrayLike | None, resamples: int, seed: int) -> Iterator[Floats]:
    """Yields how often each record is drawn in each resample, (records, some of the resamples).

    As many patients are drawn, with replacement, as there are; each brings all of its records.

    Args:
        records: the number of records.
        patients: the patient of each record, (records,); each empty name is a patient with this record only. With None,
            every record has its own patient.
        resamples: the number of resamples.
        seed: the same seed draws the same resamples.

    Raises:
        ValueError: unless there is one patient a record.
    """
    cluster = np.arange(records) if patients is None else patient_numbers(patients, records)
    patient_count = int(cluster.max(initial=-1)) + 1
    rng = np.random.default_rng(seed)
    width = max(16, CHUNK // max(1, records))
    for start in range(0, resamples, width):
        draws = np.zeros((min(width, resamples - start), patient_count))
        for row in draws if patient_count else ():
            row[:] = _draw(rng, patient_count)
        yield np.ascontiguousarray(draws.T)[cluster]


def resample_with_every_class(targets: Floats, resamples: int, seed: int) -> tuple[Floats, int]:
    """Draws resamples as the PTB-XL benchmark does: of records, and only those with a positive of every term.

    A term that has no positive at all cannot be asked for, and is not.

    Args:
        targets: 1, 0, or NaN where not annotated, (records, terms).
        resamples: the number of resamples that are wanted.
        seed: the same seed draws the same resamples.

    Returns:
        How often each record is drawn, (records, resamples): fewer resamples where rare terms leave too many of them
        without a positive. And the number of draws that it took.
    """
    records = len(targets)
    positive = (targets == 1).astype(np.float64)
    positive = positive[:, positive.any(axis=0)]
    rng = np.random.default_rng(seed)
    kept: list[Floats] = []
    draws = 0
    while records and len(kept) < resamples and draws < ATTEMPTS * resamples:
        counts = np.array([_draw(rng, records) for _ in range(BLOCK)], np.float64)
        is_whole = ((counts @ positive) > 0).all(axis=1)
        for row, whole in zip(counts, is_whole, strict=True):
            draws += 1
            if whole:
                kept.append(row)
            if len(kept) == resamples or draws == ATTEMPTS * resamples:
                break
    return np.array(kept, np.float64).reshape(len(kept), records).T, draws


def draw_runs(runs: int, resamples: int, seed: int) -> Floats:
    """Draws runs for each resample, where a model is several runs that differ by their seeds.

    Of n runs n - 1 are drawn, with replacement: the variance of their mean is then that of the mean of n runs without bias,
    which matters where n is 2 or 3 (rescaling bootstrap; Rao and Wu, JASA 83, 1988). A single run is always drawn.

    Returns:
        (1 + resamples, runs) the weight of each run, which add up to 1; in the first row, that of the estimate, all are equal.
    """
    weights = np.full((1 + resamples, runs), 1 / runs)
    if runs > 1:
        rng = np.random.default_rng([seed, 1])  # other numbers than those that draw the patients
        drawn = rng.integers(0, runs, (resamples, runs - 1))
        weights[1:] = (drawn[:, :, None] == np.arange(runs)).sum(axis=1) / (runs - 1)
    return weights


def patient_numbers(patients: ArrayLike, records: int) -> NDArray[np.int64]:
    """Returns the number of each record's patient, (records,); each empty name gets a number of its own.

    Raises:
        ValueError: unless there is one patient a record.
    """
    patients = np.asarray(patients)
    if patients.shape != (records,):
        raise ValueError(f"patients have the shape {patients.shape}: give one a record, ({records},)")
    names = patients.astype(str)
    distinct, cluster = np.unique(names, return_inverse=True)
    empty = names == ""
    cluster[empty] = distinct.size + np.arange(np.count_nonzero(empty))
    return np.unique(cluster, return_inverse=True)[1]


def _draw(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Returns how often each of `count` things is drawn in as many draws with replacement."""
    return np.bincount(rng.integers(0, count, count), minlength=count)
