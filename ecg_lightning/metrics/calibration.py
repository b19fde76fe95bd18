"""Calibration: whether probabilities agree with frequencies, and a scaling of logits that makes them agree."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ecg_lightning.metrics.pairs import Floats, annotated_terms, checked

RIDGE = 1e-6  # it decides only where the data do not, as when all logits are equal
STEPS = 50
BINS = 15
"""Of the expected calibration error."""


def brier(probabilities: ArrayLike, targets: ArrayLike) -> Floats:
    """Computes the Brier score of each term: the mean square of probability - target over annotated records.

    Args:
        probabilities: (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).

    Returns:
        (terms,), NaN where a term is never annotated.

    Raises:
        ValueError: on a probability outside of 0 to 1; further errors as of `auroc`.
    """
    probabilities, targets = _checked_probabilities(probabilities, targets)
    annotated = ~np.isnan(targets)
    squares = np.where(annotated, (probabilities - targets) ** 2, 0)
    with np.errstate(invalid="ignore"):  # 0/0 is NaN
        scores: Floats = squares.sum(axis=0) / annotated.sum(axis=0)
    return scores


def expected_calibration_error(probabilities: ArrayLike, targets: ArrayLike, bins: int = BINS) -> Floats:
    """Computes, for each term, the mean distance of probability and frequency over bins of equal numbers of records.

    Bins of equal mass, not of equal width (Nixon et al., arXiv 1904.01685): of a rare term nearly all probabilities
    lie in the first of fifteen equal widths. Equal probabilities share a bin. Arguments, NaN and errors as of `brier`.
    """
    probabilities, targets = _checked_probabilities(probabilities, targets)
    errors = np.full(targets.shape[1], np.nan)
    for term in range(targets.shape[1]):
        annotated = ~np.isnan(targets[:, term])
        if count := np.count_nonzero(annotated):
            column = probabilities[annotated, term]
            gaps = np.bincount(bins_of_equal_mass(column, bins), weights=column - targets[annotated, term])
            errors[term] = np.abs(gaps).sum() / count
    return errors


def bins_of_equal_mass(probabilities: Floats, bins: int) -> NDArray[np.int64]:
    """Returns the bin of each probability, both (records,): as many in each, and equal probabilities in one."""
    rank = np.searchsorted(np.sort(probabilities), probabilities)  # the number that are smaller
    return rank * bins // max(1, probabilities.size)


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(slope · logit + intercept), per term; the slope is positive, so no ranking changes."""

    slope: Floats  # (terms,)
    intercept: Floats  # (terms,)

    def apply(self, logits: ArrayLike) -> Floats:
        """Computes calibrated probabilities of logits (records, terms), in the same shape.

        Raises:
            ValueError: when the number of terms is not that of the calibration.
        """
        logits = np.asarray(logits, np.float64)
        if logits.shape[-1:] != self.slope.shape:
            raise ValueError(f"logits have the shape {logits.shape}, but the calibration is of {self.slope.size} terms")
        probabilities: Floats = expit(self.slope * logits + self.intercept)
        return probabilities


def fit_calibration(
    logits: ArrayLike, targets: ArrayLike, method: Literal["platt", "temperature"] = "platt"
) -> Calibration:
    """Fits each term's scaling on validation records by maximum likelihood.

    The targets are those of Platt (1999), (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2), so that separable data have a finite fit.
    A term keeps its logits where it has no positive or no negative, and where the best slope is not positive (the
    network ranks the term no better than chance).

    Args:
        logits: (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        method: `platt` fits slope and intercept, `temperature` the slope alone (Guo et al., arXiv 1706.04599).

    Raises:
        ValueError: on an unknown method or an infinite logit; further errors as of `auroc`.
    """
    if method not in ("platt", "temperature"):
        raise ValueError(f"method is {method!r}: choose platt or temperature")
    logits, targets = checked(logits, targets)
    slope, intercept = np.ones(targets.shape[1]), np.zeros(targets.shape[1])
    for term, column, positive in annotated_terms(logits, targets):
        if not np.isfinite(column).all():
            raise ValueError(f"term {term} has an infinite logit: the network has overflowed its precision")
        hits, misses = np.count_nonzero(positive), np.count_nonzero(~positive)
        soft = np.where(positive, (hits + 1) / (hits + 2), 1 / (misses + 2))
        weights = _fit(np.stack([column, np.ones_like(column)][: 2 if method == "platt" else 1], axis=1), soft)
        if weights[0] > 0:
            slope[term], intercept[term] = weights[0], weights[1] if method == "platt" else 0
    return Calibration(slope, intercept)


def _fit(features: Floats, soft: Floats) -> Floats:
    """Computes the weights of least cross-entropy of sigmoid(features · weights), by Newton's method with step halving.

    After Lin, Lin and Weng, A note on Platt's probabilistic outputs, Machine Learning 68 (2007).
    """

    def loss(weights: Floats) -> float:
        z = features @ weights
        return float(np.sum(np.logaddexp(0, z) - soft * z) + RIDGE / 2 * weights @ weights)

    weights = np.zeros(features.shape[1])
    for _ in range(STEPS):
        probabilities = expit(features @ weights)
        gradient = features.T @ (probabilities - soft) + RIDGE * weights
        curvature = (features.T * (probabilities * (1 - probabilities))) @ features + RIDGE * np.eye(weights.size)
        step = np.linalg.solve(curvature, gradient)
        gain = float(gradient @ step)
        if gain < 1e-12 * len(features):
            break
        size, current = 1.0, loss(weights)
        while loss(weights - size * step) > current - 1e-4 * size * gain and size > 1e-6:
            size /= 2
        weights = weights - size * step
    return weights


def _checked_probabilities(probabilities: ArrayLike, targets: ArrayLike) -> tuple[Floats, Floats]:
    probabilities, targets = checked(probabilities, targets)
    if np.any((probabilities < 0) | (probabilities > 1)):
        raise ValueError("probabilities must lie between 0 and 1: apply the sigmoid to logits first")
    return probabilities, targets
