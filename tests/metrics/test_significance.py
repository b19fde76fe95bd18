import numpy as np
import pytest
from scipy.stats import norm, rankdata

from ecg_lightning.metrics import auroc, delong, holm
from ecg_lightning.metrics.significance import delong_error

OVARIAN = """
3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1 3.8 5.7 5 1 3.7 6.7 6 1
3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0 4.0 6.6 6 0 3.5 5.8 6 1
3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1 4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1
3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1 2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1
3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1
"""
"""Albumin, total protein, K-G score and outcome of the patients in the paper of DeLong et al., complete cases."""


def test_delong_on_the_papers_patients() -> None:
    """Areas and standard errors as SAS's PROC LOGISTIC prints them in its example of the paper."""
    albumin, protein, kg_score, outcome = np.array(OVARIAN.split(), float).reshape(-1, 4).T
    for scores, area, error in ((albumin, 0.7366, 0.0927), (protein, 0.6478, 0.1000), (10 - kg_score, 0.7258, 0.1028)):
        assert delong_error(scores, outcome) == pytest.approx((area, error), abs=5e-5)
    bounds = delong(np.stack([albumin, protein], 1), np.stack([outcome] * 2, 1))
    assert bounds[0] == pytest.approx([0.5549, 0.9182], abs=1e-4) and bounds[1, 0] == pytest.approx(0.4518, abs=1e-4)


def test_delong_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(60) < 0.3
    scores = np.round(rng.normal(size=60) + positive, 1)  # ties
    above, below = scores[positive][:, None], scores[~positive]
    kernel = (above > below) + 0.5 * (above == below)
    variance = kernel.mean(1).var(ddof=1) / len(above) + kernel.mean(0).var(ddof=1) / len(below)
    assert delong_error(scores, positive) == pytest.approx((kernel.mean(), variance**0.5))
    assert kernel.mean() == pytest.approx((rankdata(scores)[positive].mean() - (len(above) + 1) / 2) / len(below))


def test_delong_covers() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((150, 300)) < 0.4).astype(float)
    bounds = delong(rng.normal(size=targets.shape) + targets, targets, level=0.9)
    assert 0.86 < np.mean((bounds[:, 0] <= norm.cdf(0.5**0.5)) & (norm.cdf(0.5**0.5) <= bounds[:, 1])) < 0.94


def test_delong_where_there_is_little() -> None:
    nan = np.nan
    targets = np.array([[1, 1, nan, 1], [0, 1, nan, 1], [0, 1, 1, 0], [nan, 1, 0, 0]])
    scores = np.array([[0.9, 0.5, 0.5, 0.9], [0.1, 0.5, 0.5, 0.8], [0.2, 0.5, 0.9, 0.1], [0.5] * 4])
    bounds = delong(scores, targets)
    assert np.isnan(bounds[:3]).all()  # one positive; no negative; one of each
    assert bounds[3].tolist() == [1, 1]  # separated: the method finds no variance
    assert auroc(scores, targets)[3] == 1


def test_holm_by_hand() -> None:
    # .01 · 4, .02 · 3 = .06, .02 · 2 = .04 and so .06, .5 · 1
    assert holm([0.02, 0.5, 0.01, 0.02]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert holm([0.6, float("nan"), 0.7]) == pytest.approx([1, float("nan"), 1], nan_ok=True)
    assert holm([]) == []
