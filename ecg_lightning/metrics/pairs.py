"""Checks scores and targets, the arguments of every metric."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def checked(scores: ArrayLike, targets: ArrayLike) -> tuple[Floats, Floats]:
    """Checks scores and targets, and returns both as float64 arrays of shape (records, terms).

    Args:
        scores: probabilities or logits, (records, terms).
        targets: 1, 0, or NaN where a record is not annotated for a term, (records, terms).

    Raises:
        ValueError: on other shapes, on a target that is not 1, 0 or NaN, and on a score that is NaN where the target
            is not (a NaN has no rank, and would sort above every number).
    """
    scores, targets = np.asarray(scores, np.float64), np.asarray(targets, np.float64)
    if scores.ndim != 2 or scores.shape != targets.shape:
        raise ValueError(
            f"scores have the shape {scores.shape} and targets {targets.shape}: both must be (records, terms)"
        )
    annotated = ~np.isnan(targets)
    invalid = annotated & (targets != 0) & (targets != 1)
    if invalid.any():
        record, term = np.argwhere(invalid)[0]
        raise ValueError(f"the target of record {record}, term {term} is {targets[record, term]}: use 1, 0 or NaN")
    unranked = annotated & np.isnan(scores)
    if unranked.any():
        record, term = np.argwhere(unranked)[0]
        raise ValueError(
            f"{np.count_nonzero(unranked)} scores are NaN, the first at record {record}, term {term}: "
            "the network has diverged, or its input has NaN"
        )
    return scores, targets


def annotated_terms(scores: Floats, targets: Floats) -> Iterator[tuple[int, Floats, Booleans]]:
    """Yields each term that has a positive and a negative, with scores and positives of its annotated records.

    Args:
        scores: (records, terms).
        targets: (records, terms) 1, 0 or NaN.

    Yields:
        The term's column; (annotated records,) its scores; (annotated records,) whether each is positive.
    """
    for term in range(targets.shape[1]):
        annotated = ~np.isnan(targets[:, term])
        positive = targets[annotated, term] == 1
        if positive.any() and not positive.all():
            yield term, scores[annotated, term], positive
