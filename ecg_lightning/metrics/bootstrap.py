"""Confidence intervals of AUROC, and of the difference of two models on the same records, by the bootstrap.

Patients are resampled, not records: several records of one patient are not independent (cluster bootstrap; Davison and
Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). Intervals are percentiles.

A model may be several networks, for example of several seeds. Its AUROC is then the mean over the networks.

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
    """An estimate on all records, its bounds, and the number of resamples behind them; NaN where there is none."""

    estimate: float
    low: float
    high: float
    resamples: int


class Intervals(NamedTuple):
    """The interval of each term, in the order of the terms, and that of their macro average."""

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
    """Computes percentile intervals of each term's AUROC and of their macro average.

    Args:
        scores: probabilities or logits of one network, (records, terms), or of several, (networks, records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        patients: the patient of each record, (records,); each empty name is a patient with this record only. With None,
            every record has its own patient.
        level: the intervals' confidence.
        resamples: the number of resamples.
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
    """Computes intervals of the paired difference, AUROC of `scores` minus that of `baseline`; arguments as of `auroc_intervals`.

    Both models are evaluated on the same records in every resample, so that records that are hard for both cancel. The
    interval is much narrower than those of the two models suggest. If 0 is outside of it, the models differ.
    """
    minuend = _with_estimate(scores, targets, patients, resamples, seed)
    subtrahend = _with_estimate(baseline, targets, patients, resamples, seed)
    return _intervals(minuend - subtrahend, level)


def resampled_auroc(
    scores: ArrayLike, targets: ArrayLike, patients: ArrayLike | None = None, *, resamples: int = 1000, seed: int = 0
) -> Floats:
    """Computes AUROC of each term in each resample, (resamples, terms); NaN where a resample lacks a class of the term.

    Exact under ties. The scores are sorted once: a resample only changes how often each record counts, and AUROC needs
    only the sums of these weights over runs of neighbours of one class, which is one pass over the records.
    """
    scores, targets = checked(scores, targets)
    runs = [
        (term, *_class_runs(column, positive, np.flatnonzero(~np.isnan(targets[:, term])), len(targets)))
        for term, column, positive in annotated_terms(scores, targets)
    ]
    areas = np.full((resamples, targets.shape[1]), np.nan)
    start = 0
    for weights in resample_weights(len(targets), patients, resamples, seed):
        chunk = slice(start, start + weights.shape[1])
        for term, positive_runs, negative_runs in runs:
            positives, negatives = positive_runs @ weights, negative_runs @ weights
            below = np.cumsum(negatives, axis=0) - negatives / 2  # those in the same run are ties: ½
            with np.errstate(invalid="ignore"):  # 0/0 where a class is absent
                areas[chunk, term] = np.einsum("rb,rb->b", positives, below) / (positives.sum(0) * negatives.sum(0))
        start = chunk.stop
    return areas


def resample_weights(records: int, patients: ArrayLike | None, resamples: int, seed: int) -> Iterator[Floats]:
    """Yields how often each record is drawn in each resample, (records, some of the resamples).

    As many patients are drawn, with replacement, as there are; each brings all of its records.

    Raises:
        ValueError: unless there is one patient a record.
    """
    cluster = np.arange(records) if patients is None else _clusters(np.asarray(patients), records)
    patient_count = int(cluster.max(initial=-1)) + 1
    rng = np.random.default_rng(seed)
    width = max(16, CHUNK // max(1, records))
    for start in range(0, resamples, width):
        draws = np.zeros((min(width, resamples - start), patient_count))
        for row in draws if patient_count else ():
            row[:] = np.bincount(rng.integers(0, patient_count, patient_count), minlength=patient_count)
        yield np.ascontiguousarray(draws.T)[cluster]


def _clusters(patients: NDArray[np.generic], records: int) -> NDArray[np.int64]:
    """Returns the number of each record's patient, (records,); each empty name gets a number of its own."""
    if patients.shape != (records,):
        raise ValueError(f"patients have the shape {patients.shape}: give one a record, ({records},)")
    names = patients.astype(str)
    distinct, cluster = np.unique(names, return_inverse=True)
    empty = names == ""
    cluster[empty] = distinct.size + np.arange(np.count_nonzero(empty))
    return np.unique(cluster, return_inverse=True)[1]


def _class_runs(
    scores: Floats, positive: Booleans, rows: NDArray[np.int64], records: int
) -> tuple[csr_array, csr_array]:
    """Returns matrices that sum weights over runs: of neighbours in score that are all positive, all negative, or tied.

    Returns:
        One matrix for the positives, one for the negatives, each (runs, records), runs in ascending order of score.
    """
    levels, level = np.unique(scores, return_inverse=True)
    hits, alarms = (np.bincount(level[of_class], minlength=levels.size) > 0 for of_class in (positive, ~positive))
    starts = (hits & alarms) | (hits != np.roll(hits, 1)) | (alarms != np.roll(alarms, 1))
    starts[0] = False  # the first run is number 0
    run = np.cumsum(starts)[level]
    shape = (int(run.max()) + 1, records)
    positive_sums, negative_sums = (
        csr_array((np.ones(of_class.sum()), (run[of_class], rows[of_class])), shape=shape)
        for of_class in (positive, ~positive)
    )
    return positive_sums, negative_sums


def _with_estimate(
    scores: ArrayLike, targets: ArrayLike, patients: ArrayLike | None, resamples: int, seed: int
) -> Floats:
    """Computes the AUROC on all records, then that in each resample, (1 + resamples, terms); the mean over networks."""
    networks = np.asarray(scores, np.float64)
    samples = [
        np.vstack([auroc(each, targets), resampled_auroc(each, targets, patients, resamples=resamples, seed=seed)])
        for each in (networks if networks.ndim == 3 else networks[None])
    ]
    means: Floats = np.mean(samples, axis=0)
    return means


def _intervals(values: Floats, level: float) -> Intervals:
    """Computes the intervals from (1 + resamples, terms) values, the estimates first."""
    return Intervals(
        [_interval(term, level) for term in values.T], _interval(np.array([macro(row) for row in values]), level)
    )


def _interval(values: Floats, level: float) -> Interval:
    """Computes the interval from (1 + resamples,) values, the estimate first."""
    defined = values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]) if defined.size else (np.nan, np.nan)
    return Interval(float(values[0]), float(low), float(high), defined.size)
