"""Every metric and average, on all records and in resamples, against scikit-learn on the records that were drawn."""

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    fbeta_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from ecg_lightning.metrics import Outputs, brier, expected_calibration_error, operating_point
from ecg_lightning.metrics.pairs import Floats
from ecg_lightning.metrics.resampled import Resampled, resampled
from ecg_lightning.metrics.resampling import resample_weights

THRESHOLDS = np.array([0.3, 0.5, 0.6, 0.4])
PATIENTS = np.arange(150) // 2


@pytest.fixture(scope="module", params=[False, True], ids=["annotated", "masked"])
def outputs(request: pytest.FixtureRequest) -> Outputs:
    rng = np.random.default_rng(0)
    targets = (rng.random((150, 4)) < [0.1, 0.2, 0.4, 0.5]).astype(float)
    probabilities = np.round(np.clip(0.3 * rng.normal(size=targets.shape) + 0.35 + 0.2 * targets, 0, 1), 2)  # ties
    if request.param:
        targets[rng.random(targets.shape) < 0.2] = np.nan
    return Outputs.of(probabilities, targets, THRESHOLDS, probabilities**2)


@pytest.fixture(scope="module")
def measured(outputs: Outputs) -> Resampled:
    return resampled(outputs, PATIENTS, resamples=12, seed=1)


def drawn(outputs: Outputs, resample: int) -> tuple[Floats, Floats]:
    """Targets and probabilities of the records in a resample, each as often as it was drawn; all of them first."""
    (weights,) = resample_weights(150, PATIENTS, 12, 1)
    rows = np.repeat(np.arange(150), weights[:, resample - 1].astype(int)) if resample else np.arange(150)
    return outputs.targets[rows], outputs.probabilities[rows]


@pytest.mark.parametrize("resample", [0, 1, 12])
def test_each_metric_of_each_term(outputs: Outputs, measured: Resampled, resample: int) -> None:
    targets, probabilities = drawn(outputs, resample)
    for term, threshold in enumerate(THRESHOLDS):
        annotated = ~np.isnan(targets[:, term])
        truth, score = targets[annotated, term], probabilities[annotated, term]
        called = score >= threshold
        expected = {
            "auroc": roc_auc_score(truth, score),
            "ap": average_precision_score(truth, score),
            "brier": brier_score_loss(truth, score),
            "brier_calibrated": brier_score_loss(truth, score**2),
            "sensitivity": recall_score(truth, called),
            "specificity": recall_score(truth, called, pos_label=0),
            "ppv": precision_score(truth, called),
            "npv": precision_score(1 - truth, ~called),
            "gmean": np.sqrt(recall_score(truth, called) * recall_score(truth, called, pos_label=0)),
            "f1": f1_score(truth, called),
            "f2": fbeta_score(truth, called, beta=2),
        }
        values = {name: measured.terms[name][resample, term] for name in expected}
        assert values == pytest.approx(expected, abs=1e-12)


def test_the_averages_are_scikit_learns(outputs: Outputs, measured: Resampled) -> None:
    if np.isnan(outputs.targets).any():
        pytest.skip("scikit-learn's averages have no missing labels")
    for resample in (0, 5):
        targets, probabilities = drawn(outputs, resample)
        called = probabilities >= THRESHOLDS
        for average in ("macro", "micro", "weighted"):
            expected = {
                "auroc": roc_auc_score(targets, probabilities, average=average),
                "ap": average_precision_score(targets, probabilities, average=average),
                "sensitivity": recall_score(targets, called, average=average),
                "ppv": precision_score(targets, called, average=average),
                "f1": f1_score(targets, called, average=average),
                "f2": fbeta_score(targets, called, beta=2, average=average),
            }
            values = {name: measured.averages[average][name][resample] for name in expected}
            assert values == pytest.approx(expected, abs=1e-12)


def test_on_all_records_they_are_the_plain_metrics(outputs: Outputs, measured: Resampled) -> None:
    plain = operating_point(outputs.probabilities, outputs.targets, THRESHOLDS)
    plain |= {"ece": expected_calibration_error(outputs.probabilities, outputs.targets)}
    plain |= {"brier": brier(outputs.probabilities, outputs.targets)}
    for name, values in plain.items():
        assert measured.terms[name][0] == pytest.approx(values, abs=1e-12)
        assert measured.averages["macro"][name][0] == pytest.approx(values.mean(), abs=1e-12)
    pairs = ~np.isnan(outputs.targets)
    pooled = expected_calibration_error(outputs.probabilities[pairs][:, None], outputs.targets[pairs][:, None])
    assert measured.averages["micro"]["ece"][0] == pytest.approx(pooled[0], abs=1e-12)


def test_the_bins_of_the_calibration_error_are_those_of_all_records() -> None:
    probabilities, targets = np.array([[0.1], [0.1], [0.9], [0.9]]), np.array([[0.0], [1], [1], [1]])
    values = resampled(Outputs.of(probabilities, targets), resamples=4).terms["ece"][:, 0]
    weights = np.hstack([np.ones((4, 1)), *resample_weights(4, None, 4, 0)])
    gaps = abs((weights[0] * 0.1) - weights[1] * 0.9) + 0.1 * (weights[2] + weights[3])
    assert values == pytest.approx(gaps / 4)


def test_what_does_not_exist_is_nan_and_in_no_average() -> None:
    nan = np.nan
    targets = np.array([[1, 0, nan, 1], [0, 0, nan, 0], [0, 0, nan, 1]])
    outputs = Outputs.of(np.full((3, 4), 0.5), targets, [0.4, 0.4, 0.4, nan])
    measured = resampled(outputs, resamples=5)
    assert np.array_equal(measured.terms["auroc"][0], [0.5, nan, nan, 0.5], equal_nan=True)
    assert np.array_equal(measured.terms["sensitivity"][0], [1, nan, nan, nan], equal_nan=True)
    assert np.array_equal(measured.terms["brier"][0], [0.25, 0.25, nan, 0.25], equal_nan=True)
    assert measured.averages["macro"]["auroc"][0] == measured.averages["micro"]["auroc"][0] == 0.5
    assert measured.averages["weighted"]["specificity"][0] == 0  # that of the first term, the one with a positive
    empty = resampled(Outputs.of(np.empty((0, 2)), np.empty((0, 2))), resamples=3)
    assert all(np.isnan(values).all() for values in (*empty.terms.values(), *empty.averages["micro"].values()))
