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

Column = tuple[Floats, Booleans, NDArray[np.int64]]
"""Scores of some records, whether each is positive, and their rows."""


@dataclass(frozen=True)
class Ranks:
    """The orders of records by the scores of some terms, as matrices that sum weights over runs of neighbours.

    A run is one score that positives have (with the negatives that are tied with them), or all negatives between two such
    scores. The runs of a term follow each other in descending order of score.

    Attributes:
        positives: (runs of all terms, records).
        negatives: (runs of all terms, records).
        runs: for each term where its runs begin and end, None for a term that has no positive or no negative.
    """

    positives: csr_array
    negatives: csr_array
    runs: Sequence[slice | None]

    @classmethod
    def of_terms(cls, scores: Floats, targets: Floats) -> Self:
        """Sorts each term of checked scores and targets, both (records, terms)."""
        columns = {
            term: (column, positive, np.flatnonzero(~np.isnan(targets[:, term])))
            for term, column, positive in annotated_terms(scores, targets)
        }
        return cls._of([columns.get(term) for term in range(targets.shape[1])], len(targets))

    @classmethod
    def of_pairs(cls, scores: Floats, targets: Floats) -> Self:
        """Sorts all annotated pairs of record and term together, as if they were of one term."""
        annotated = ~np.isnan(targets)
        positive = targets[annotated] == 1
        has_both = positive.any() and not positive.all()
        column = (scores[annotated], positive, np.nonzero(annotated)[0]) if has_both else None
        return cls._of([column], len(targets))

    @classmethod
    def _of(cls, columns: "Sequence[Column | None]", records: int) -> Self:
        first = 0
        runs: list[slice | None] = []
        entries: tuple[list[NDArray[np.int64]], ...] = ([], [], [], [])  # runs and rows of positives, then of negatives
        for column in columns:
            if column is None:
                runs.append(None)
                continue
            scores, positive, rows = column
            run = first + runs_of(scores, positive)
            runs.append(slice(first, int(run.max()) + 1))
            first = int(run.max()) + 1
            for values, chosen in zip(
                entries, (run[positive], rows[positive], run[~positive], rows[~positive]), strict=True
            ):
                values.append(chosen)
        positives, negatives = (
            csr_array((np.ones(sum(map(len, of_runs))), (_joined(of_runs), _joined(of_rows))), shape=(first, records))
            for of_runs, of_rows in (entries[:2], entries[2:])
        )
        return cls(positives, negatives, runs)

    def areas(self, weights: Floats) -> tuple[Floats, Floats]:
        """Computes AUROC and average precision of each term in each resample; NaN where it lacks a positive or a negative.

        Args:
            weights: how often each record counts, (records, resamples).

        Returns:
            Both (terms, resamples).
        """
        auroc, precision = (np.full((len(self.runs), weights.shape[1]), np.nan) for _ in range(2))
        positives, negatives = self.positives @ weights, self.negatives @ weights
        for term, runs in enumerate(self.runs):
            if runs is not None:
                auroc[term], precision[term] = _areas(positives[runs], negatives[runs])
        return auroc, precision


def runs_of(scores: Floats, positive: Booleans) -> NDArray[np.int64]:
    """Returns the number of each record's run, both (records,), at least one of them positive."""
    levels, level = np.unique(-scores, return_inverse=True)
    has_positive = np.bincount(level[positive], minlength=levels.size) > 0
    starts = has_positive | np.roll(has_positive, 1)
    starts[0] = False  # the first run is number 0
    numbers: NDArray[np.int64] = np.cumsum(starts, dtype=np.int64)[level]
    return numbers


def _areas(positives: Floats, negatives: Floats) -> tuple[Floats, Floats]:
    """Computes AUROC and average precision, both (resamples,), of weights that are summed over runs, (runs, resamples)."""
    alarms, called = np.cumsum(negatives, axis=0), np.cumsum(positives, axis=0)
    hits, rejections = called[-1].copy(), alarms[-1].copy()
    called /= np.maximum(called + alarms, 1)  # the precision; 0 before the first record that is drawn
    alarms -= negatives / 2  # those in the same run are ties: ½
    above = np.einsum("rb,rb->b", positives, alarms)
    with np.errstate(invalid="ignore"):  # 0/0 where a class is absent
        auroc = (hits * rejections - above) / (hits * rejections)
        precision = np.einsum("rb,rb->b", positives, called) / hits
    return auroc, np.where(rejections > 0, precision, np.nan)


def _joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
