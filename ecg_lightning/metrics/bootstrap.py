"""Intervals of metrics, and of the differences of two models on the same records, by the bootstrap.

Each resample draws patients with all their records, see `resampling`. A model may be several runs that differ by their seeds. Its
metric is then the mean over the runs, and each resample also draws runs (hierarchical bootstrap): the interval says how the mean
would vary with other patients and other seeds. The interval of one run says nothing of other seeds.

Intervals are percentiles. A term that has no positive or no negative in a resample has no AUROC there: that resample is left out
of the term's interval, and the term out of that resample's macro average. `resamples` says how many were used. A number that
rests on a single positive patient, or a single negative one, has no interval (`without_single_patients`). The calibration
error of a resample is larger than that of the records themselves, because the bootstrap adds its own noise to every bin: where
it is small, its interval lies above it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.metrics.outputs import Outputs
from ecg_lightning.metrics.pairs import Floats, checked
from ecg_lightning.metrics.ranks import Ranks
from ecg_lightning.metrics.resampled import (
    Meter,
    Resampled,
    joined,
    mean_of_existing,
    with_all_records,
    without_single_patients,
)
from ecg_lightning.metrics.resampling import draw_runs

RESAMPLES = 1000
LEVEL = 0.95
UNPAIRED = 2**32 - 1
"""The seed by which the runs of a second model are drawn, where they are no pairs with those of the first."""


class Interval(NamedTuple):
    """An estimate on all records, its bounds, and the number of resamples behind them; NaN where there is none."""

    estimate: float
    low: float
    high: float
    resamples: int


class Difference(NamedTuple):
    """A paired difference with its bounds, the number of resamples, and the p-value of the hypothesis that it is 0."""

    estimate: float
    low: float
    high: float
    resamples: int
    p: float


class Intervals(NamedTuple):
    """The interval of each term, in the order of the terms, and that of their macro average."""

    terms: list[Interval]
    macro: Interval


class Differences(NamedTuple):
    """The paired difference of each term, in the order of the terms, and that of their macro average."""

    terms: list[Difference]
    macro: Difference


@dataclass(frozen=True)
class Comparison:
    """Paired differences of every metric.

    Attributes:
        terms: by metric, one for each term.
        averages: by average, then by metric.
    """

    terms: dict[str, list[Difference]]
    averages: dict[str, dict[str, Difference]]


def auroc_intervals(
    scores: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Intervals:
    """Computes percentile intervals of each term's AUROC and of their macro average.

    Args:
        scores: probabilities or logits of one run, (records, terms), or of several, (runs, records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        patients: the patient of each record, (records,); each empty name is a patient with this record only. With None,
            every record has its own patient.
        level: the intervals' confidence.
        resamples: the number of resamples.
        seed: the same seed draws the same resamples.
    """
    values = _areas(scores, targets, patients, resamples, seed)
    of_terms = _without_single_patients(values, targets, patients)
    return Intervals(intervals_of(of_terms, level), interval(mean_of_existing(values, axis=1), level))


def auroc_differences(
    scores: ArrayLike,
    baseline: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Differences:
    """Computes intervals of the paired difference, AUROC of `scores` minus that of `baseline`; arguments as of `auroc_intervals`.

    Both models are evaluated on the same records in every resample, so that records that are hard for both cancel. The
    interval is much narrower than those of the two models suggest. If 0 is outside of it, the models differ. Where both are as
    many runs, run k of one is drawn together with run k of the other, since they share a seed.
    """
    minuend = _areas(scores, targets, patients, resamples, seed)
    subtrahend = _areas(baseline, targets, patients, resamples, seed, _other_runs(scores, baseline))
    values = minuend - subtrahend
    of_terms = _without_single_patients(values, targets, patients)
    return Differences(
        [difference(term, level) for term in of_terms.T], difference(mean_of_existing(values, axis=1), level)
    )


def compare(
    first: Sequence[Outputs],
    second: Sequence[Outputs],
    patients: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Computes paired differences, the first model minus the second, of every metric and average.

    Args:
        first: the runs of one model.
        second: the runs of the other, on the same records.
        patients: the patient of each record, (records,), see `auroc_intervals`.
        level: the intervals' confidence.
        resamples: the number of resamples.
        seed: the same seed draws the same resamples.
    """
    meters = [[Meter(outputs) for outputs in model] for model in (first, second)]
    chunks: list[list[list[Resampled]]] = [[[] for _ in model] for model in meters]
    for weights in with_all_records(len(first[0]), patients, resamples, seed):
        for model, parts in zip(meters, chunks, strict=True):
            for meter, part in zip(model, parts, strict=True):
                part.append(meter.measure(weights))
    seeds = (seed, seed if len(first) == len(second) else UNPAIRED)
    minuend, subtrahend = (
        without_single_patients(
            _mean_of_runs([joined(part) for part in parts], seed_of_runs), first[0].targets, patients
        )
        for parts, seed_of_runs in zip(chunks, seeds, strict=True)
    )
    common = [name for name in minuend.terms if name in subtrahend.terms]
    return Comparison(
        {name: [difference(v, level) for v in (minuend.terms[name] - subtrahend.terms[name]).T] for name in common},
        {
            average: {name: difference(of_first[name] - subtrahend.averages[average][name], level) for name in common}
            for average, of_first in minuend.averages.items()
        },
    )


def intervals(values: Mapping[str, Floats], level: float = LEVEL) -> dict[str, Interval]:
    """Computes the interval of each metric, from (1 + resamples,) values each, the estimate first."""
    return {name: interval(of_metric, level) for name, of_metric in values.items()}


def interval(values: Floats, level: float = LEVEL) -> Interval:
    """Computes the interval from (1 + resamples,) values, the estimate first."""
    return intervals_of(values[:, None], level)[0]


def intervals_of(values: Floats, level: float = LEVEL) -> list[Interval]:
    """Computes the interval of each column of (1 + resamples, columns) values, the estimates first."""
    ordered = np.sort(values[1:], axis=0)  # NaN last
    counts = np.where(np.isnan(values[0]), 0, np.count_nonzero(~np.isnan(ordered), axis=0))
    low, high = (_quantiles(ordered, counts, share) for share in ((1 - level) / 2, (1 + level) / 2))
    columns = (values[0].tolist(), low.tolist(), high.tolist(), counts.tolist())
    return [Interval(*column) for column in zip(*columns, strict=True)]


def _quantiles(ordered: Floats, counts: NDArray[np.int64], share: float) -> Floats:
    """Computes a quantile of the first `counts` values of each column, ascending, as `np.quantile` does; NaN for none."""
    quantiles = np.full(counts.size, np.nan)
    columns = np.flatnonzero(counts)
    place = share * (counts[columns] - 1)
    below = np.floor(place).astype(np.int64)
    first = ordered[below, columns]
    step = ordered[np.minimum(below + 1, counts[columns] - 1), columns] - first
    weight = place - below
    quantiles[columns] = np.where(weight < 0.5, first + step * weight, first + step - step * (1 - weight))
    return quantiles


def difference(values: Floats, level: float = LEVEL) -> Difference:
    """Computes the interval and the p-value from (1 + resamples,) differences, that on all records first.

    The p-value is that of the percentile interval: twice the share of the resamples on the rarer side of 0, the estimate
    itself counted as one of them, so that it is never 0.
    """
    bounds = interval(values, level)
    if not bounds.resamples:
        return Difference(*bounds, np.nan)
    defined = values[1:][~np.isnan(values[1:])]
    rarer = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    return Difference(*bounds, min(1.0, 2 * (1 + rarer) / (1 + defined.size)))


def resampled_auroc(
    scores: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """Computes AUROC of each term on all records and in each resample, (1 + resamples, terms); NaN where there is none."""
    scores, targets = checked(scores, targets)
    ranks = Ranks.of_terms(scores, targets)
    chunks = with_all_records(len(targets), patients, resamples, seed)
    return np.concatenate([ranks.areas(weights)[0].T for weights in chunks])


def _areas(
    scores: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike | None,
    resamples: int,
    seed: int,
    seed_of_runs: int | None = None,
) -> Floats:
    """Computes the AUROC of a model, (1 + resamples, terms): the mean over the runs that each resample draws."""
    runs = np.asarray(scores, np.float64)
    runs = runs if runs.ndim == 3 else runs[None]
    values = np.stack([resampled_auroc(run, targets, patients, resamples=resamples, seed=seed) for run in runs])
    weights = draw_runs(len(runs), values.shape[1] - 1, seed if seed_of_runs is None else seed_of_runs)
    areas: Floats = np.einsum("br,rbt->bt", weights, values)
    return areas


def _without_single_patients(areas: Floats, targets: ArrayLike, patients: ArrayLike | None) -> Floats:
    """Leaves out the resamples of the AUROC of terms that rest on one patient, (1 + resamples, terms) both."""
    return without_single_patients(Resampled({"auroc": areas}, {}), np.asarray(targets, np.float64), patients).terms[
        "auroc"
    ]


def _mean_of_runs(runs: Sequence[Resampled], seed: int) -> Resampled:
    """Computes the mean over the runs that each resample draws, of those in which a metric exists."""
    weights = draw_runs(len(runs), len(runs[0].terms["auroc"]) - 1, seed)
    common = [name for name in runs[0].terms if all(name in run.terms for run in runs)]
    return Resampled(
        {name: _drawn_mean(np.stack([run.terms[name] for run in runs]), weights) for name in common},
        {
            average: {
                name: _drawn_mean(np.stack([run.averages[average][name] for run in runs]), weights) for name in common
            }
            for average in runs[0].averages
        },
    )


def _drawn_mean(values: Floats, weights: Floats) -> Floats:
    """Computes the weighted mean over runs of (runs, 1 + resamples, …), where it exists: (1 + resamples, …)."""
    exists = ~np.isnan(values)
    of_run = weights.T.reshape(values.shape[:2] + (1,) * (values.ndim - 2)) * exists
    with np.errstate(invalid="ignore"):  # 0/0 where no run has a value
        mean: Floats = (np.where(exists, values, 0) * of_run).sum(axis=0) / of_run.sum(axis=0)
    return mean


def _other_runs(scores: ArrayLike, baseline: ArrayLike) -> int | None:
    """Returns another seed for the runs of the baseline, unless both models are as many runs, which are then paired."""
    counts = [1 if np.ndim(model) == 2 else len(np.asarray(model)) for model in (scores, baseline)]
    return None if counts[0] == counts[1] else UNPAIRED
