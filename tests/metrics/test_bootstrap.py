from unittest.mock import Mock

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from ecg_lightning.metrics import Outputs, auroc, auroc_differences, auroc_intervals, compare, ranks
from ecg_lightning.metrics.bootstrap import difference, resampled_auroc
from ecg_lightning.metrics.pairs import Floats
from ecg_lightning.metrics.resampling import draw_runs, resample_weights, resample_with_every_class


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
    areas = resampled_auroc(scores, targets, patients, resamples=40, seed=3)[1:]
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
    areas = resampled_auroc(scores, targets, resamples=200, seed=5)[1:]
    intervals = auroc_intervals(scores, targets, resamples=200, seed=5, level=0.9)
    for term in range(3):
        assert intervals.terms[term].estimate == auroc(scores, targets)[term]
        assert intervals.terms[term][1:3] == pytest.approx(np.nanpercentile(areas[:, term], [5, 95]))
    assert intervals.macro == (auroc(scores, targets).mean(), *np.percentile(np.nanmean(areas, axis=1), [5, 95]), 200)


def test_resamples_without_a_class_are_left_out() -> None:
    scores, targets = random_pairs(100, 2)
    targets[:, 0] = 0
    targets[:2, 0] = 1  # absent from a resample with the chance (1 - 2/100)^100 = .133
    rare, common = auroc_intervals(scores, targets).terms
    assert common.resamples == 1000
    assert rare.resamples == pytest.approx(867, abs=5 * 11)
    assert not np.isnan(rare.low + rare.high)


def test_a_single_positive_patient_has_neither_interval_nor_p_value() -> None:
    scores, targets = random_pairs(100, 2)
    targets[:, 0] = 0
    targets[:3, 0] = 1
    patients = np.array(["one"] * 3 + [f"p{k}" for k in range(97)])
    single, common = auroc_intervals(scores, targets, patients).terms
    assert single.estimate == auroc(scores, targets)[0] and (single.resamples, common.resamples) == (0, 1000)
    other = compare(
        [Outputs.of(scores, targets, 0.5)], [Outputs.of(scores[::-1], targets, 0.5)], patients, resamples=50
    )
    assert np.isnan(other.terms["auroc"][0].p) and other.terms["specificity"][0].resamples == 50
    assert not np.isnan(other.terms["auroc"][1].p)


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


def test_of_several_runs_each_resample_draws_all_but_one() -> None:
    first, targets = random_pairs(80, 3)
    second = random_pairs(80, 3, seed=1)[0]
    patients = np.arange(80) // 2
    runs = np.stack([first, second])
    intervals = auroc_intervals(runs, targets, patients, resamples=60)
    areas = np.stack([resampled_auroc(scores, targets, patients, resamples=60) for scores in runs])
    weights = draw_runs(2, 60, 0)
    assert {tuple(row) for row in weights[1:]} == {(1.0, 0.0), (0.0, 1.0)} and weights[0].tolist() == [0.5, 0.5]
    drawn = areas[weights[1:].argmax(axis=1), np.arange(1, 61)]
    assert intervals.terms[1].estimate == pytest.approx(areas[:, 0, 1].mean())
    assert intervals.terms[1][1:3] == pytest.approx(np.nanpercentile(drawn[:, 1], [2.5, 97.5]))
    gain = auroc_differences(runs, second, targets, patients, resamples=60)  # of a single run there is nothing to draw
    assert gain.macro.estimate == pytest.approx(np.mean(areas[:, 0].mean(axis=0) - areas[1, 0]))


def test_the_drawn_runs_have_the_variance_of_their_mean() -> None:
    values = np.array([0.90, 0.93, 0.99])  # three seeds
    means = draw_runs(3, 40_000, 0)[1:] @ values
    assert means.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.03)
    assert draw_runs(1, 5, 0).tolist() == [[1.0]] * 6


def test_the_interval_of_several_runs_covers_other_seeds() -> None:
    """Many records and seeds that differ: nearly all of the uncertainty is that of the seeds."""
    rng = np.random.default_rng(0)
    targets = (rng.random((1000, 1)) < 0.5).astype(float)
    runs = np.stack([rng.normal(size=targets.shape) + shift * targets for shift in (0.6, 1.0, 1.4)])
    several = auroc_intervals(runs, targets, resamples=100).macro
    one = auroc_intervals(runs[1], targets, resamples=100).macro
    assert several.high - several.low > 2 * (one.high - one.low)
    paired = auroc_differences(runs + 0.5 * targets, runs, targets, resamples=100).macro
    unpaired = auroc_differences(runs[:2] + 0.5 * targets, runs, targets, resamples=100).macro
    assert paired.low > 0  # run k is compared with run k, which shares its seed
    assert unpaired.high - unpaired.low > 2 * (paired.high - paired.low)


