"""AUROC and average precision of many resamples at once: the scores are sorted once for all of them.

A resample only changes how often each record counts. Both areas need only sums of these weights: of the positives at each of
their scores, and of the negatives at and between these scores. Exact under ties.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ecg_lightning.metrics.pairs import Booleans, Floats, annotated_terms


@dataclass(frozen=True)
class Ranks:
    """The order of records by score, as matrices that sum weights over runs of neighbours, in descending order of score.

    A run is one score that positives have (with the negatives that are tied with them), or all negatives between two such scores.

    Attributes:
        positives: (runs, records).
        negatives: (runs, records).
    """

    positives: csr_array
    negatives: csr_array

    @classmethod
    def of(cls, scores: Floats, positive: Booleans, rows: NDArray[np.int64], records: int) -> Self:
        """Sorts pairs of record and score.

        Args:
            scores: (pairs,), at least one of a positive.
            positive: (pairs,).
            rows: (pairs,) the record of each pair.
            records: the number of records.
        """
        levels, level = np.unique(-scores, return_inverse=True)
        has_positive = np.bincount(level[positive], minlength=levels.size) > 0
        starts = has_positive | np.roll(has_positive, 1)
        starts[0] = False  # the first run is number 0
        run = np.cumsum(starts)[level]
        shape = (int(run.max()) + 1, records)
        return cls(
            *(
                csr_array((np.ones(of_class.sum()), (run[of_class], rows[of_class])), shape=shape)
                for of_class in (positive, ~positive)
            )
        )

    def areas(self, weights: Floats) -> tuple[Floats, Floats]:
        """Computes AUROC and average precision of each resample; NaN where it lacks a positive or a negative.

        Args:
            weights: how often each record counts, (records, resamples).

        Returns:
            Both (resamples,).
        """
        positives, negatives = self.positives @ weights, self.negatives @ weights
        alarms = np.cumsum(negatives, axis=0)
        called = np.cumsum(positives, axis=0)
        hits, rejections = called[-1].copy(), alarms[-1].copy()
        with np.errstate(invalid="ignore"):  # 0/0 where a class is absent
            below = rejections - alarms + negatives / 2  # those in the same run are ties: ½
            auroc = np.einsum("rb,rb->b", positives, below) / (hits * rejections)
            called /= np.maximum(called + alarms, 1)  # the precision; 0 before the first record that is drawn
            precision = np.einsum("rb,rb->b", positives, called) / hits
        return auroc, np.where(rejections > 0, precision, np.nan)


def ranks_of_terms(scores: Floats, targets: Floats) -> list[Ranks | None]:
    """Sorts each term; None for a term that has no positive or no negative.

    Args:
        scores: checked scores, (records, terms).
        targets: checked targets, (records, terms).
    """
    ranks: list[Ranks | None] = [None] * targets.shape[1]
    for term, column, positive in annotated_terms(scores, targets):
        ranks[term] = Ranks.of(column, positive, np.flatnonzero(~np.isnan(targets[:, term])), len(targets))
    return ranks


def ranks_of_pairs(scores: Floats, targets: Floats) -> Ranks | None:
    """Sorts all annotated pairs of record and term together; None where no pair is positive, or none is negative."""
    annotated = ~np.isnan(targets)
    positive = targets[annotated] == 1
    if not positive.any() or positive.all():
        return None
    return Ranks.of(scores[annotated], positive, np.nonzero(annotated)[0], len(targets))


def areas_of(ranks: Sequence[Ranks | None], weights: Floats) -> tuple[Floats, Floats]:
    """Computes AUROC and average precision of several terms in each resample.

    Args:
        ranks: of each term.
        weights: how often each record counts, (records, resamples).

    Returns:
        Both (terms, resamples), NaN where a term lacks a class.
    """
    auroc, precision = (np.full((len(ranks), weights.shape[1]), np.nan) for _ in range(2))
    for term, ranks_of_term in enumerate(ranks):
        if ranks_of_term is not None:
            auroc[term], precision[term] = ranks_of_term.areas(weights)
    return auroc, precision
