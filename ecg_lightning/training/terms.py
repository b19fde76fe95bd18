"""Which terms the training data can teach, and for which terms the validation data can choose a threshold."""

import sys
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def learnable(targets: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Returns (terms,) which terms have positives and negatives among targets (recordings, terms): 1, 0 or not annotated."""
    return np.asarray((targets == 1).any(axis=0) & (targets == 0).any(axis=0))


def warn_of_unlearnable(
    terms: Sequence[str], train: NDArray[np.float32], val: NDArray[np.float32] | None
) -> NDArray[np.bool_]:
    """Names, on stderr, the terms that are not learnt, and those for which validation cannot choose a threshold.

    Args:
        terms: the names of the columns.
        train: (recordings, terms) targets of the recordings that train.
        val: (recordings, terms) targets of the validation side; None where nothing is validated.

    Returns:
        (terms,) whether each is learnt.
    """
    learnt = learnable(train)
    if not learnt.all():
        print(
            f"Not learnt: {_reasons(terms, train, ~learnt)}. The training recordings cannot teach them, so they get no "
            "threshold and are never predicted.",
            file=sys.stderr,
        )
    decidable = learnable(val) if val is not None else learnt
    if not decidable[learnt].all():
        assert val is not None
        print(
            f"No threshold can be chosen on the validation recordings for: {_reasons(terms, val, learnt & ~decidable)}. Their "
            "thresholds are 0.5, and their probabilities are not calibrated.",
            file=sys.stderr,
        )
    return learnt


def _reasons(terms: Sequence[str], targets: NDArray[np.float32], selected: Iterable[np.bool_]) -> str:
    """Returns the selected terms, each with what its targets lack."""
    reasons = []
    for term, column, is_selected in zip(terms, targets.T, selected, strict=True):
        if is_selected:
            lacking = "never annotated" if np.isnan(column).all() else "no positive"
            reasons.append(f"{term} ({'no negative' if (column == 1).any() else lacking})")
    return ", ".join(reasons)
