"""What the recordings show is what the textbooks draw: each statement measured on the leads, without the simulator's help."""

from itertools import pairwise

import numpy as np
import pytest

from ecg_lightning.simulator import TERMS, Hospital, Simulated, simulate
from ecg_lightning.simulator.conditions import draw_conditions
from ecg_lightning.simulator.repolarisation import TERRITORIES, territory
from ecg_lightning.simulator.rhythm import VENTRICULAR, draw_beats
from ecg_lightning.simulator.rng import Draws
from simulator.reading import HEALTHY, LEAD, RATE, Beat, archive, beats, labelled, lead, pairs


def share(values: list[bool]) -> float:
    return float(np.mean(values))


def test_st_elevation_is_seen_at_j_in_neighbouring_leads() -> None:
    recordings = archive("STE_", 60)
    positive = labelled(recordings, "STE_")
    assert 0.25 < positive.mean() < 0.9  # some injury is too small for the limits
    elevated = [bool(pairs(beat.at(0.01), 0.08, above=True)) for beat in beats(recordings, positive)]
    assert share(elevated) > 0.9
    healthy = archive()
    assert not labelled(healthy, "STE_").any()


def test_injury_is_highest_over_its_territory() -> None:
    recordings = archive("STE_", 60)
    positive = labelled(recordings, "STE_")
    walls = {
        "inferior": ("II", "III", "aVF"),
        "anterior": ("V1", "V2", "V3", "V4"),
        "lateral": ("I", "aVL", "V5", "V6"),
    }
    territories = territory(Draws(1_000_003, np.flatnonzero(positive)), "STE_")
    right = []
    for beat, where in zip(beats(recordings, positive), territories, strict=True):
        height = {wall: max(lead(beat.at(0.01), name) for name in names) for wall, names in walls.items()}
        right.append(height[TERRITORIES[where]] >= 0.8 * max(height.values()))
    assert len({*territories}) == 3
    assert share(right) > 0.8


def test_inferior_injury_is_mirrored_in_avl() -> None:
    recordings = archive("STE_", 60)
    positive = labelled(recordings, "STE_")
    inferior = territory(Draws(1_000_003, np.flatnonzero(positive)), "STE_") == TERRITORIES.index("inferior")
    levels = np.array([beat.at(0.01) for beat in beats(recordings, positive)])[inferior]
    assert (lead(levels, "aVL") < 0).mean() > 0.9


def test_st_depression_lasts_60_ms_in_neighbouring_leads() -> None:
    recordings = archive("STD_", 60)
    positive = labelled(recordings, "STD_")
    assert 0.25 < positive.mean() < 0.95
    depressed = [bool(pairs(beat.at(0.06), -0.04, above=False)) for beat in beats(recordings, positive)]
    assert share(depressed) > 0.9
    assert not labelled(archive(), "STD_").mean() > 0.1


def test_inverted_t_waves_are_inverted_where_the_qrs_is_upright() -> None:
    recordings = archive("INVT", 60)
    positive = labelled(recordings, "INVT")
    assert 0.25 < positive.mean() < 0.95
    inverted = []
    for beat in beats(recordings, positive):
        upright = beat.qrs.max(0) > -beat.qrs.min(0)
        inverted.append(
            sum(
                beat.t[LEAD[name]] < -0.08 and upright[LEAD[name]]
                for name in ("I", "II", "aVL", "aVF", "V3", "V4", "V5", "V6")
            )
            >= 2
        )
    assert share(inverted) > 0.85
    assert not labelled(archive(), "INVT").any()


def test_low_t_waves_are_under_a_tenth_of_the_r_wave() -> None:
    recordings = archive("LOWT", 40)
    positive = labelled(recordings, "LOWT")
    assert positive.mean() > 0.5
    ratio = [
        np.median([abs(lead(beat.t, name)) / beat.qrs.max(0)[LEAD[name]] for name in ("I", "II", "V4", "V5", "V6")])
        for beat in beats(recordings, positive)
    ]
    assert np.median(ratio) < 0.10


