"""How well scores rank: areas under the ROC and the precision-recall curve, per term and macro."""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.metrics.pairs import Booleans, Floats, annotated_terms, checked

Counts = NDArray[np.int64]


def cumulative_counts(scores: Floats, positive: Booleans) -> tuple[Floats, Counts, Counts]:
    """Counts the positives and negatives at or above each distinct score of one term.

    Args:
        scores: (records,), at least one.
        positive: (records,).

    Returns:
        The distinct scores, descending; the true and the false positives where each is the threshold (score >= threshold).
    """
    order = np.argsort(scores)[::-1]
    ranked = scores[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), ranked.size - 1)  # of each run of equal scores
    true_positives = np.cumsum(positive[order])[last]
    return ranked[last], true_positives, last + 1 - true_positives


def auroc(scores: ArrayLike, targets: ArrayLike) -> Floats:
    """Computes the area under the ROC curve of each term: the chance that a positive scores above a negative, ties ½.

    Args:
        scores: probabilities or logits, (records, terms). Logits are better: a saturated sigmoid makes ties.
        targets: 1, 0, or NaN where not annotated (left out), (records, terms).

    Returns:
        (terms,), NaN where a term has no positive or no negative.
    """
    scores, targets = checked(scores, targets)
    areas = np.full(targets.shape[1], np.nan)
    for term, column, positive in annotated_terms(scores, targets):
        _, hits, alarms = cumulative_counts(column, positive)
        doubled = np.diff(alarms, prepend=0) @ (hits + np.append(0, hits[:-1]))  # integers: exact
        areas[term] = doubled / (2 * hits[-1] * alarms[-1])
    return areas


def average_precision(scores: ArrayLike, targets: ArrayLike) -> Floats:
    """Computes the average precision of each term: the mean, over its positives, of the precision at their score.

    Shapes as in `auroc`, and NaN for the same terms, so that both macro averages are over the same terms.
    """
    scores, targets = checked(scores, targets)
    areas = np.full(targets.shape[1], np.nan)
    for term, column, positive in annotated_terms(scores, targets):
        _, hits, alarms = cumulative_counts(column, positive)
        areas[term] = np.diff(hits, prepend=0) @ (hits / (hits + alarms)) / hits[-1]
    return areas


def macro(values: ArrayLike) -> float:
    """Computes the mean of the terms (terms,) that have a value; NaN when none has.

    >>> macro([0.5, 1.0, float("nan")])
    0.75
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return float(np.nanmean(np.asarray(values, np.float64)))
