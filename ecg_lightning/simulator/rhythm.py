"""When the atria and the ventricles are activated: beat times of a whole batch, ectopic beats included."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.rng import Draws

Floats = NDArray[np.floating]
SHORTEST = 0.27  # s, refractory limit of any interval between beats
LEAD_IN = 1.5  # s simulated before the recording, so that it may begin anywhere in a beat
NORMAL, VENTRICULAR, ATRIAL = 0, 1, 2


@dataclass
class Beats:
    """All beats of a batch in arrays of (records, beats); times in s from the recording's start.

    `onset` is the beginning of the QRS, `p_onset` that of the P wave (NaN where there is none), `stretch` how
    repolarisation follows the preceding interval, `aberrant` early atrial beats that meet a refractory right bundle.
    """

    onset: Floats
    p_onset: Floats
    kind: NDArray[np.int8]
    second_form: NDArray[np.bool_]
    aberrant: NDArray[np.bool_]
    stretch: Floats
    respiration: Floats


def draw_beats(conditions: Conditions, record_draws: Draws, seconds: float) -> Beats:
    """Draws the beats of `seconds` of recording."""
    count = int((seconds + LEAD_IN + 1) / SHORTEST) + 2
    shape = (count,)
    rr = (60 / conditions.rate)[:, None]
    nominal = rr * np.arange(count, dtype=np.float32)
    breath = (
        2
        * np.pi
        * (record_draws.uniform("breath rate", 0.15, 0.35)[:, None] * nominal + record_draws.uniform("breath")[:, None])
    )
    interval = _sinus(conditions, record_draws, rr, nominal, breath, shape)
    variation = record_draws.normal("interval", shape)
    irregularity = record_draws.uniform("irregularity", 0.10, 0.28)[:, None]
    interval = np.where(
        conditions.is_rhythm("AFIB")[:, None], rr * np.exp(irregularity * variation - irregularity**2 / 2), interval
    )
    interval = np.where(conditions.is_rhythm("AFLT")[:, None], _flutter_intervals(record_draws, rr, shape), interval)
    regular_rhythm = (conditions.is_rhythm("SVTAC") | conditions.is_rhythm("PACE"))[:, None]
    interval = np.where(regular_rhythm, rr * (1 + 0.003 * variation), interval)

    kind = _ectopy(conditions, record_draws, shape)
    ventricular, atrial = kind == VENTRICULAR, kind == ATRIAL
    sinus = conditions.is_rhythm("sinus")[:, None]
    is_interpolated = record_draws.chance("interpolated", 0.08) & (conditions.rate < 75)
    undisturbed_interval = np.maximum(interval, SHORTEST)
    prematurity, sinus_delay = _prematurity(conditions, record_draws, kind, is_interpolated, shape)
    interval = np.maximum(interval * prematurity, SHORTEST).astype(np.float32)
    onset = np.cumsum(interval, 1, dtype=np.float32) - LEAD_IN - rr * (1 + record_draws.uniform("start")[:, None])

    jitter = 1 + 0.015 * record_draws.normal("pr jitter", shape)
    pr = conditions.pr[:, None] * np.where(atrial, record_draws.uniform("atrial pr", 0.85, 1.15)[:, None], jitter)
    # a ventricular beat does not stop the sinus node: its P wave comes where the sinus beat would have been
    p_onset = np.where(ventricular, onset + (sinus_delay * undisturbed_interval), onset) - pr
    has_p = sinus | (conditions.is_rhythm("PACE") & record_draws.chance("paced with p", 0.5))[:, None]
    p_hidden = ventricular & (record_draws.chance("retrograde", 0.3) | is_interpolated)[:, None]
    p_onset = np.where(has_p & ~p_hidden, p_onset, np.nan)
    aberrant = atrial & record_draws.chance("aberrant", 0.15)[:, None] & (prematurity < 0.7)
    previous_interval = np.concatenate([rr, interval[:, 1:]], 1)
    return Beats(
        onset.astype(np.float32),
        p_onset.astype(np.float32),
        kind,
        record_draws.chance("two forms", 0.2)[:, None] & (record_draws.uniform("form", shape=shape) < 0.4),
        aberrant,
        np.clip((previous_interval / rr) ** 0.2, 0.85, 1.12).astype(np.float32),
        np.sin(breath).astype(np.float32),
    )


def _prematurity(
    conditions: Conditions,
    record_draws: Draws,
    kind: NDArray[np.int8],
    interpolated: NDArray[np.bool_],
    shape: tuple[int, ...],
) -> tuple[Floats, Floats]:
    """How early each beat comes, as a share of the undisturbed interval; and when the next sinus beat is due after it.

    An atrial extrasystole resets the sinus node. A ventricular one does not: the next sinus beat comes a whole number of
    intervals after the last one, so that the pause is compensatory; unless the extrasystole is interpolated. (Surawicz
    and Knilans 2008.) Both arrays are (records, beats); the second counts from a ventricular beat, in intervals.
    """
    coupling = record_draws.uniform("coupling", 0.48, 0.82)[:, None] + 0.02 * record_draws.normal("coupling", shape)
    coupling = np.where(
        interpolated[:, None], record_draws.uniform("interpolated coupling", 0.40, 0.48)[:, None], coupling
    )
    atrial_coupling = record_draws.uniform("atrial coupling", 0.55, 0.84)[:, None] + 0.03 * record_draws.normal(
        "atrial coupling", shape
    )
    reset = 1 + 0.06 * record_draws.uniform("reset", shape=shape)
    sinus = conditions.is_rhythm("sinus")
    prematurity, sinus_delay = np.ones_like(coupling), np.zeros_like(coupling)
    run_length = np.zeros(record_draws.n)  # ventricular beats in a row
    since_sinus = np.zeros(record_draws.n)  # intervals since the last sinus beat
    previous_kind = np.full(record_draws.n, NORMAL)
    for k in range(shape[0]):
        ventricular, atrial = kind[:, k] == VENTRICULAR, kind[:, k] == ATRIAL
        pause = np.where(
            interpolated & (run_length == 1), 1 - since_sinus, np.where(sinus, run_length + 1 - since_sinus, 1.0)
        )
        interval_share = np.where(
            previous_kind == VENTRICULAR, pause, np.where(previous_kind == ATRIAL, reset[:, k], 1.0)
        )
        interval_share = np.where(atrial, atrial_coupling[:, k], interval_share)
        interval_share = np.where(ventricular, np.where(run_length > 0, 0.6, coupling[:, k]), interval_share)
        run_length, since_sinus = (
            np.where(ventricular, run_length + 1, 0),
            np.where(ventricular, since_sinus + interval_share, 0),
        )
        prematurity[:, k], sinus_delay[:, k], previous_kind = interval_share, run_length - since_sinus, kind[:, k]
    return prematurity, sinus_delay


def mean_rate(beats: Beats, seconds: float) -> Floats:
    """Beats a minute between the first and the last beat of each recording, (records,); NaN with fewer than two."""
    inside = (beats.onset >= 0) & (beats.onset < seconds)
    first, last = np.where(inside, beats.onset, np.inf).min(1), np.where(inside, beats.onset, -np.inf).max(1)
    count = inside.sum(1) - 1
    return np.asarray(np.where(count > 0, 60 * count / np.where(count > 0, last - first, 1), np.nan))


def _sinus(
    conditions: Conditions, record_draws: Draws, rr: Floats, nominal: Floats, breath: Floats, shape: tuple[int, ...]
) -> Floats:
    """Sinus intervals with respiratory and slow (0.1 Hz) variability, smaller with age and rate."""
    variability = np.clip(1.6 - conditions.age / 80, 0.3, 1.5) * np.clip(1.7 - conditions.rate / 100, 0.2, 1.2)
    depth = 0.03 * variability * np.exp(0.5 * record_draws.normal("hrv"))
    depth = np.where(
        conditions.present["SARRH"], np.maximum(depth, record_draws.uniform("sinus arrhythmia", 0.07, 0.16)), depth
    )
    slow_phase = 2 * np.pi * (0.1 * nominal + record_draws.uniform("slow")[:, None])
    respiratory_share = record_draws.uniform("respiratory share", 0.4, 1.0)[:, None]
    variation = (
        respiratory_share * np.sin(breath)
        + (1 - respiratory_share) * np.sin(slow_phase)
        + 0.25 * record_draws.normal("hrv noise", shape)
    )
    return np.asarray(rr * (1 + depth[:, None] * variation + 0.004 * record_draws.normal("node", shape)), np.float32)


def _flutter_intervals(record_draws: Draws, rr: Floats, shape: tuple[int, ...]) -> Floats:
    """Intervals of atrial flutter: whole multiples of the atrial cycle, at a fixed or a changing block."""
    cycle = flutter_cycle(record_draws)[:, None]
    usual_block = np.clip(np.round(rr / cycle), 2, 5)
    block_changes = record_draws.chance("changing block", 0.4)[:, None]
    block = np.where(block_changes, usual_block + np.floor(record_draws.uniform("block", -1, 2, shape)), usual_block)
    return np.asarray(cycle * np.maximum(block, 2), np.float32)


def flutter_cycle(record_draws: Draws) -> Floats:
    """Cycle length of atrial flutter, s: 240 to 340 waves a minute."""
    return record_draws.uniform("flutter cycle", 60 / 340, 60 / 240)


def _ectopy(conditions: Conditions, record_draws: Draws, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """The kind of every beat: occasional, frequent, bigeminal or trigeminal extrasystoles, now and then a couplet."""
    chance = record_draws.uniform("ectopy", shape=shape)
    pattern = record_draws.choice("ectopic pattern", [0.55, 0.25, 0.12, 0.08])  # rare, frequent, bigeminy, trigeminy
    ectopic_chance = np.array([0.09, 0.25, 0.0, 0.0], np.float32)[pattern]
    period = np.array([0, 0, 2, 3])[pattern]
    has_ventricular = conditions.present["PVC"]
    has_atrial = (
        conditions.present["PAC"]
        & conditions.is_rhythm("sinus")
        & (~has_ventricular | record_draws.chance("both", 0.3))
    )
    has_both = has_ventricular & has_atrial
    ectopic_kind = np.where(
        record_draws.uniform("which", shape=shape) < np.where(has_both, 0.5, has_ventricular)[:, None],
        VENTRICULAR,
        ATRIAL,
    )
    kind = np.zeros((record_draws.n, *shape), np.int8)
    beats_since_ectopic = (record_draws.uniform("phase") * 3).astype(np.int64)
    has_ectopy = has_ventricular | has_atrial
    couplet_chance = np.where(has_ventricular & ~has_atrial & (period == 0), 0.06, 0).astype(np.float32)
    for k in range(shape[0]):
        is_due = (period > 0) & (beats_since_ectopic >= period - 1)
        is_sporadic = chance[:, k] < np.where(beats_since_ectopic == 0, couplet_chance, ectopic_chance)
        is_ectopic = has_ectopy & (is_due | ((period == 0) & is_sporadic))
        kind[:, k] = np.where(is_ectopic, ectopic_kind[:, k], NORMAL)
        beats_since_ectopic = np.where(is_ectopic, 0, beats_since_ectopic + 1)
    return kind
