from unittest.mock import Mock

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from ecg_lightning.metrics import auroc, auroc_differences, auroc_intervals, bootstrap
from ecg_lightning.metrics.bootstrap import resample_weights, resampled_auroc
from ecg_lightning.metrics.pairs import Floats


def random_pairs(records: int, terms: int, seed: int = 0, shift: float = 1) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    targets = (rng.random((records, terms)) < rng.uniform(0.02, 0.5, terms)).astype(float)
    targets[:2] = [[1.0], [0.0]]
    return rng.normal(size=(records, terms)) + shift * targets, targets


@pytest.mark.parametrize("decimals", [0, 6])  # 0 makes many ties
def test_equal_to_scikit_learn_on_the_same_resamples(decimals: int) -> None:
    scores, targets = random_pairs(120, 4)
    scores = np.round(scores, decimals)
    targets[np.random.default_rng(1).random(targets.shape) < 0.2] = np.nan
    patients = np.arange(120) // 3 + 10
    areas = resampled_auroc(scores, targets, patients, resamples=40, seed=3)
    rng = np.random.default_rng(3)
    for resample in range(40):
        records = np.concatenate([np.flatnonzero(patients == 10 + patient) for patient in rng.integers(0, 40, 40)])
        for term in range(4):
            truth, score = targets[records, term], scores[records, term]
            annotated = ~np.isnan(truth)
            if np.unique(truth[annotated]).size < 2:
                assert np.isnan(areas[resample, term])
            else:
                assert areas[resample, term] == pytest.approx(
                    roc_auc_score(truth[annotated], score[annotated]), abs=1e-12
                )


def test_intervals_are_percentiles_of_the_resamples() -> None:
    scores, targets = random_pairs(200, 3)
    areas = resampled_auroc(scores, targets, resamples=200, seed=5)
    intervals = auroc_intervals(scores, targets, resamples=200, seed=5, level=0.9)
    for term in range(3):
        assert intervals.terms[term].estimate == auroc(scores, targets)[term]
        assert intervals.terms[term][1:3] == pytest.approx(np.nanpercentile(areas[:, term], [5, 95]))
    assert intervals.macro == (auroc(scores, targets).mean(), *np.percentile(np.nanmean(areas, axis=1), [5, 95]), 200)


def test_resamples_without_a_class_are_left_out() -> None:
    scores, targets = random_pairs(100, 2)
    targets[:, 0] = 0
    targets[0, 0] = 1  # absent from a resample with the chance (1 - 1/100)^100 = .366
    rare, common = auroc_intervals(scores, targets).terms
    assert common.resamples == 1000
    assert rare.resamples == pytest.approx(634, abs=5 * 15)
    assert not np.isnan(rare.low + rare.high)


def test_patients_are_drawn_whole() -> None:
    scores, targets = random_pairs(60, 3)
    patients = np.repeat(np.arange(60), 4).astype(str)
    fourfold = auroc_intervals(np.repeat(scores, 4, axis=0), np.repeat(targets, 4, axis=0), patients)
    single = auroc_intervals(scores, targets, np.arange(60).astype(str))
    assert np.array(fourfold.terms) == pytest.approx(np.array(single.terms), abs=1e-12)  # copies add no certainty


def test_unknown_patients_are_different_people() -> None:
    names = np.array(["", "a", "", "a", ""])
    (weights,) = resample_weights(5, names, 300, 0)
    assert np.array_equal(weights[1], weights[3])
    assert not np.array_equal(weights[0], weights[2]) and not np.array_equal(weights[0], weights[4])
    assert (weights[[0, 1, 2, 4]].sum(axis=0) == 4).all()


