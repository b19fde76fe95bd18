"""ROC and precision-recall curves with bands, reliability of probabilities, and confusion between terms."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.metrics.calibration import bins_of_equal_mass
from ecg_lightning.metrics.pairs import Booleans, Floats, annotated_terms, checked
from ecg_lightning.metrics.ranking import cumulative_counts
from ecg_lightning.metrics.resampling import resample_weights

GRID = np.linspace(0, 1, 101)
Z95 = 1.959964  # of the normal distribution, for 95 %


class Curve(NamedTuple):
    """One term's curve, each (points,), and its band, each as long as `GRID`; NaN where no resample has a value."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats


class TermCurves(NamedTuple):
    """ROC: sensitivity over 1 - specificity. Precision-recall: PPV over sensitivity."""

    roc: Curve
    precision_recall: Curve


def term_curves(
    scores: ArrayLike,
    targets: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    level: float = 0.95,
    resamples: int = 200,
    seed: int = 0,
) -> list[TermCurves | None]:
    """Computes both curves of each term, with pointwise percentile bands of a bootstrap by patient.

    The points are the corners of the exact curves. The precision at a sensitivity is that of the highest threshold that
    reaches the sensitivity, without interpolation (Davis and Goadrich, ICML 2006).

    Args:
        scores: probabilities or logits, (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        patients: the patient of each record, see `auroc_intervals`.
        level: the bands' confidence.
        resamples: the number of resamples behind the bands.
        seed: the same seed draws the same resamples.

    Returns:
        (terms,); None for a term without a positive or without a negative.
    """
    scores, targets = checked(scores, targets)
    ranked: dict[int, _Ranked] = {}
    for term, column, positive in annotated_terms(scores, targets):
        ranked[term] = _Ranked.of(column, positive, np.flatnonzero(~np.isnan(targets[:, term])))
    bands: dict[int, list[tuple[Floats, Floats]]] = {term: [] for term in ranked}
    for weights in resample_weights(len(targets), patients, resamples, seed):
        for term, order in ranked.items():
            bands[term] += order.resampled(weights)
    curves: list[TermCurves | None] = [None] * targets.shape[1]
    for term, column, positive in annotated_terms(scores, targets):
        _, hits, alarms = cumulative_counts(column, positive)
        sensitivity, false_alarms = hits / hits[-1], alarms / alarms[-1]
        roc = _corners(np.append(0, false_alarms), np.append(0, sensitivity))
        ppv = hits / (hits + alarms)
        precision = _corners(np.append(0, sensitivity), np.append(ppv[0], ppv))
        of_roc, of_precision = (np.array(values) for values in zip(*bands[term], strict=True))
        curves[term] = TermCurves(Curve(*roc, *_band(of_roc, level)), Curve(*precision, *_band(of_precision, level)))
    return curves


