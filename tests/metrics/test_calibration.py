import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from ecg_lightning.metrics import Calibration, auroc, brier, expected_calibration_error, fit_calibration


def test_brier_equals_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    targets, probabilities = (rng.random((200, 3)) < 0.3).astype(float), rng.random((200, 3))
    targets[rng.random((200, 3)) < 0.3] = np.nan
    targets[:, 2] = np.nan
    values = brier(probabilities, targets)
    for term in range(2):
        annotated = ~np.isnan(targets[:, term])
        assert values[term] == pytest.approx(brier_score_loss(targets[annotated, term], probabilities[annotated, term]))
    assert np.isnan(values[2])
    assert brier([[0.3]], [[0]]) == pytest.approx([0.09])


def test_expected_calibration_error_by_hand() -> None:
    # two bins of two: |.1 + .3 - 1| and |.6 + .8 - 2|, over four records
    probabilities, targets = np.array([[0.1], [0.8], [0.3], [0.6]]), np.array([[0], [1], [1], [1]])
    assert expected_calibration_error(probabilities, targets, bins=2) == pytest.approx([1.2 / 4])
    assert expected_calibration_error(probabilities, targets, bins=1) == pytest.approx([1.2 / 4])
    # equal probabilities share a bin, in whatever order they come: |4 · .25 - 1| = 0
    assert expected_calibration_error([[0.25]] * 4, [[0], [1], [0], [0]], bins=4) == [0]


def test_expected_calibration_error_of_true_and_false_probabilities() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random((20_000, 1)) ** 3
    targets = (rng.random((20_000, 1)) < probabilities).astype(float)
    assert expected_calibration_error(probabilities, targets) < 0.01
    halved = expected_calibration_error(probabilities / 2, targets)
    assert halved == pytest.approx([0.125], abs=0.01)  # half of the mean probability, 1/4
    assert np.isnan(expected_calibration_error([[0.5]], [[np.nan]]))
    assert np.isnan(expected_calibration_error(np.empty((0, 1)), np.empty((0, 1))))
    assert np.isnan(brier(np.empty((0, 1)), np.empty((0, 1))))


@pytest.mark.parametrize(("method", "intercept"), [("platt", True), ("temperature", False)])
def test_fit_equals_scikit_learn(method: str, intercept: bool) -> None:
    """A soft target t of Platt's is a positive of weight t and a negative of weight 1 - t."""
    rng = np.random.default_rng(0)
    logits = 5 * rng.normal(size=(300, 2)) - 4
    targets = (rng.random((300, 2)) < expit(logits / 3 + 0.5)).astype(float)
    targets[:50, 1] = np.nan
    calibration = fit_calibration(logits, targets, method)
    for term in range(2):
        annotated = ~np.isnan(targets[:, term])
        x, y = logits[annotated, term], targets[annotated, term]
        soft = np.where(y == 1, (y.sum() + 1) / (y.sum() + 2), 1 / ((1 - y).sum() + 2))
        reference = LogisticRegression(C=np.inf, fit_intercept=intercept, tol=1e-10, max_iter=1000)
        reference.fit(np.tile(x, 2)[:, None], np.repeat([1, 0], x.size), np.concatenate([soft, 1 - soft]))
        assert calibration.slope[term] == pytest.approx(reference.coef_[0, 0], rel=1e-4)
        expected = reference.intercept_[0] if intercept else 0
        assert calibration.intercept[term] == pytest.approx(expected, rel=1e-4, abs=1e-12)


def test_scaling_recovers_what_distorted_the_logits() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(50_000, 1)) * 2 - 1
    targets = (rng.random(true.shape) < expit(true)).astype(float)
    calibration = fit_calibration(true * 4 + 3, targets)
    assert calibration.slope == pytest.approx([0.25], rel=0.05)
    assert calibration.intercept == pytest.approx([-0.75], rel=0.05)
    before, after = expit(true * 4 + 3), calibration.apply(true * 4 + 3)
    assert expected_calibration_error(after, targets) < 0.01 < expected_calibration_error(before, targets)
    assert brier(after, targets) < brier(before, targets)
    assert auroc(after, targets) == pytest.approx(auroc(true, targets))


@pytest.mark.parametrize("method", ["platt", "temperature"])
def test_separable_data_have_a_finite_fit(method: str) -> None:
    logits = np.array([[-800.0], [-700.0], [700.0], [900.0]])
    targets = np.array([[0], [0], [1], [1]])
    calibration = fit_calibration(logits, targets, method)
    # Platt's targets are 1/4 and 3/4
    assert calibration.apply([[-750], [800]]).ravel() == pytest.approx([0.25, 0.75], abs=0.02)


@pytest.mark.parametrize("logit", [-2.0, 0.0, 2.0])
def test_equal_logits_are_no_obstacle(logit: float) -> None:
    calibration = fit_calibration([[logit]] * 4, [[1], [0], [0], [0]])
    assert calibration.slope[0] > 0 and np.isfinite(calibration.intercept[0])


def test_one_positive_among_many() -> None:
    logits = np.linspace(-9, 3, 500)[:, None]
    calibration = fit_calibration(logits, logits == 3)
    assert 0 < calibration.slope[0] < 10 and np.isfinite(calibration.intercept[0])


def test_a_ranking_is_never_turned_round() -> None:
    logits, targets = np.array([[2.0], [1.0], [-1.0], [-2.0]]), np.array([[0], [0], [1], [1]])
    for method in ("platt", "temperature"):
        calibration = fit_calibration(logits, targets, method)
        assert (calibration.slope, calibration.intercept) == ([1], [0])


def test_terms_that_cannot_be_fitted_keep_their_logits() -> None:
    nan = np.nan
    targets = np.array([[0, 1, nan], [0, 1, nan]])
    calibration = fit_calibration(np.ones((2, 3)), targets)
    assert calibration.slope.tolist() == [1, 1, 1] and calibration.intercept.tolist() == [0, 0, 0]


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="probabilities must lie between 0 and 1: apply the sigmoid"):
        brier([[3.0]], [[1]])
    with pytest.raises(ValueError, match="probabilities must lie between 0 and 1: apply the sigmoid"):
        expected_calibration_error([[-3.0]], [[1]])
    with pytest.raises(ValueError, match="method is 'isotonic': choose platt or temperature"):
        fit_calibration([[3.0]], [[1]], "isotonic")
    with pytest.raises(ValueError, match="term 0 has an infinite logit"):
        fit_calibration([[np.inf], [0.0]], [[1], [0]])
    with pytest.raises(ValueError, match=r"logits have the shape \(5, 3\), but the calibration is of 2 terms"):
        Calibration(np.ones(2), np.zeros(2)).apply(np.zeros((5, 3)))
