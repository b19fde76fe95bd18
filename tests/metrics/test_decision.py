import numpy as np
import pytest
from scipy.special import expit, logit

from ecg_lightning.errors import UserError
from ecg_lightning.metrics import choose_thresholds, fit_calibration, operating_point
from ecg_lightning.metrics.decision import Decision

RNG = np.random.default_rng(0)
TARGETS = (RNG.random((200, 3)) < 0.3).astype(float)
LOGITS = RNG.normal(size=TARGETS.shape) + 1.5 * TARGETS - 1


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({}, "paper"),
        ({"threshold": "youden"}, "youden"),
        ({"threshold": "gmean"}, "gmean"),
        ({"threshold": "fbeta"}, "f1"),
        ({"threshold": "fbeta", "beta": 2.0}, "f2"),
        ({"threshold": "sensitivity", "level": 0.95}, "sensitivity 0.95"),
        ({"threshold": "specificity"}, "specificity 0.9"),
    ],
)
def test_each_rule_is_named_and_chooses(values: dict[str, object], rule: str) -> None:
    decision = Decision(**values)  # type: ignore[arg-type]
    assert decision.rule == rule
    thresholds = decision.thresholds(LOGITS, TARGETS)
    at = operating_point(expit(LOGITS), TARGETS, thresholds)
    objective, beta = decision.threshold, decision.beta
    expected = choose_thresholds(expit(LOGITS), TARGETS, objective, beta=beta, level=decision.level)
    assert thresholds.tolist() == expected.tolist()
    if decision.threshold in ("sensitivity", "specificity"):
        assert (at[decision.threshold] >= decision.level).all()


def test_a_larger_beta_prefers_sensitivity() -> None:
    operating_points = [
        operating_point(expit(LOGITS), TARGETS, Decision("fbeta", beta=beta).thresholds(LOGITS, TARGETS))
        for beta in (0.5, 1, 2)
    ]
    assert (np.diff([at["sensitivity"] for at in operating_points], axis=0) >= 0).all()
    assert operating_points[2]["f2"].mean() > operating_points[0]["f2"].mean()


def test_calibrations() -> None:
    assert Decision(calibration="none").calibrate(LOGITS, TARGETS).apply(LOGITS) == pytest.approx(expit(LOGITS))
    for method in ("platt", "temperature"):
        calibration = Decision(calibration=method).calibrate(LOGITS, TARGETS)
        expected = fit_calibration(LOGITS, TARGETS, method)
        assert calibration.slope.tolist() == expected.slope.tolist()
        assert calibration.intercept.tolist() == expected.intercept.tolist()
    assert logit(0.5) == 0 and not Decision(calibration="temperature").calibrate(LOGITS, TARGETS).intercept.any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"threshold": "accuracy"}, "decision.threshold"),
        ({"level": 95}, r"decision.level=95 must be a number from 0 to 1"),
        ({"beta": 0}, "decision.beta"),
        ({"calibration": "isotonic"}, "decision.calibration"),
    ],
)
def test_mistakes_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Decision(**values)  # type: ignore[arg-type]