class _Ranked(NamedTuple):
    """One term's annotated records in descending order of score.

    Attributes:
        rows: (annotated records,) their rows in the targets.
        positive: (annotated records,) which are positive.
        last: (distinct scores,) the last record of each run of equal scores.
    """

    rows: NDArray[np.int64]
    positive: Booleans
    last: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Floats, positive: Booleans, rows: NDArray[np.int64]) -> "_Ranked":
        order = np.argsort(-scores, kind="stable")
        descending = scores[order]
        last = np.append(np.flatnonzero(descending[1:] != descending[:-1]), scores.size - 1)
        return cls(rows[order], positive[order], last)

    def resampled(self, weights: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Yields sensitivity at each 1 - specificity of `GRID`, and precision at each sensitivity, of each usable resample.

        Args:
            weights: (records, resamples) how often each record is drawn.
        """
        drawn = weights[self.rows]
        hits = np.cumsum(drawn * self.positive[:, None], axis=0)[self.last]
        alarms = np.cumsum(drawn * ~self.positive[:, None], axis=0)[self.last]
        for column in np.flatnonzero((hits[-1] > 0) & (alarms[-1] > 0)):
            hit, alarm = hits[:, column], alarms[:, column]
            sensitivity = np.interp(GRID * alarm[-1], np.append(0, alarm), np.append(0, hit)) / hit[-1]
            reached = np.searchsorted(hit, np.maximum(GRID * hit[-1], 1e-9))
            precision = hit[reached] / (hit[reached] + alarm[reached])
            yield sensitivity, precision


def _band(values: Floats, level: float) -> tuple[Floats, Floats]:
    """Returns the bounds, each as long as `GRID`, of (resamples, points) values."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _corners(x: Floats, y: Floats, most: int = 200) -> tuple[Floats, Floats]:
    """Returns the points of a polyline without those between two others on a line, and at most about `most` of them."""
    if x.size > 2:
        before, after = (np.diff(x)[:-1], np.diff(y)[:-1]), (np.diff(x)[1:], np.diff(y)[1:])
        turns = np.abs(before[0] * after[1] - before[1] * after[0]) > 1e-12
        keep = np.concatenate([[True], turns, [True]])
        x, y = x[keep], y[keep]
    if x.size > most:
        length = np.append(0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
        keep = np.unique(np.searchsorted(length, np.linspace(0, length[-1], most)))
        x, y = x[keep], y[keep]
    return x, y


class Reliability(NamedTuple):
    """One term's probabilities in bins of equal numbers of records, each (bins,), the bin of the lowest first.

    Attributes:
        probability: the mean probability.
        frequency: how often the term was there.
        low: lower bound of the frequency's 95 % interval (Wilson).
        high: upper bound.
        records: number of records.
    """

    probability: Floats
    frequency: Floats
    low: Floats
    high: Floats
    records: NDArray[np.int64]


def reliability(probabilities: ArrayLike, targets: ArrayLike, bins: int = 10) -> list[Reliability | None]:
    """Compares each term's probabilities with frequencies, over bins of equal numbers of annotated records.

    Equal probabilities share a bin, as in `expected_calibration_error`.

    Args:
        probabilities: (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        bins: the largest number of bins.

    Returns:
        (terms,); None for a term without a positive or without a negative.
    """
    probabilities, targets = checked(probabilities, targets)
    diagrams: list[Reliability | None] = [None] * targets.shape[1]
    for term, column, positive in annotated_terms(probabilities, targets):
        _, number = np.unique(bins_of_equal_mass(column, bins), return_inverse=True)
        records = np.bincount(number)
        mean = np.bincount(number, weights=column) / records
        frequency = np.bincount(number, weights=positive) / records
        diagrams[term] = Reliability(mean, frequency, *wilson(frequency, records), records)
    return diagrams


def wilson(share: Floats, records: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Computes Wilson's 95 % interval of shares (n,) of so many records (n,): the lower and the upper bounds."""
    centre = share + Z95**2 / (2 * records)
    half = Z95 * np.sqrt(share * (1 - share) / records + Z95**2 / (4 * records**2))
    scale = 1 + Z95**2 / records
    return (centre - half) / scale, (centre + half) / scale


def confusion_between(positive: ArrayLike, targets: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """Computes which terms are called where other terms are there.

    Args:
        positive: 1 where the network calls a term, 0, or NaN for a term without a threshold, (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).

    Returns:
        (terms, terms) of the records that have the row's term and lack the column's, the share in which the column's
        is called; on the diagonal the sensitivity. NaN where there is no such record.
        (terms, terms) the number of such calls; on the diagonal the hits.
    """
    calls, targets = checked(np.nan_to_num(np.asarray(positive, np.float64)), targets)
    decided = ~np.isnan(np.asarray(positive, np.float64)).all(axis=0)
    present = (targets == 1).astype(np.float64)
    eligible = present.T @ (targets == 0)
    called = present.T @ ((calls == 1) & (targets == 0))
    np.fill_diagonal(eligible, present.sum(axis=0))
    np.fill_diagonal(called, (present * (calls == 1)).sum(axis=0))
    with np.errstate(invalid="ignore"):  # 0/0 is NaN
        shares = np.where(decided, called / eligible, np.nan)
    return shares, called.astype(np.int64)
