import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, fbeta_score, precision_score, recall_score

from ecg_lightning.metrics import choose_thresholds, confusion, operating_point


def test_rates_by_hand() -> None:
    # 3 of 4 positives found, 2 false alarms among 6 negatives
    targets = np.array([1] * 4 + [0] * 6 + [np.nan])[:, None]
    scores = np.array([0.9, 0.8, 0.5, 0.1, 0.7, 0.6, 0.2, 0.2, 0.2, 0.2, 0.9])[:, None]
    assert [int(n[0]) for n in confusion(scores, targets, 0.5)] == [3, 2, 4, 1]
    expected = {"sensitivity": 3 / 4, "specificity": 4 / 6, "ppv": 3 / 5, "npv": 4 / 5, "gmean": 0.5**0.5}
    expected |= {"f1": 6 / 9, "f2": 15 / 21}
    assert {name: value[0] for name, value in operating_point(scores, targets, [0.5]).items()} == pytest.approx(
        expected
    )


@pytest.mark.parametrize("seed", range(4))
def test_rates_equal_to_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets, scores = (rng.random((300, 5)) < 0.2).astype(float), np.round(rng.random((300, 5)), 1)
    targets[rng.random((300, 5)) < 0.2] = np.nan
    thresholds = np.array([0.2, 0.3, 0.5, 0.7, 0.95])
    counts, values = confusion(scores, targets, thresholds), operating_point(scores, targets, thresholds)
    for term, threshold in enumerate(thresholds):
        annotated = ~np.isnan(targets[:, term])
        truth, predicted = targets[annotated, term], scores[annotated, term] >= threshold
        tn, fp, fn, tp = confusion_matrix(truth, predicted).ravel()
        assert [int(n[term]) for n in counts] == [tp, fp, tn, fn]
        assert values["ppv"][term] == pytest.approx(precision_score(truth, predicted))
        assert values["sensitivity"][term] == pytest.approx(recall_score(truth, predicted))
        assert values["specificity"][term] == pytest.approx(recall_score(truth, predicted, pos_label=0))
        assert values["npv"][term] == pytest.approx(precision_score(truth, predicted, pos_label=0))
        assert values["f1"][term] == pytest.approx(fbeta_score(truth, predicted, beta=1))
        assert values["f2"][term] == pytest.approx(fbeta_score(truth, predicted, beta=2))


def test_rates_that_do_not_exist_are_nan() -> None:
    nan = np.nan
    targets = np.array([[1, 0, nan, 1], [1, 0, nan, 0]])
    values = operating_point(np.array([[0.9] * 4, [0.8] * 4]), targets, [0.5, 0.5, 0.5, 0.95])
    assert np.array_equal(values["sensitivity"], [1, nan, nan, 0], equal_nan=True)
    assert np.array_equal(values["specificity"], [nan, 0, nan, 1], equal_nan=True)
    assert np.array_equal(values["gmean"], [nan, nan, nan, 0], equal_nan=True)
    assert np.array_equal(values["ppv"], [1, nan, nan, nan], equal_nan=True)  # the last calls nobody positive
    assert np.array_equal(values["f1"], [1, nan, nan, 0], equal_nan=True)


def test_optimum_lies_half_way_between_scores_far_beyond_one_half() -> None:
    # a positive weight pushes scores up: .96 separates, a grid to .9 would not find it
    scores = np.array([[0.99], [0.97], [0.95], [0.94], [0.91]])
    targets = np.array([[1], [1], [0], [0], [0]])
    assert choose_thresholds(scores, targets) == pytest.approx([0.96], abs=1e-12)


