"""Curves against scikit-learn, and small cases worked by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_curve, roc_curve

from ecg_lightning.metrics.curves import GRID, confusion_between, reliability, term_curves


@pytest.fixture
def scores() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = (rng.random((120, 2)) < 0.3).astype(float)
    scores = np.round(targets + rng.normal(size=targets.shape), 1)  # with ties
    targets[::9, 1] = np.nan
    return scores, targets


def points(x: np.ndarray, y: np.ndarray) -> set[tuple[float, float]]:
    return {(round(float(a), 9), round(float(b), 9)) for a, b in zip(x, y, strict=True)}


def test_curves_are_those_of_scikit_learn(scores: tuple[np.ndarray, np.ndarray]) -> None:
    values, targets = scores
    for term, curves in enumerate(term_curves(values, targets, resamples=5)):
        assert curves is not None
        rows = ~np.isnan(targets[:, term])
        alarms, sensitivity, _ = roc_curve(targets[rows, term], values[rows, term], drop_intermediate=False)
        assert points(curves.roc.x, curves.roc.y) <= points(alarms, sensitivity)
        assert np.trapezoid(curves.roc.y, curves.roc.x) == pytest.approx(np.trapezoid(sensitivity, alarms))
        precision, recall, _ = precision_recall_curve(targets[rows, term], values[rows, term])
        drawn = curves.precision_recall
        assert points(drawn.x[1:], drawn.y[1:]) <= points(recall, precision)
        assert np.trapezoid(drawn.y[1:], drawn.x[1:]) == pytest.approx(
            -np.trapezoid(precision[recall >= drawn.x[1]], recall[recall >= drawn.x[1]])
        )


def test_a_band_lies_around_its_curve_and_has_no_width_where_every_resample_is_the_same() -> None:
    targets = np.array([[1.0], [1], [0], [0]])
    values = np.array([[3.0], [1], [2], [0]])
    [curves] = term_curves(values, targets, patients=["one"] * 4, resamples=10)
    assert curves is not None
    # by hand: the positives are first and third; with no false alarm one of two is found, with half of them both
    assert curves.roc.low == pytest.approx(curves.roc.high)
    assert curves.roc.low[[0, 25, 50, 100]] == pytest.approx([0.5, 0.5, 1, 1])
    assert curves.precision_recall.low[[1, 50, 51, 100]] == pytest.approx([1, 1, 2 / 3, 2 / 3])
    rng = np.random.default_rng(1)
    many = (rng.random((300, 1)) < 0.4).astype(float)
    [curves] = term_curves(many + rng.normal(size=many.shape), many, resamples=100)
    assert curves is not None
    on_grid = np.interp(GRID, curves.roc.x, curves.roc.y)
    assert ((curves.roc.low - 0.03 <= on_grid) & (on_grid <= curves.roc.high + 0.03)).all()
    assert 0.02 < (curves.roc.high - curves.roc.low)[10:60].mean() < 0.3


def test_a_term_without_a_class_has_no_curve_and_no_diagram() -> None:
    values, targets = np.zeros((4, 2)), np.array([[1.0, np.nan], [1, 0], [1, 0], [1, 1]])
    assert [curve is None for curve in term_curves(values, targets, resamples=3)] == [True, False]
    assert [diagram is None for diagram in reliability(values, targets)] == [True, False]


def test_a_long_curve_is_drawn_with_few_points() -> None:
    rng = np.random.default_rng(2)
    targets = (rng.random((5000, 1)) < 0.5).astype(float)
    [curves] = term_curves(rng.normal(size=targets.shape), targets, resamples=2)
    assert curves is not None
    assert curves.roc.x.size <= 201
    assert (curves.roc.x[0], curves.roc.x[-1], curves.roc.y[-1]) == (0, 1, 1)


def test_reliability_by_hand_with_wilsons_interval() -> None:
    probabilities = np.array([[0.1], [0.1], [0.1], [0.1], [0.8], [0.9], [0.7], [0.8]])
    targets = np.array([[0.0], [0], [0], [1], [1], [1], [0], [1]])
    [diagram] = reliability(probabilities, targets, bins=2)
    assert diagram is not None
    assert diagram.probability == pytest.approx([0.1, 0.8])
    assert diagram.frequency == pytest.approx([0.25, 0.75])
    assert diagram.records.tolist() == [4, 4]
    for hits, low, high in zip([1, 3], diagram.low, diagram.high, strict=True):
        interval = binomtest(hits, 4).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((interval.low, interval.high))


def test_confusion_between_terms_by_hand() -> None:
    nan = np.nan
    targets = np.array([[1.0, 0], [1, 0], [1, nan], [0, 1], [1, 1]])
    called = np.array([[1.0, 1], [0, 1], [1, 1], [1, 1], [1, 0]])
    shares, counts = confusion_between(called, targets)
    assert shares == pytest.approx(np.array([[3 / 4, 1], [1, 1 / 2]]))
    assert counts.tolist() == [[3, 2], [1, 1]]
    shares, _ = confusion_between(np.where([True, False], called, nan), targets)  # the second has no threshold
    assert np.isnan(shares[:, 1]).all()
    shares, _ = confusion_between(called[:3], targets[:3])  # nobody has the second
    assert np.isnan(shares[1]).all()
