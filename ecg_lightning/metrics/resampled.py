"""Every metric of an evaluation in every resample: per term, and its macro, micro and weighted average.

What a metric needs of a resample are sums over records, each weighted by how often it was drawn: a product of matrices.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from ecg_lightning.metrics.calibration import BINS, bins_of_equal_mass
from ecg_lightning.metrics.outputs import Outputs
from ecg_lightning.metrics.pairs import Booleans, Floats
from ecg_lightning.metrics.ranks import Ranks
from ecg_lightning.metrics.resampling import patient_numbers, resample_weights
from ecg_lightning.metrics.thresholds import Confusion, rates

AVERAGES = ("macro", "micro", "weighted")
OF_CLASS = {1: ("auroc", "ap", "sensitivity", "gmean", "f1", "f2"), 0: ("auroc", "specificity", "gmean")}
"""Metrics that rest on the positives, and those that rest on the negatives."""


@dataclass(frozen=True)
class Resampled:
    """Metrics on all records (the first row) and in each resample.

    Attributes:
        terms: by metric, (1 + resamples, terms); NaN where a metric does not exist.
        averages: by `macro`, `micro` and `weighted`, then by metric, (1 + resamples,).
    """

    terms: dict[str, Floats]
    averages: dict[str, dict[str, Floats]]


class Meter:
    """Measures outputs in resamples; what does not depend on the resample is computed once.

    Args:
        outputs: of one network.
        averages: those of `AVERAGES` that are measured.
    """

    def __init__(self, outputs: Outputs, averages: Sequence[str] = AVERAGES) -> None:
        annotated, targets = outputs.is_annotated, outputs.targets
        self.averages = averages
        pooled = "micro" in averages
        self.positive = (targets == 1).astype(np.float64)
        self.annotated = annotated.astype(np.float64)
        self.ranks = Ranks.of_terms(outputs.probabilities, targets)
        self.ranks_of_pairs = Ranks.of_pairs(outputs.probabilities, targets) if pooled else None
        called, decided = outputs.is_called, outputs.is_decided
        self.outcomes = [
            (outcome & decided).astype(np.float64)
            for outcome in (called & (targets == 1), called & (targets == 0), ~called & (targets == 0), ~called & (targets == 1))
        ]  # fmt: skip
        kinds = {"": outputs.probabilities} | (
            {} if outputs.calibrated is None else {"_calibrated": outputs.calibrated}
        )
        self.errors = {
            ending: _Errors.of(probabilities, targets, annotated, pooled) for ending, probabilities in kinds.items()
        }

    def measure(self, weights: Floats) -> Resampled:
        """Measures some resamples.

        Args:
            weights: how often each record counts, (records, resamples).

        Returns:
            Arrays as of `Resampled`, with a row for each of these resamples.
        """
        auroc, precision = self.ranks.areas(weights)
        counts = Confusion(*(outcome.T @ weights for outcome in self.outcomes))
        annotated = self.annotated.T @ weights
        terms = {"auroc": auroc, "ap": precision}
        pooled: dict[str, Floats] = {}
        if self.ranks_of_pairs is not None:
            pooled = {name: area[0] for name, area in zip(terms, self.ranks_of_pairs.areas(weights), strict=True)}
        for ending, errors in self.errors.items():
            squares, gaps, pooled_gaps = errors.sums(weights)
            terms |= {f"brier{ending}": _divided(squares, annotated), f"ece{ending}": _divided(gaps, annotated)}
            pooled[f"brier{ending}"] = _divided(squares.sum(axis=0), annotated.sum(axis=0))
            pooled[f"ece{ending}"] = _divided(pooled_gaps, annotated.sum(axis=0))
        terms |= rates(counts)
        pooled |= rates(Confusion(*(count.sum(axis=0) for count in counts)))
        averages = {"macro": {name: mean_of_existing(values) for name, values in terms.items()}, "micro": pooled}
        if "weighted" in self.averages:
            support = self.positive.T @ weights
            averages["weighted"] = {name: _weighted(values, support) for name, values in terms.items()}
        return Resampled(
            {name: values.T for name, values in terms.items()}, {name: averages[name] for name in self.averages}
        )


@dataclass(frozen=True)
class _Errors:
    """How far probabilities are from the targets, in the form in which weights of records add it up.

    Attributes:
        squares: (records, terms) squared errors, 0 where not annotated.
        gaps: (terms x bins, records) probability - target, in the bin of the probability.
        pooled_gaps: (bins, records) the same, with bins over the pairs of all terms.
        terms: the number of terms.
    """

    squares: Floats
    gaps: csr_array
    pooled_gaps: csr_array | None
    terms: int

    @classmethod
    def of(cls, probabilities: Floats, targets: Floats, annotated: Booleans, pooled: bool) -> "_Errors":
        error = np.where(annotated, probabilities - targets, 0)
        bins = np.zeros(targets.shape, np.int64)
        for term in range(targets.shape[1]):
            of_term = annotated[:, term]
            bins[of_term, term] = bins_of_equal_mass(probabilities[of_term, term], BINS)
        rows, terms = np.nonzero(annotated)
        size = targets.shape[1] * BINS
        gaps = _binned(error[annotated], terms * BINS + bins[annotated], rows, size, len(targets))
        bins_of_pairs = bins_of_equal_mass(probabilities[annotated], BINS)
        pooled_gaps = _binned(error[annotated], bins_of_pairs, rows, BINS, len(targets)) if pooled else None
        return cls(error**2, gaps, pooled_gaps, targets.shape[1])

    def sums(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Computes sums of squares and of absolute gaps, both (terms, resamples), and of the gaps of all pairs, (resamples,)."""
        gaps = np.abs(self.gaps @ weights).reshape(self.terms, BINS, weights.shape[1]).sum(axis=1)
        pooled = np.zeros(weights.shape[1])
        if self.pooled_gaps is not None:
            pooled = np.abs(self.pooled_gaps @ weights).sum(axis=0)
        return self.squares.T @ weights, gaps, pooled