def test_paired_difference() -> None:
    rng = np.random.default_rng(0)
    scores, targets = random_pairs(400, 3)
    worse = scores + rng.normal(scale=0.5, size=scores.shape)
    gain = auroc_differences(scores, worse, targets).macro
    assert gain.estimate == pytest.approx(np.mean(auroc(scores, targets) - auroc(worse, targets)))
    assert 0 < gain.low < gain.estimate < gain.high
    interval = auroc_intervals(scores, targets).macro
    assert gain.high - gain.low < (interval.high - interval.low) / 1.5  # what is hard for both cancels
    assert auroc_differences(scores, 2 * scores, targets).macro[:3] == (0, 0, 0)
    back = auroc_differences(worse, scores, targets).macro
    assert (back.low, back.high) == pytest.approx((-gain.high, -gain.low))


def test_of_several_networks_the_mean_of_their_areas_is_resampled() -> None:
    first, targets = random_pairs(80, 3)
    second = random_pairs(80, 3, seed=1)[0]
    patients = np.arange(80) // 2
    intervals = auroc_intervals(np.stack([first, second]), targets, patients, resamples=60)
    areas = [resampled_auroc(scores, targets, patients, resamples=60) for scores in (first, second)]
    mean = (areas[0] + areas[1]) / 2
    assert intervals.terms[1].estimate == pytest.approx((auroc(first, targets)[1] + auroc(second, targets)[1]) / 2)
    assert intervals.terms[1][1:3] == pytest.approx(np.nanpercentile(mean[:, 1], [2.5, 97.5]))
    gain = auroc_differences(np.stack([first, second]), second, targets, patients, resamples=60)
    half = np.nanmean(areas[0] - areas[1], axis=1) / 2  # mean of both, minus the second
    assert gain.macro[1:3] == pytest.approx(np.nanpercentile(half, [2.5, 97.5]))


def test_coverage() -> None:
    """Normal scores one standard deviation apart have AUROC Φ(1/√2); the intervals should hold it as often as they say."""
    rng = np.random.default_rng(0)
    targets = (rng.random((150, 400)) < 0.4).astype(float)  # 400 experiments at once, as terms
    intervals = auroc_intervals(rng.normal(size=targets.shape) + targets, targets, resamples=400, level=0.9).terms
    coverage = np.mean([interval.low <= norm.cdf(0.5**0.5) <= interval.high for interval in intervals])
    assert 0.86 < coverage < 0.94


def test_the_size_of_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, targets = random_pairs(100, 3)
    whole = resampled_auroc(scores, targets, resamples=50)
    monkeypatch.setattr("ecg_lightning.metrics.bootstrap.CHUNK", 0)  # 16 resamples at once
    assert len(list(resample_weights(100, None, 50, 0))) == 4
    assert np.array_equal(resampled_auroc(scores, targets, resamples=50), whole)
    assert not np.array_equal(resampled_auroc(scores, targets, resamples=50, seed=1), whole)


def test_nothing_to_resample() -> None:
    nan = np.nan
    for targets in (np.empty((0, 2)), np.full((5, 2), nan), np.ones((1, 2)), np.zeros((5, 2))):
        intervals = auroc_intervals(np.zeros(targets.shape), targets, resamples=20)
        for interval in (*intervals.terms, intervals.macro):
            assert interval == pytest.approx((nan, nan, nan, 0), nan_ok=True)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"patients have the shape \(3,\): give one a record, \(4,\)"):
        auroc_intervals(np.zeros((4, 1)), np.zeros((4, 1)), ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"both must be \(records, terms\)"):
        auroc_differences(np.zeros((4, 1)), np.zeros((4, 2)), np.zeros((4, 1)))


@pytest.mark.parametrize("resamples", [1, 1000])
def test_scores_are_sorted_once_for_all_resamples(resamples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand resamples of PTB-XL take half a second so; sorted for each, as by scikit-learn, minutes."""
    runs = Mock(side_effect=bootstrap._class_runs)
    monkeypatch.setattr(bootstrap, "_class_runs", runs)
    resampled_auroc(*random_pairs(60, 5), resamples=resamples)
    assert runs.call_count == 5