def test_p_values() -> None:
    assert difference(np.array([0.3, *np.linspace(-0.01, 1, 99)])).p == pytest.approx(2 * 2 / 100)  # one of 99 below 0
    assert difference(np.array([0.3, *np.full(99, 0.2)])).p == pytest.approx(2 / 100)  # never 0
    assert difference(np.zeros(100)).p == 1
    assert np.isnan(difference(np.array([np.nan] * 9)).p) and np.isnan(difference(np.array([0.3])).p)


def test_p_values_under_the_null_are_uniform() -> None:
    """Two models that are equally good: a p-value of .1 or less should come in one of ten experiments."""
    rng = np.random.default_rng(0)
    targets = (rng.random((100, 250)) < 0.4).astype(float)  # 250 experiments at once, as terms
    first, second = (rng.normal(size=targets.shape) + targets for _ in range(2))
    p_values = np.array([term.p for term in auroc_differences(first, second, targets, resamples=200).terms])
    assert 0.06 < np.mean(p_values <= 0.1) < 0.16
    assert 0.4 < np.mean(p_values <= 0.5) < 0.6


def test_every_metric_is_compared_in_the_same_resamples() -> None:
    rng = np.random.default_rng(3)
    scores, targets = random_pairs(200, 3)
    patients = np.arange(200) // 2
    worse = scores + rng.normal(scale=1.5, size=scores.shape)
    better, worse = (Outputs.of(expit(logits), targets, 0.6) for logits in (scores, worse))
    comparison = compare([better], [worse], patients, resamples=100)
    areas = auroc_differences(better.probabilities, worse.probabilities, targets, patients, resamples=100)
    assert np.array(comparison.terms["auroc"]) == pytest.approx(np.array(areas.terms))
    assert comparison.averages["macro"]["auroc"] == pytest.approx(areas.macro)
    assert comparison.averages["micro"]["brier"].high < 0 < comparison.averages["weighted"]["sensitivity"].estimate
    same = compare([better, better], [better, better], patients, resamples=20).averages["macro"]["f1"]
    assert same[:3] == (0, 0, 0) and same.p == 1


def test_of_one_patient_there_are_no_intervals() -> None:
    scores, targets = random_pairs(30, 2)
    patients = np.zeros(30, int)
    interval = auroc_intervals(scores, targets, patients).macro
    assert interval.estimate == auroc(scores, targets).mean() and interval.resamples == 0 and np.isnan(interval.low)
    gain = auroc_differences(np.stack([scores] * 2), np.stack([scores] * 2), targets, patients).macro
    assert gain.resamples == 0 and np.isnan(gain.p)
    comparison = compare([Outputs.of(expit(scores), targets)] * 2, [Outputs.of(expit(scores), targets)], patients)
    assert np.isnan(comparison.averages["macro"]["ap"].low)
    assert auroc_intervals(scores, targets, [""] * 30).macro.resamples > 0  # unknown patients are different people


def test_the_benchmark_draws_records_until_every_class_is_there() -> None:
    targets = np.zeros((40, 3))
    targets[:4, 0] = targets[4:30, 1] = 1  # the last term has no positive, and cannot be asked for
    weights, draws = resample_with_every_class(targets, 200, 0)
    assert weights.shape == (40, 200) and (weights.sum(axis=0) == 40).all()
    assert (weights[:4].sum(axis=0) > 0).all() and (weights[4:30].sum(axis=0) > 0).all()
    assert draws > 200
    rng = np.random.default_rng(0)
    first = next(rows for rows in (rng.integers(0, 40, 40) for _ in range(99)) if targets[rows, :2].sum(axis=0).all())
    assert weights[:, 0].tolist() == np.bincount(first, minlength=40).tolist()
    rare = np.eye(12)  # all of 12 records in one resample of 12: the chance is 12!/12¹² = 5e-5
    few, most = resample_with_every_class(rare, 10, 0)
    assert few.shape == (12, 0) and most == 200


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
    monkeypatch.setattr("ecg_lightning.metrics.resampling.CHUNK", 0)  # 16 resamples at once
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
    runs = Mock(side_effect=ranks.runs_of)
    monkeypatch.setattr(ranks, "runs_of", runs)
    resampled_auroc(*random_pairs(60, 5), resamples=resamples)
    assert runs.call_count == 5
