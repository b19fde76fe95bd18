"""Confidence intervals of AUROC, and of the difference of two models on the same records, by the bootstrap.

Patients are resampled, not records: several recordings of one patient are not independent (cluster bootstrap; Davison
and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). Intervals are percentiles.

A term that has no positive or no negative in a resample has no AUROC there: that resample is left out of the term's
interval, and the term out of that resample's macro average. `Interval.resamples` says how many were used.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from ecg_lightning.metrics.pairs import Booleans, Floats, annotated_terms, checked
from ecg_lightning.metrics.ranking import auroc, macro

CHUNK = 2**19  # weights at once, 4 MB: they stay near the processor


class Interval(NamedTuple):
    """An estimate on all records, and its bounds; NaN where there is none."""

    estimate: float
    low: float
    high: float
    resamples: int


class Intervals(NamedTuple):
    """One interval a term, in the order of the terms, and that of their macro average."""

    terms: list[Interval]
    macro: Interval


def auroc_intervals(
    scores: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Intervals:
    """Percentile intervals of each term's AUROC and of their macro average.

    Args:
        scores: probabilities or logits, (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        patients: who each record is of, (records,); an empty name is somebody not seen elsewhere. Without it, every
            record is its own patient.
        level: the intervals' confidence.
        resamples: how many.
        seed: the same seed draws the same resamples.
    """
    return _intervals(_with_estimate(scores, targets, patients, resamples, seed), level)


def auroc_differences(
    scores: ArrayLike,
    baseline: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Intervals:
    """Percentile intervals of the paired difference, AUROC of `scores` minus that of `baseline`, as `auroc_intervals`.

    Both models are evaluated on the same records in every resample, so what is hard for both cancels: the interval is
    much narrower than those of the two models suggest, and 0 outside of it is evidence that they differ.
    """
    model = _with_estimate(scores, targets, patients, resamples, seed)
    other = _with_estimate(baseline, targets, patients, resamples, seed)
    return _intervals(model - other, level)


def resampled_auroc(
    scores: ArrayLike, targets: ArrayLike, patients: ArrayLike | None = None, *, resamples: int = 1000, seed: int = 0
) -> Floats:
    """AUROC of each term in each resample, (resamples, terms); NaN where a resample lacks a class of the term.

    Exact under ties. The scores are sorted once: a resample only changes how often each record counts, and AUROC needs
    no more of these weights than their sums over runs of neighbours of one class, which is one pass over the records.
    """
    scores, targets = checked(scores, targets)
    runs = [
        (term, *_class_runs(column, positive, np.flatnonzero(~np.isnan(targets[:, term])), len(targets)))
        for term, column, positive in annotated_terms(scores, targets)
    ]
    areas = np.full((resamples, targets.shape[1]), np.nan)
    done = 0
    for weights in resample_weights(len(targets), patients, resamples, seed):
        chunk = slice(done, done + weights.shape[1])
        for term, positive_runs, negative_runs in runs:
            positives, negatives = positive_runs @ weights, negative_runs @ weights
            below = np.cumsum(negatives, axis=0) - negatives / 2  # those in the same run are ties: ½
            with np.errstate(invalid="ignore"):  # 0/0 where a class is absent
                areas[chunk, term] = np.einsum("rb,rb->b", positives, below) / (positives.sum(0) * negatives.sum(0))
        done = chunk.stop
    return areas


def resample_weights(records: int, patients: ArrayLike | None, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield how often each record is drawn in each resample, (records, some of the resamples).

    As many patients are drawn, with replacement, as there are; each brings all of its records.

    Raises:
        ValueError: unless there is one patient a record.
    """
    cluster = np.arange(records) if patients is None else _clusters(np.asarray(patients), records)
    count = int(cluster.max(initial=-1)) + 1
    rng = np.random.default_rng(seed)
    width = max(16, CHUNK // max(1, records))
    for start in range(0, resamples, width):
        drawn = np.empty((min(width, resamples - start), count))
        for row in drawn:
            row[:] = np.bincount(rng.integers(0, count, count), minlength=count) if count else 0
        yield np.ascontiguousarray(drawn.T)[cluster]


def _clusters(patients: NDArray[np.generic], records: int) -> NDArray[np.int64]:
    if patients.shape != (records,):
        raise ValueError(f"patients have the shape {patients.shape}: give one a record, ({records},)")
    known, cluster = np.unique(patients.astype(str), return_inverse=True)
    unknown = patients.astype(str) == ""
    cluster[unknown] = known.size + np.arange(np.count_nonzero(unknown))
    return np.unique(cluster, return_inverse=True)[1]


def _class_runs(
    scores: Floats, positive: Booleans, rows: NDArray[np.int64], records: int
) -> tuple[csr_array, csr_array]:
    """Sum weights over runs: of neighbours in score that are all positive, all negative, or tied.

    Returns:
        One matrix for the positives, one for the negatives, each (runs, records), runs in ascending order of score.
    """
    levels, level = np.unique(scores, return_inverse=True)
    hits, alarms = (np.bincount(level[one], minlength=levels.size) > 0 for one in (positive, ~positive))
    starts = (hits & alarms) | (hits != np.roll(hits, 1)) | (alarms != np.roll(alarms, 1))
    starts[0] = False  # the first run is number 0
    run = np.cumsum(starts)[level]
    shape = (int(run.max()) + 1, records)
    one, many = (csr_array((np.ones(c.sum()), (run[c], rows[c])), shape=shape) for c in (positive, ~positive))
    return one, many


def _with_estimate(
    scores: ArrayLike, targets: ArrayLike, patients: ArrayLike | None, resamples: int, seed: int
) -> Floats:
    """The AUROC on all records, then that of each resample, (1 + resamples, terms)."""
    return np.vstack(
        [auroc(scores, targets), resampled_auroc(scores, targets, patients, resamples=resamples, seed=seed)]
    )


def _intervals(values: Floats, level: float) -> Intervals:
    return Intervals(
        [_interval(term, level) for term in values.T], _interval(np.array([macro(row) for row in values]), level)
    )


def _interval(values: Floats, level: float) -> Interval:
    """From the estimate, followed by the resamples' values."""
    defined = values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]) if defined.size else (np.nan, np.nan)
    return Interval(float(values[0]), float(low), float(high), defined.size)
