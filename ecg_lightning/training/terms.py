"""Which terms the training data can teach, and of which the validation data can choose a threshold."""

import sys
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def learnable(targets: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(terms,) which terms have positives and negatives among the targets (recordings, terms): 1, 0, or not annotated."""
    return np.asarray((targets == 1).any(axis=0) & (targets == 0).any(axis=0))


def say_what_is_missing(
    terms: Sequence[str], train: NDArray[np.float32], val: NDArray[np.float32] | None
) -> NDArray[np.bool_]:
    """Names, on stderr, the terms that are not learnt and those of which validation cannot choose a threshold.

    Args:
        terms: the names of the columns.
        train: (recordings, terms) targets of the recordings that train.
        val: those of the validation side; None where nothing is validated.

    Returns:
        (terms,) which ones are learnt.
    """
    learnt = learnable(train)
    if not learnt.all():
        print(
            f"Not learnt: {_why(terms, train, ~learnt)}. The training recordings cannot teach them, so they get no "
            "threshold and are never predicted.",
            file=sys.stderr,
        )
    judged = learnable(val) if val is not None else learnt
    if not judged[learnt].all():
        assert val is not None
        print(
            f"No threshold can be chosen on the validation recordings for: {_why(terms, val, learnt & ~judged)}. Theirs "
            "is 0.5, and their probabilities are not calibrated.",
            file=sys.stderr,
        )
    return learnt


def _why(terms: Sequence[str], targets: NDArray[np.float32], some: Iterable[np.bool_]) -> str:
    """The chosen terms, each with what the targets lack of it."""
    reasons = []
    for term, column, chosen in zip(terms, targets.T, some, strict=True):
        if chosen:
            lacking = "never annotated" if np.isnan(column).all() else "no positive"
            reasons.append(f"{term} ({'no negative' if (column == 1).any() else lacking})")
    return ", ".join(reasons)
