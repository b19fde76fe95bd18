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


def draw_beats(made: Conditions, own: Draws, seconds: float) -> Beats:
    """Draw the beats of `seconds` of recording."""
    count = int((seconds + LEAD_IN + 1) / SHORTEST) + 2
    shape = (count,)
    rr = (60 / made.rate)[:, None]
    nominal = rr * np.arange(count, dtype=np.float32)
    breath = 2 * np.pi * (own.uniform("breath rate", 0.15, 0.35)[:, None] * nominal + own.uniform("breath")[:, None])
    interval = _sinus(made, own, rr, nominal, breath, shape)
    wobble = own.normal("interval", shape)
    spread = own.uniform("irregularity", 0.10, 0.28)[:, None]
    interval = np.where(made.is_rhythm("AFIB")[:, None], rr * np.exp(spread * wobble - spread**2 / 2), interval)
    interval = np.where(made.is_rhythm("AFLT")[:, None], _flutter_intervals(own, rr, shape), interval)
    steady = (made.is_rhythm("SVTAC") | made.is_rhythm("PACE"))[:, None]
    interval = np.where(steady, rr * (1 + 0.003 * wobble), interval)

    kind = _ectopy(made, own, shape)
    ventricular, atrial = kind == VENTRICULAR, kind == ATRIAL
    sinus = made.is_rhythm("sinus")[:, None]
    interpolated = own.chance("interpolated", 0.08) & (made.rate < 75)
    undisturbed = np.maximum(interval, SHORTEST)
    early, clock = _prematurity(made, own, kind, interpolated, shape)
    interval = np.maximum(interval * early, SHORTEST).astype(np.float32)
    onset = np.cumsum(interval, 1, dtype=np.float32) - LEAD_IN - rr * (1 + own.uniform("start")[:, None])

    jitter = 1 + 0.015 * own.normal("pr jitter", shape)
    pr = made.pr[:, None] * np.where(atrial, own.uniform("atrial pr", 0.85, 1.15)[:, None], jitter)
    # a ventricular beat does not stop the sinus node: its P wave comes where the sinus beat would have been
    p_onset = np.where(ventricular, onset + (clock * undisturbed), onset) - pr
    has_p = sinus | (made.is_rhythm("PACE") & own.chance("paced with p", 0.5))[:, None]
    hidden = ventricular & (own.chance("retrograde", 0.3) | interpolated)[:, None]
    p_onset = np.where(has_p & ~hidden, p_onset, np.nan)
    aberrant = atrial & own.chance("aberrant", 0.15)[:, None] & (early < 0.7)
    previous = np.concatenate([rr, interval[:, 1:]], 1)
    return Beats(
        onset.astype(np.float32),
        p_onset.astype(np.float32),
        kind,
        own.chance("two forms", 0.2)[:, None] & (own.uniform("form", shape=shape) < 0.4),
        aberrant,
        np.clip((previous / rr) ** 0.2, 0.85, 1.12).astype(np.float32),
        np.sin(breath).astype(np.float32),
    )


def _prematurity(
    made: Conditions, own: Draws, kind: NDArray[np.int8], interpolated: NDArray[np.bool_], shape: tuple[int, ...]
) -> tuple[Floats, Floats]:
    """How early each beat comes, as a share of the undisturbed interval; and when the next sinus beat is due after it.

    An atrial extrasystole resets the sinus node. A ventricular one does not: the next sinus beat comes a whole number of
    intervals after the last one, so that the pause is compensatory; unless the extrasystole is interpolated. (Surawicz
    and Knilans 2008.) Both arrays are (records, beats); the second counts from a ventricular beat, in intervals.
    """
    coupling = own.uniform("coupling", 0.48, 0.82)[:, None] + 0.02 * own.normal("coupling", shape)
    coupling = np.where(interpolated[:, None], own.uniform("interpolated coupling", 0.40, 0.48)[:, None], coupling)
    atrial_coupling = own.uniform("atrial coupling", 0.55, 0.84)[:, None] + 0.03 * own.normal("atrial coupling", shape)
    reset = 1 + 0.06 * own.uniform("reset", shape=shape)
    sinus = made.is_rhythm("sinus")
    early, clock = np.ones_like(coupling), np.zeros_like(coupling)
    row, since = np.zeros(own.n), np.zeros(own.n)  # ventricular beats in a row, and intervals since the last sinus beat
    before = np.full(own.n, NORMAL)
    for k in range(shape[0]):
        ventricular, atrial = kind[:, k] == VENTRICULAR, kind[:, k] == ATRIAL
        pause = np.where(interpolated & (row == 1), 1 - since, np.where(sinus, row + 1 - since, 1.0))
        share = np.where(before == VENTRICULAR, pause, np.where(before == ATRIAL, reset[:, k], 1.0))
        share = np.where(atrial, atrial_coupling[:, k], share)
        share = np.where(ventricular, np.where(row > 0, 0.6, coupling[:, k]), share)
        row, since = np.where(ventricular, row + 1, 0), np.where(ventricular, since + share, 0)
        early[:, k], clock[:, k], before = share, row - since, kind[:, k]
    return early, clock


