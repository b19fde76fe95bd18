"""When the heart beats: intervals of each rhythm, extrasystoles and their pauses, by their definitions."""

import numpy as np
import pytest

from ecg_lightning.simulator import TERMS, Hospital, simulate
from ecg_lightning.simulator.conditions import Conditions, draw_conditions
from ecg_lightning.simulator.hospital import Readers
from ecg_lightning.simulator.rhythm import ATRIAL, NORMAL, SHORTEST, VENTRICULAR, Beats, draw_beats, flutter_cycle
from ecg_lightning.simulator.rng import Draws
from simulator.reading import HEALTHY, labelled


def draw(records: int = 600, **prevalence: float) -> tuple[Conditions, Beats, Draws]:
    hospital = Hospital(age=60, prevalence=HEALTHY | prevalence)
    conditions, _, draws = draw_conditions(hospital, np.arange(records), 0)
    return conditions, draw_beats(conditions, draws, 10), draws


def relative(conditions: Conditions, beats: Beats) -> np.ndarray:
    """Intervals before each beat but the first, in mean intervals of the sinus node."""
    return np.diff(beats.onset, axis=1) * conditions.rate[:, None] / 60


def isolated(beats: Beats, kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the extrasystoles of a kind that have a normal beat on either side, within the recording."""
    normal = beats.kind == NORMAL
    extrasystole = (beats.kind[:, 2:-2] == kind) & normal[:, 1:-3] & normal[:, 3:-1] & normal[:, :-4]
    row, column = np.nonzero(extrasystole & (beats.onset[:, 2:-2] > 0) & (beats.onset[:, 2:-2] < 9))
    return row, column + 2


def test_a_ventricular_beat_does_not_stop_the_sinus_node() -> None:
    conditions, beats, draws = draw(PVC=1.0)
    row, k = isolated(beats, VENTRICULAR)
    interpolated = (draws.chance("interpolated", 0.08) & (conditions.rate < 75))[row]
    span = relative(conditions, beats)
    two_intervals = span[row, k - 1] + span[row, k]
    assert np.median(two_intervals[~interpolated]) == pytest.approx(2, abs=0.02)
    assert np.quantile(np.abs(two_intervals[~interpolated] - 2), 0.9) < 0.2
    assert interpolated.sum() > 5
    assert np.median(two_intervals[interpolated]) == pytest.approx(1, abs=0.02)
    assert (span[row, k - 1] < 0.95).mean() > 0.95  # early


def test_a_hidden_p_wave_comes_where_the_sinus_beat_would_have_been_and_never_twice() -> None:
    conditions, beats, _ = draw(PVC=1.0)
    row, k = isolated(beats, VENTRICULAR)
    visible = ~np.isnan(beats.p_onset[row, k])
    due = beats.p_onset[row, k] + conditions.pr[row]  # where its QRS would have been
    before = beats.onset[row, k - 1]
    np.testing.assert_allclose(((due - before) * conditions.rate[row] / 60)[visible], 1, atol=0.35)
    following = beats.p_onset[row, k + 1] - beats.p_onset[row, k]
    assert (following[visible] > 0.3).all()


def test_a_couplet_keeps_the_sinus_clock() -> None:
    conditions, beats, draws = draw(3000, PVC=1.0)
    pair = (beats.kind[:, 1:-2] == VENTRICULAR) & (beats.kind[:, 2:-1] == VENTRICULAR)
    pair &= (beats.kind[:, :-3] == NORMAL) & (beats.kind[:, 3:] == NORMAL)
    pair &= (beats.onset[:, 1:-2] > 0) & (beats.onset[:, 3:] < 10)
    pair[draws.chance("interpolated", 0.08) & (conditions.rate < 75)] = False
    row, k = np.nonzero(pair)
    assert len(row) > 20
    whole = (beats.onset[row, k + 3] - beats.onset[row, k]) * conditions.rate[row] / 60
    assert np.median(whole) == pytest.approx(3, abs=0.05)


def test_an_atrial_beat_resets_the_sinus_node() -> None:
    conditions, beats, _ = draw(PAC=1.0)
    row, k = isolated(beats, ATRIAL)
    span = relative(conditions, beats)
    assert np.quantile(span[row, k - 1], 0.95) < 0.95  # early
    pause = span[row, k]
    assert np.median(pause) == pytest.approx(1.03, abs=0.03)
    assert np.quantile(span[row, k - 1] + pause, 0.95) < 2  # less than compensatory


def test_bigeminy_is_every_second_beat() -> None:
    _, beats, draws = draw(PVC=1.0)
    pattern = draws.choice("ectopic pattern", [0.55, 0.25, 0.12, 0.08])
    for number, period in ((2, 2), (3, 3)):
        kinds = beats.kind[pattern == number]
        assert len(kinds) > 20
        for each in kinds:
            assert {*np.diff(np.flatnonzero(each == VENTRICULAR))} == {period}


def test_fibrillation_is_irregular_without_p_waves() -> None:
    _, beats, _ = draw(AFIB=1.0)
    inside = (beats.onset[:, 1:] > 0) & (beats.onset[:, 1:] < 10)
    spans = [each[here] for each, here in zip(np.diff(beats.onset, axis=1), inside, strict=True)]
    assert np.isnan(beats.p_onset).all()
    variation = np.array([span.std() / span.mean() for span in spans if len(span) > 4])
    assert np.median(variation) == pytest.approx(0.18, abs=0.05)  # PTB-XL: 0.19
    following = [np.corrcoef(span[1:], span[:-1])[0, 1] for span in spans if len(span) > 10]
    assert abs(np.mean(following)) < 0.15  # one interval tells nothing of the next


def test_flutter_intervals_are_multiples_of_its_cycle() -> None:
    _, beats, draws = draw(AFLT=1.0)
    spans, cycle = np.diff(beats.onset, axis=1), flutter_cycle(draws)[:, None]
    assert ((60 / cycle >= 240) & (60 / cycle <= 340)).all()
    blocks = spans / cycle
    np.testing.assert_allclose(blocks, np.round(blocks), atol=0.01)
    assert (np.round(blocks) >= 2).all()
    simulated = simulate(Hospital(prevalence=HEALTHY | {"AFLT": 1.0}), range(50), 0)
    inside = (beats.onset >= 0) & (beats.onset < 10)
    mean = [60 / np.diff(each[here]).mean() for each, here in zip(beats.onset[:50], inside[:50], strict=True)]
    np.testing.assert_allclose(simulated.parameters["heart_rate"], mean, rtol=0.02)


def test_the_sinus_node_follows_the_breath_and_less_in_old_age() -> None:
    conditions, beats, _ = draw(2000)
    spans, breath = np.diff(beats.onset, axis=1)[:, :10], beats.respiration[:, 1:11]
    assert np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(spans, breath, strict=True)]) > 0.3
    depth = spans.std(1) / spans.mean(1)
    assert np.median(depth[conditions.age < 45]) > 1.3 * np.median(depth[conditions.age > 75])


def test_no_interval_is_shorter_than_refractoriness() -> None:
    for condition in ("AFIB", "SVTAC", "PVC", "PAC", "STACH"):
        _, beats, _ = draw(200, **{condition: 1.0})
        assert np.diff(beats.onset, axis=1).min() > SHORTEST - 1e-3


def test_sinus_arrhythmia_swings_by_160_ms() -> None:
    _, beats, _ = draw(400, SARRH=1.0)
    positive = labelled(simulate(Hospital(age=60, prevalence=HEALTHY | {"SARRH": 1.0}), range(400), 0), "SARRH")
    assert 0.2 < positive.mean() < 1
    for each, label in zip(beats.onset, positive, strict=True):
        spans = np.diff(each[(each >= 0) & (each < 9.9)])
        if abs(np.ptp(spans) - 0.16) > 0.001:
            assert (np.ptp(spans) > 0.16) == label


@pytest.mark.parametrize(
    ("term", "key", "limit"),
    [("SBRAD", "bradycardia", 70.0), ("1AVB", "long_pr", 170.0), ("IRBBB", "delayed_qrs", 90.0)],
)
def test_a_readers_limit_moves_the_label(term: str, key: str, limit: float) -> None:
    prevalence = HEALTHY | {"IRBBB": 0.5, "1AVB": 0.3}
    usual, moved = (
        labelled(simulate(Hospital(prevalence=prevalence, annotation=habits), range(600), 0), term)
        for habits in (Readers(), Readers(**{key: limit}))  # type: ignore[arg-type]
    )
    assert moved.sum() > 1.2 * usual.sum()


@pytest.mark.parametrize(
    ("term", "measurement", "limit", "farthest"),
    [
        ("STACH", "heart_rate", 100, 45),
        ("1AVB", "pr_ms", 200, 90),
        ("CRBBB", "qrs_ms", 120, 54),
        ("LAFB", "axis", -45, 20),
        ("LVOLT", "limb_voltage", 0.5, 0.23),
    ],
)
def test_readers_disagree_near_the_limits_alone(term: str, measurement: str, limit: float, farthest: float) -> None:
    prevalence = {"LVOLT": 0.2, "LAFB": 0.2, "CRBBB": 0.2, "1AVB": 0.2}
    sure, unsure = (
        simulate(Hospital(prevalence=prevalence, annotation=Readers(disagreement=spread)), range(2000), 0)
        for spread in (0.0, 0.1)
    )
    differ = labelled(sure, term) != labelled(unsure, term)
    assert 2 < differ.sum() < 300
    assert np.abs(sure.parameters[measurement][differ] - limit).max() < farthest


def test_readers_disagree_more_about_small_waves() -> None:
    share = {}
    for term in ("AMI", "STD_", "INVT", "LOWT"):
        sure, unsure = (
            labelled(simulate(Hospital(annotation=Readers(disagreement=spread)), range(3000), 0), term)
            for spread in (0.0, 0.08)
        )
        share[term] = (sure != unsure).sum() / sure.sum()
        assert unsure.sum() == pytest.approx(sure.sum(), rel=0.25)  # as many on either side
    assert all(0.03 < each < 0.5 for each in share.values()), share


def test_what_is_missed_is_missed_as_often_as_said() -> None:
    full = simulate(Hospital(prevalence={"AFIB": 0.5}), range(3000), 0)
    habits = Readers(missed=0.1, missed_terms={"AFIB": 0.4})
    part = simulate(Hospital(prevalence={"AFIB": 0.5}, annotation=habits), range(3000), 0)
    np.testing.assert_array_equal(part.labels & ~full.labels, False)
    for term, share in (("AFIB", 0.4), ("PVC", 0.1), ("SR", 0.1)):
        positives = labelled(full, term).sum()
        assert labelled(part, term).sum() / positives == pytest.approx(
            1 - share, abs=3 * np.sqrt(share / positives) + 0.01
        )
    assert len(TERMS) == full.labels.shape[1]


def test_recordings_of_a_patient() -> None:
    simulated = simulate(Hospital(recordings_per_patient=3.0), range(300), 0, seconds=2)
    counts = np.bincount(simulated.parameters["patient"].astype(int))
    assert (counts == 3).all()