def resampled(
    outputs: Outputs,
    patients: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Resampled:
    """Measures outputs on all records and in resamples of the patients.

    The bins of the calibration error are those of all records in every resample.

    Args:
        outputs: of one network.
        patients: the patient of each record, (records,), see `resample_weights`.
        resamples: the number of resamples.
        seed: the same seed draws the same resamples.
    """
    meter = Meter(outputs)
    return joined([meter.measure(weights) for weights in with_all_records(len(outputs), patients, resamples, seed)])


def without_single_patients(measured: Resampled, targets: Floats, patients: ArrayLike | None) -> Resampled:
    """Leaves out the resamples of metrics that rest on one patient: drawn again and again it is always the same, and looks certain.

    Args:
        measured: on all records and in resamples.
        targets: 1, 0, or NaN where not annotated, (records, terms).
        patients: the patient of each record, (records,), see `resample_weights`.

    Returns:
        The metrics; those of `OF_CLASS` are NaN in each resample for a term with fewer than two positive, or negative, patients.
    """
    numbers = np.arange(len(targets)) if patients is None else patient_numbers(patients, len(targets))
    terms = dict(measured.terms)
    for label, metrics in OF_CLASS.items():
        is_single = np.array([np.unique(numbers[column == label]).size < 2 for column in targets.T], np.bool_)
        for name in terms.keys() & metrics if is_single.any() else ():
            terms[name] = terms[name].copy()
            terms[name][1:, is_single] = np.nan
    return Resampled(terms, measured.averages)


def with_all_records(records: int, patients: ArrayLike | None, resamples: int, seed: int) -> Iterator[Floats]:
    """Yields the weights of all records, once each, (records, 1), then those of the resamples as `resample_weights` does.

    Of one patient there are no resamples: each would be the same, and intervals without width would say that nothing varies.
    """
    yield np.ones((records, 1))
    if patients is None or patient_numbers(patients, records).max(initial=0) > 0:
        yield from resample_weights(records, patients, resamples, seed)


def joined(parts: Iterable[Resampled]) -> Resampled:
    """Joins what was measured in several chunks of resamples, in order."""
    chunks = list(parts)
    first = chunks[0]
    return Resampled(
        {name: np.concatenate([chunk.terms[name] for chunk in chunks]) for name in first.terms},
        {
            average: {
                name: np.concatenate([chunk.averages[average][name] for chunk in chunks])
                for name in first.averages[average]
            }
            for average in first.averages
        },
    )


def mean_of_existing(values: Floats, axis: int = 0) -> Floats:
    """Computes the mean over the terms that have a value; NaN where none has."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        means: Floats = np.nanmean(values, axis=axis)
    return means


def _weighted(values: Floats, support: Floats) -> Floats:
    """Computes the mean over the terms that have a value, weighted by their positives: (terms, resamples) to (resamples,)."""
    exists = ~np.isnan(values)
    return _divided((np.where(exists, values, 0) * support).sum(axis=0), (exists * support).sum(axis=0))


def _binned(values: Floats, bins: NDArray[np.int64], rows: NDArray[np.int64], size: int, records: int) -> csr_array:
    return csr_array((values, (bins, rows)), shape=(size, records))


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(invalid="ignore"):  # 0/0 is NaN
        quotient: Floats = numerator / denominator
    return quotient