@pytest.mark.parametrize(
    ("wall", "leads"),
    [("IMI", ("II", "III", "aVF")), ("AMI", ("V1", "V2", "V3", "V4")), ("LMI", ("I", "aVL", "V5", "V6"))],
)
def test_a_scar_shows_q_waves_over_its_wall(wall: str, leads: tuple[str, ...]) -> None:
    recordings = archive(wall, 60)
    positive = labelled(recordings, wall)
    assert positive.any()

    def deep(beat: Beat) -> int:
        """In how many leads of the wall the QRS begins with a Q wave of 0.08 mV and 26 ms (V1 to V4: 18 ms)."""
        count = 0
        for name in leads:
            trace = lead(beat.qrs, name)
            rising = np.flatnonzero(trace > 0.08)
            before = trace[: rising[0] if len(rising) else None]
            least = 0.018 if name in ("V1", "V2", "V3", "V4") else 0.026
            count += bool(before.min() < -0.08 and (before < -0.02).sum() >= least * RATE)
        return count

    assert share([deep(beat) >= 2 for beat in beats(recordings, positive)]) > 0.85
    healthy = archive("", 60)
    assert share([deep(beat) >= 2 for beat in beats(healthy, np.ones(60, bool))]) < 0.25


def axis(qrs: np.ndarray) -> float:
    return float(np.degrees(np.arctan2(2 / np.sqrt(3) * lead(qrs, "aVF").sum(), lead(qrs, "I").sum())))