@pytest.mark.parametrize("levels", [6, 40, 10**6])
@pytest.mark.parametrize("objective", ["paper", "fbeta", "gmean", "youden"])
def test_no_other_threshold_is_better(objective: str, levels: int) -> None:
    rng = np.random.default_rng(levels)
    targets = (rng.random((150, 6)) < 0.15).astype(float)
    scores = np.round((rng.random((150, 6)) + 0.3 * targets) * levels) / levels  # few levels: ties
    targets[rng.random((150, 6)) < 0.1] = np.nan

    def value(thresholds: np.ndarray) -> np.ndarray:
        at = operating_point(scores, targets, thresholds)
        at["fbeta"] = at["f1"]
        at["paper"], at["youden"] = 0.8 * at["gmean"] + 0.2 * at["f1"], at["sensitivity"] + at["specificity"] - 1
        return at[objective]

    best = value(choose_thresholds(scores, targets, objective))
    every = np.unique(np.concatenate([scores.ravel(), [-1.0, 2.0]]))
    assert best == pytest.approx(np.max([value(np.full(6, threshold)) for threshold in every], axis=0), abs=1e-12)


def test_a_sensitivity_or_specificity_is_reached() -> None:
    scores = np.arange(1.0, 11)[:, None]  # positives 4 6 8 9 10, negatives 1 2 3 5 7
    targets = np.isin(scores, [4, 6, 8, 9, 10])
    assert choose_thresholds(scores, targets, "sensitivity", level=0.8) == [5.5]  # 4 of 5 positives: 6 and above
    assert choose_thresholds(scores, targets, "sensitivity", level=1) == [3.5]
    assert choose_thresholds(scores, targets, "specificity", level=1) == [7.5]
    assert choose_thresholds(scores, targets, "specificity", level=0.8) == [5.5]
    # the highest scores are negatives: specificity 1 needs a threshold above all
    above = choose_thresholds(scores, ~targets, "specificity", level=1)
    assert above > 10 and confusion(scores, ~targets, above).false_positive == [0]


def test_fallback_where_validation_cannot_tell() -> None:
    nan = np.nan
    targets = np.array([[0, 1, nan, 1], [0, 1, nan, 0]])
    scores = np.array([[0.3, 0.3, 0.3, 0.8], [0.1, 0.1, 0.1, 0.2]])
    assert choose_thresholds(scores, targets).tolist() == [0.5, 0.5, 0.5, 0.5]
    assert choose_thresholds(scores, targets, fallback=0).tolist() == [0, 0, 0, 0.5]
    assert choose_thresholds(np.empty((0, 2)), np.empty((0, 2))).tolist() == [0.5, 0.5]


def test_neighbouring_and_infinite_scores_are_separated() -> None:
    low = 0.3
    high = np.nextafter(low, 1)
    for scores in ([[high], [low]], [[np.inf], [-np.inf]], [[1e308], [-1e308]], [[np.inf], [0.0]], [[0.0], [-np.inf]]):
        threshold = choose_thresholds(scores, [[1], [0]])
        assert operating_point(scores, [[1], [0]], threshold)["gmean"] == [1]


def test_nothing_is_decided_without_a_threshold() -> None:
    scores, targets = np.array([[0.9, 0.9], [0.1, 0.1]]), np.array([[1, 1], [0, 0]])
    assert [count.tolist() for count in confusion(scores, targets, [0.5, np.nan])] == [[1, 0], [0, 0], [1, 0], [0, 0]]
    values = operating_point(scores, targets, [0.5, np.nan])
    assert all(value[0] == 1 and np.isnan(value[1]) for value in values.values())


def test_all_scores_equal() -> None:
    threshold = choose_thresholds([[0.4]] * 3, [[1], [0], [0]], "fbeta")
    assert operating_point([[0.4]] * 3, [[1], [0], [0]], threshold)["sensitivity"] == [1]


def test_mistakes_are_named() -> None:
    scores, targets = np.zeros((2, 3)), np.zeros((2, 3))
    with pytest.raises(ValueError, match="give one number, or one for each of 3 terms"):
        confusion(scores, targets, [0.5, 0.5])
    with pytest.raises(ValueError, match="objective is 'accuracy': choose one of paper, youden, gmean, fbeta"):
        choose_thresholds(scores, targets, "accuracy")
    with pytest.raises(ValueError, match="level is 95: a sensitivity or specificity lies between 0 and 1"):
        choose_thresholds(scores, targets, "sensitivity", level=95)
