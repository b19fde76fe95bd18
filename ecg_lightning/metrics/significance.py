"""DeLong's interval of an AUROC, and p-values of several comparisons by Holm."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from ecg_lightning.metrics.pairs import Floats, annotated_terms, checked


def delong(scores: ArrayLike, targets: ArrayLike, level: float = 0.95) -> Floats:
    """Computes the interval of each term's AUROC after DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988).

    The unit is the record: where patients have several records, the interval is too narrow. It is cut at 0 and 1.

    Args:
        scores: probabilities or logits, (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        level: the interval's confidence.

    Returns:
        (terms, 2) low and high, NaN where a term has fewer than two positives or fewer than two negatives.
    """
    scores, targets = checked(scores, targets)
    bounds = np.full((targets.shape[1], 2), np.nan)
    width = float(ndtri((1 + level) / 2))
    for term, column, positive in annotated_terms(scores, targets):
        area, error = delong_error(column, positive.astype(np.bool_))
        bounds[term] = np.clip([area - width * error, area + width * error], 0, 1)
    return bounds


def delong_error(scores: Floats, positive: ArrayLike) -> tuple[float, float]:
    """Computes the AUROC of one term and its standard error; NaN for an error that one positive or negative cannot tell.

    The placements of the records come from their ranks (Sun and Xu, IEEE Signal Processing Letters 21, 2014).

    Args:
        scores: (records,).
        positive: (records,) at least one is and one is not.
    """
    of_class = np.asarray(positive, np.bool_)
    above, below = scores[of_class], scores[~of_class]
    rank = _midranks(scores)
    placement = (rank[of_class] - _midranks(above)) / below.size  # the share of the negatives that are lower, ties ½
    displacement = 1 - (rank[~of_class] - _midranks(below)) / above.size
    if min(above.size, below.size) < 2:
        return float(placement.mean()), float("nan")
    variance = placement.var(ddof=1) / above.size + displacement.var(ddof=1) / below.size
    return float(placement.mean()), float(np.sqrt(variance))


def _midranks(scores: Floats) -> Floats:
    """Returns the rank of each score, from 1, both (records,); equal scores have the mean of their ranks."""
    _, level, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[level]
    return ranks


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts the p-values of a family of comparisons, so that one of them is below α by chance with at most the probability α.

    Step-down procedure of Holm (Scandinavian Journal of Statistics 6, 1979); a comparison without a p-value (NaN) is none of the family.

    >>> holm([0.01, 0.04, 0.03, float("nan")])
    [0.03, 0.06, 0.06, nan]
    """
    values = np.asarray(p_values, np.float64)
    family = np.flatnonzero(~np.isnan(values))
    order = family[np.argsort(values[family], kind="stable")]
    steps = values[order] * np.arange(order.size, 0, -1)
    adjusted = np.full(values.size, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(value) for value in adjusted]