def test_left_anterior_hemiblock_turns_the_axis_to_the_left() -> None:
    recordings = archive("LAFB", 40)
    positive = labelled(recordings, "LAFB")
    assert 0.5 < positive.mean() < 1  # borderline ones are not written
    mean_beats = beats(recordings, positive)
    axes = np.array([axis(beat.qrs) for beat in mean_beats])
    assert ((axes < -38) & (axes > -97)).mean() > 0.8
    for name in ("II", "III", "aVF"):  # rS
        assert share([lead(beat.qrs, name)[: len(beat.qrs) // 2].max() > 0.02 for beat in mean_beats]) > 0.8
        assert share([-lead(beat.qrs, name).min() > lead(beat.qrs, name).max() for beat in mean_beats]) > 0.85
    normal = [axis(beat.qrs) for beat in beats(archive(), np.ones(30, bool))]
    assert np.median(normal) > 0


def test_right_bundle_branch_block_ends_upwards_in_v1_and_downwards_in_i_and_v6() -> None:
    recordings = archive("CRBBB", 40)
    positive = labelled(recordings, "CRBBB")
    assert positive.any()
    mean_beats = beats(recordings, positive)
    end = [beat.qrs[int(0.55 * len(beat.qrs)) :] for beat in mean_beats]
    assert share([lead(late, "V1").max() > 0.1 for late in end]) > 0.9
    for name in ("I", "V6"):
        assert share([lead(late, name).min() < -0.08 for late in end]) > 0.85


def test_incomplete_right_block_has_a_second_r_in_v1() -> None:
    recordings = archive("IRBBB", 60)
    positive = labelled(recordings, "IRBBB")
    assert 0.2 < positive.mean() < 1

    def rises_again(trace: np.ndarray) -> bool:
        valley = np.minimum.accumulate(np.where(trace < np.maximum.accumulate(trace) - 0.02, trace, np.inf))
        return bool(((trace > valley + 0.02) & (trace > 0.02)).any())

    assert share([rises_again(np.append(0, lead(beat.qrs, "V1"))) for beat in beats(recordings, positive)]) > 0.9
    qrs = recordings.parameters["qrs_ms"]
    assert ((qrs[positive] >= 100) & (qrs[positive] < 120)).all()


def test_left_bundle_branch_block_is_notched_without_q_and_with_opposite_t() -> None:
    recordings = archive("CLBBB", 40)
    positive = labelled(recordings, "CLBBB")
    assert positive.any()
    mean_beats = beats(recordings, positive)
    lateral = ("I", "aVL", "V5", "V6")
    assert share([-lead(beat.qrs, "V1").min() > 2 * lead(beat.qrs, "V1").max() for beat in mean_beats]) > 0.9
    assert share([lead(beat.qrs, "V6").max() * lead(beat.t, "V6") < 0 for beat in mean_beats]) > 0.8
    assert share([lead(beat.t, "V2") > 0 for beat in mean_beats]) > 0.9
    assert share([lead(beat.qrs, "V6")[:12].min() > -0.1 for beat in mean_beats]) > 0.9

    def notched(trace: np.ndarray) -> bool:
        tops = [
            k
            for k in range(2, len(trace) - 2)
            if trace[k] == trace[k - 2 : k + 3].max() and trace[k] > 0.4 * trace.max()
        ]
        return any(min(trace[a], trace[b]) - trace[a:b].min() > 0.02 for a, b in pairwise(tops))

    assert share([any(notched(lead(beat.qrs, name)) for name in lateral) for beat in mean_beats]) > 0.6


def test_hypertrophy_has_voltage() -> None:
    recordings = archive("LVH", 60)
    positive = labelled(recordings, "LVH")
    assert 0.2 < positive.mean() < 1  # an enlarged ventricle need not show

    def sokolow_lyon(beat: Beat) -> float:
        qrs = beat.qrs
        return float(-lead(qrs, "V1").min() + max(lead(qrs, "V5").max(), lead(qrs, "V6").max()))

    def cornell(beat: Beat) -> float:
        qrs = beat.qrs
        return float(lead(qrs, "aVL").max() - lead(qrs, "V3").min())

    mean_beats = beats(recordings, positive)
    female = recordings.parameters["sex"][positive] == "F"
    limits = np.where(female, 2.0, 2.8)
    reaches_a_limit = [
        sokolow_lyon(beat) > 3.3 or cornell(beat) > 0.94 * limit for beat, limit in zip(mean_beats, limits, strict=True)
    ]
    assert share(reaches_a_limit) > 0.9
    ill, well = (
        np.median([sokolow_lyon(b) for b in beats(a, np.ones(len(a.signals), bool))])
        for a in (recordings, archive("", 60))
    )
    assert ill > 1.15 * well


def test_low_voltage_is_low_in_all_limb_leads() -> None:
    recordings = archive("LVOLT", 60)
    positive = labelled(recordings, "LVOLT")
    assert 0.1 < positive.mean() < 1
    assert share([np.ptp(beat.qrs[:, :6], axis=0).max() < 0.52 for beat in beats(recordings, positive)]) > 0.9
    assert not labelled(archive("", 60), "LVOLT").any()


def t_end(trace: np.ndarray) -> int:
    """Samples from the beginning of a beat to the end of its T wave."""
    peak = 60 + int(np.abs(trace[60:]).argmax())
    return peak + int(np.argmax(np.abs(trace[peak:]) < 0.08 * abs(trace[peak])))


def test_a_long_qt_is_long() -> None:
    long, usual = archive("LNGQT", 40), archive("", 40)
    positive = labelled(long, "LNGQT")
    assert 0.5 < positive.mean() < 1

    def corrected(recordings: Simulated, rows: np.ndarray) -> np.ndarray:
        rate = recordings.parameters["heart_rate"][rows]
        ends = [t_end(lead(beat.leads[beat.onset :], "V4")) / RATE for beat in beats(recordings, rows)]
        return np.array(ends) * np.cbrt(rate / 60)

    assert np.median(corrected(long, positive)) > np.median(corrected(usual, ~labelled(usual, "LNGQT"))) + 0.035
    qtc = long.parameters["qt_ms"] * np.cbrt(long.parameters["heart_rate"] / 60)
    limit = np.where(long.parameters["sex"] == "F", 460, 450)  # Rautaharju et al. 2009
    np.testing.assert_array_equal(
        positive[long.parameters["qrs_ms"] < 118], (qtc >= limit)[long.parameters["qrs_ms"] < 118]
    )


def test_repolarisation_shortens_with_the_rate() -> None:
    fast, slow = archive("STACH", 20), archive("SBRAD", 20)
    ends = [
        np.median([t_end(lead(b.leads[b.onset :], "V4")) for b in beats(a, np.ones(20, bool))]) for a in (fast, slow)
    ]
    assert ends[0] < 0.85 * ends[1]


def test_a_pacemaker_has_a_spike_and_a_wide_qrs() -> None:
    recordings = archive("PACE", 20)
    assert labelled(recordings, "PACE").all()
    assert (recordings.parameters["qrs_ms"] > 115).all()
    sharpest = [np.abs(np.diff(signal, n=2, axis=0)).max() for signal in recordings.signals]
    usual = [np.abs(np.diff(signal, n=2, axis=0)).max() for signal in archive().signals]
    assert np.median(sharpest) > 2 * np.median(usual)


def test_an_extrasystole_is_wide_and_its_t_wave_opposed() -> None:
    hospital = Hospital(age=60, prevalence=HEALTHY | {"PVC": 1.0})
    numbers = np.arange(40)
    conditions, _, draws = draw_conditions(hospital, numbers, 0)
    heartbeats = draw_beats(conditions, draws, 10)
    signals = simulate(hospital, numbers, 0, RATE, clean=True).signals / 1000
    durations, opposed = [], []
    for k in numbers:
        for onset in heartbeats.onset[k][
            (heartbeats.kind[k] == VENTRICULAR) & (heartbeats.onset[k] > 0.5) & (heartbeats.onset[k] < 9)
        ][:1]:
            here = signals[k, round(onset * RATE) - 10 : round(onset * RATE) + 220]
            speed = np.abs(np.diff(here, axis=0)).max(1)
            moving = np.flatnonzero(speed[:125] > 0.08 * speed.max())
            durations.append((moving[-1] - moving[0]) / RATE)
            main = np.abs(here[:90]).max(0).argmax()
            area, later = here[10:90, main].sum(), here[100:, main]
            opposed.append(area * later[np.abs(later).argmax()] < 0)
    assert len(durations) > 20
    assert np.median(durations) > 0.115
    assert share(opposed) > 0.8


def quiet(signal: np.ndarray, name: str, onsets: np.ndarray, qt: float) -> np.ndarray:
    """One lead from the end of the T wave to 20 ms before the next QRS, beat after beat, less its own line."""
    parts = [
        signal[round((a + qt + 0.04) * RATE) : round((b - 0.02) * RATE), LEAD[name]] / 1000 for a, b in pairwise(onsets)
    ]
    long = [part for part in parts if len(part) > 0.15 * RATE]
    return np.concatenate([part - np.linspace(part[0], part[-1], len(part)) for part in long]) if long else np.zeros(0)


@pytest.mark.parametrize(("rhythm", "name", "least"), [("AFIB", "V1", 0.012), ("AFLT", "II", 0.03)])
def test_the_atria_are_never_quiet(rhythm: str, name: str, least: float) -> None:
    hospital = Hospital(age=60, prevalence=HEALTHY | {rhythm: 1.0})
    conditions, _, draws = draw_conditions(hospital, np.arange(30), 0)
    heartbeats = draw_beats(conditions, draws, 10)
    signals = simulate(hospital, range(30), 0, RATE, clean=True).signals
    levels = []
    for k in range(30):
        inside = heartbeats.onset[k][(heartbeats.onset[k] > 0.1) & (heartbeats.onset[k] < 9.9)]
        if len(part := quiet(signals[k], name, inside, conditions.qt[k])):
            levels.append(part.std())
    assert len(levels) > 10
    assert np.median(levels) > least


def test_fibrillation_has_no_p_wave_and_sinus_rhythm_has() -> None:
    def p_wave(condition: str) -> np.ndarray:
        """(records, 12) the highest of the mean 180 to 50 ms before the QRS, over its own line."""
        recordings = archive(condition)
        levels = []
        for beat in beats(recordings, np.ones(len(recordings.signals), bool)):
            part = beat.leads[beat.onset - 90 : beat.onset - 25]
            levels.append((part - np.linspace(part[0], part[-1], len(part)))[20:45].mean(0))
        return np.array(levels)

    sinus, fibrillating = p_wave(""), p_wave("AFIB")
    assert (lead(sinus, "II") > 0).mean() > 0.85
    assert (lead(sinus, "aVR") < 0).mean() > 0.85
    assert np.median(np.abs(lead(fibrillating, "II"))) < 0.4 * np.median(lead(sinus, "II"))


def test_the_r_wave_grows_across_the_chest() -> None:
    complexes = [beat.qrs for beat in beats(archive(), np.ones(30, bool))]
    tall, deep = np.median([qrs.max(0) for qrs in complexes], 0), np.median([-qrs.min(0) for qrs in complexes], 0)
    assert lead(deep, "V1") > 2 * lead(tall, "V1")
    assert lead(tall, "V1") < lead(tall, "V3") < lead(tall, "V4")
    assert lead(tall, "V5") > 3 * lead(deep, "V5")


def test_torsos_differ() -> None:
    ratio = [
        np.log(np.ptp(lead(beat.qrs, "V5")) / np.ptp(lead(beat.qrs, "V6")))
        for beat in beats(archive(), np.ones(30, bool))
    ]
    assert 0.08 < np.std(ratio) < 0.6


def test_a_normal_recording_has_nothing_but_rhythm_and_a_late_right_ventricle() -> None:
    recordings = simulate(Hospital(), range(1500), 0)
    normal = labelled(recordings, "NORM")
    assert 0.1 < normal.mean() < 0.6
    beside = {TERMS[k] for k in np.flatnonzero(recordings.labels[normal].any(0))}
    assert beside <= {"NORM", "SR", "STACH", "SBRAD", "SARRH", "IRBBB", "PAC"}
    other_columns = [k for k, term in enumerate(TERMS) if term not in beside]
    sinus = recordings.parameters["rhythm"] == "sinus"
    np.testing.assert_array_equal(normal, sinus & ~recordings.labels[:, other_columns].any(1))
