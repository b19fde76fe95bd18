from collections.abc import Callable
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, roc_auc_score

from ecg_lightning.metrics import auroc, average_precision, macro, ranking
from ecg_lightning.metrics.pairs import Floats

Metric = Callable[[ArrayLike, ArrayLike], Floats]


def random_pairs(records: int, terms: int, seed: int, levels: int = 0) -> tuple[Floats, Floats]:
    """Imbalanced targets, a fifth of them not annotated, and scores that know something; `levels` of them make ties."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((records, terms)) < rng.uniform(0.02, 0.6, terms)).astype(float)
    targets[:2] = [[1.0], [0.0]]
    scores = rng.normal(size=(records, terms)) + targets
    if levels:
        scores = np.round(scores * levels / 4)
    targets[rng.random((records, terms)) < 0.2] = np.nan
    targets[:2] = [[1.0], [0.0]]
    return scores, targets


def test_auroc_by_hand() -> None:
    # positives .8 .4, negatives .4 .1: pairs won 1, 1, ½, 1
    scores = np.array([[0.8], [0.4], [0.4], [0.1], [0.9]])
    targets = np.array([[1], [1], [0], [0], [np.nan]])
    assert auroc(scores, targets) == pytest.approx([3.5 / 4], abs=1e-15)


def test_average_precision_by_hand() -> None:
    # in descending order + - +: precision 1 at the first positive, 2/3 at the second
    scores, targets = np.array([[3.0], [2.0], [1.0]]), np.array([[1], [0], [1]])
    assert average_precision(scores, targets) == pytest.approx([(1 + 2 / 3) / 2], abs=1e-15)


@pytest.mark.parametrize("levels", [0, 3, 12])
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn(seed: int, levels: int) -> None:
    scores, targets = random_pairs(400, 9, seed, levels)
    areas, precisions = auroc(scores, targets), average_precision(scores, targets)
    for term in range(9):
        annotated = ~np.isnan(targets[:, term])
        assert areas[term] == pytest.approx(roc_auc_score(targets[annotated, term], scores[annotated, term]), abs=1e-12)
        expected = average_precision_score(targets[annotated, term], scores[annotated, term])
        assert precisions[term] == pytest.approx(expected, abs=1e-12)


def test_rank_only() -> None:
    scores, targets = random_pairs(300, 4, 1)
    assert np.array_equal(auroc(scores, targets), auroc(np.exp(scores / 3), targets))
    assert auroc(-scores, targets) == pytest.approx(1 - auroc(scores, targets), abs=1e-15)


def test_infinite_logits_have_a_rank() -> None:
    assert auroc([[np.inf], [-np.inf], [0.0]], [[1], [0], [1]]) == [1.0]


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_terms_without_both_classes_are_nan(metric: Metric) -> None:
    nan = np.nan
    targets = np.array([[1, 0, nan, nan, 1], [1, 0, nan, 1, 0]], float)
    values = metric(np.array([[0.9] * 5, [0.1] * 5]), targets)
    assert np.array_equal(np.isnan(values), [True, True, True, True, False])
    assert values[4] == 1
    assert np.isnan(metric(np.empty((0, 3)), np.empty((0, 3)))).all()
    assert np.isnan(metric([[0.5]], [[1]])).all()
    assert metric(np.empty((4, 0)), np.empty((4, 0))).shape == (0,)


def test_macro() -> None:
    assert macro([0.5, 0.7, np.nan]) == pytest.approx(0.6)
    assert np.isnan(macro([np.nan, np.nan]))
    assert np.isnan(macro([]))


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_mistakes_are_named(metric: Metric) -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\) and targets \(3, 1\): both must be \(records, terms\)"):
        metric(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"both must be \(records, terms\)"):
        metric(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match=r"the target of record 1, term 0 is 2.0: use 1, 0 or NaN"):
        metric(np.zeros((2, 1)), [[0], [2]])
    with pytest.raises(ValueError, match=r"1 scores are NaN, the first at record 0, term 1"):
        metric([[0.1, np.nan], [0.2, 0.3]], [[0, 1], [1, 0]])
    assert metric([[0.1], [np.nan], [0.3]], [[0], [np.nan], [1]]) == [1.0]  # a NaN that nothing is asked of


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_each_term_is_sorted_once(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that PTB-XL's 71 terms take tens of milliseconds after every epoch."""
    counts = Mock(side_effect=ranking.cumulative_counts)
    monkeypatch.setattr(ranking, "cumulative_counts", counts)
    metric(*random_pairs(60, 5, 0))
    assert counts.call_count == 5