def mean_rate(beats: Beats, seconds: float) -> Floats:
    """Beats a minute between the first and the last beat of each recording, (records,); NaN with fewer than two."""
    inside = (beats.onset >= 0) & (beats.onset < seconds)
    first, last = np.where(inside, beats.onset, np.inf).min(1), np.where(inside, beats.onset, -np.inf).max(1)
    count = inside.sum(1) - 1
    return np.asarray(np.where(count > 0, 60 * count / np.where(count > 0, last - first, 1), np.nan))


def _sinus(made: Conditions, own: Draws, rr: Floats, nominal: Floats, breath: Floats, shape: tuple[int, ...]) -> Floats:
    """Sinus intervals with respiratory and slow (0.1 Hz) variability, smaller with age and rate."""
    calm = np.clip(1.6 - made.age / 80, 0.3, 1.5) * np.clip(1.7 - made.rate / 100, 0.2, 1.2)
    depth = 0.03 * calm * np.exp(0.5 * own.normal("hrv"))
    depth = np.where(made.present["SARRH"], np.maximum(depth, own.uniform("sinus arrhythmia", 0.07, 0.16)), depth)
    slow = 2 * np.pi * (0.1 * nominal + own.uniform("slow")[:, None])
    share = own.uniform("respiratory share", 0.4, 1.0)[:, None]
    variation = share * np.sin(breath) + (1 - share) * np.sin(slow) + 0.25 * own.normal("hrv noise", shape)
    return np.asarray(rr * (1 + depth[:, None] * variation + 0.004 * own.normal("node", shape)), np.float32)


def _flutter_intervals(own: Draws, rr: Floats, shape: tuple[int, ...]) -> Floats:
    """Intervals of atrial flutter: whole multiples of the atrial cycle, at a fixed or a changing block."""
    cycle = flutter_cycle(own)[:, None]
    usual = np.clip(np.round(rr / cycle), 2, 5)
    changing = own.chance("changing block", 0.4)[:, None]
    block = np.where(changing, usual + np.floor(own.uniform("block", -1, 2, shape)), usual)
    return np.asarray(cycle * np.maximum(block, 2), np.float32)


def flutter_cycle(own: Draws) -> Floats:
    """Cycle length of atrial flutter, s: 240 to 340 waves a minute."""
    return own.uniform("flutter cycle", 60 / 340, 60 / 240)


def _ectopy(made: Conditions, own: Draws, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """The kind of every beat: occasional, frequent, bigeminal or trigeminal extrasystoles, now and then a couplet."""
    chance = own.uniform("ectopy", shape=shape)
    pattern = own.choice("ectopic pattern", [0.55, 0.25, 0.12, 0.08])  # rare, frequent, bigeminy, trigeminy
    rate = np.array([0.09, 0.25, 0.0, 0.0], np.float32)[pattern]
    period = np.array([0, 0, 2, 3])[pattern]
    ventricular = made.present["PVC"]
    atrial = made.present["PAC"] & made.is_rhythm("sinus") & (~ventricular | own.chance("both", 0.3))
    both = ventricular & atrial
    which = np.where(own.uniform("which", shape=shape) < np.where(both, 0.5, ventricular)[:, None], VENTRICULAR, ATRIAL)
    kind = np.zeros((own.n, *shape), np.int8)
    since = (own.uniform("phase") * 3).astype(np.int64)
    any_ectopy = ventricular | atrial
    couplets = np.where(ventricular & ~atrial & (period == 0), 0.06, 0).astype(np.float32)
    for k in range(shape[0]):
        regular = (period > 0) & (since >= period - 1)
        sporadic = chance[:, k] < np.where(since == 0, couplets, rate)
        ectopic = any_ectopy & (regular | ((period == 0) & sporadic))
        kind[:, k] = np.where(ectopic, which[:, k], NORMAL)
        since = np.where(ectopic, 0, since + 1)
    return kind
