"""From what was drawn to what a reader would write: the terms, by their definitions, measured where they are measured.

A form (STE_, INVT, LVOLT, LNGQT …) is what is seen, whatever its cause. A diagnosis (LVH, RVH, an infarct) needs both the
disease and its sign: not every enlarged ventricle shows. Repolarisation that is secondary to a bundle branch block,
pre-excitation or a pacemaker is not read.

Sources: Surawicz et al. 2009 for conduction (right block with r', hemiblocks by the axis), Rautaharju et al. 2009 for ST,
T and QT, Hancock et al. 2009 for hypertrophy (all AHA/ACCF/HRS); Thygesen et al. 2018 (fourth universal definition of
infarction) for Q waves and ST elevation; Kusumoto et al. 2019 for bradycardia; Surawicz and Knilans 2008 (Chou's
Electrocardiography in Clinical Practice) for rhythms, extrasystoles, sinus arrhythmia and low voltage.
"""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.hospital import TERMS, Annotation
from ecg_lightning.simulator.measure import Beat, by_plane, neighbours
from ecg_lightning.simulator.rhythm import ATRIAL, VENTRICULAR, Beats
from ecg_lightning.simulator.rng import Draws

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
_UNREMARKABLE = ("NORM", "SR", "STACH", "SBRAD", "SARRH", "IRBBB", "PAC")  # may stand beside NORM
I, II, III, AVL, AVF = 0, 1, 2, 4, 5
V1, V2, V3, V4, V5, V6 = range(6, 12)


def define_terms(
    made: Conditions, beats: Beats, beat: Beat, seconds: float, habits: Annotation, own: Draws
) -> dict[str, Bools]:
    """The terms that hold for each record, (records,) each, by the limits that the hospital's readers apply."""

    def limit(name: str, value: float) -> Floats:
        return value * (1 + habits.disagreement * own.normal(f"limit of {name}"))

    has, sinus, qrs = made.present, made.is_rhythm("sinus"), made.qrs
    inside = (beats.onset >= 0) & (beats.onset < seconds - 0.1)
    conducted = ~made.is_rhythm("PACE")
    normally = conducted & ~made.is_conduction("WPW")
    left = made.is_conduction("CLBBB") & conducted
    primary = normally & ~left
    wide = limit("a wide QRS", 0.120)
    delayed = qrs >= limit("a delayed QRS", habits.delayed_qrs / 1000)
    unblocked = primary & ~made.is_conduction("CRBBB")
    right = primary & ((beat.r_prime > 0.05) | ((beat.r_time > 0.050) & (beat.r[:, V1] > beat.s[:, V1])))
    narrow = primary & (qrs < 0.120)
    voltage = _voltage(made, beat)
    elevated, lowered = _st(made, beat)
    inverted, low = _t(beat)
    terms: dict[str, Bools] = {
        "AFIB": made.is_rhythm("AFIB"),
        "AFLT": made.is_rhythm("AFLT"),
        "SVTAC": made.is_rhythm("SVTAC"),
        "PACE": made.is_rhythm("PACE"),
        "STACH": sinus & (made.rate > limit("tachycardia", 100)),
        "SBRAD": sinus & (made.rate < limit("bradycardia", habits.bradycardia)),
        "SARRH": sinus & ~(beats.kind != 0).any(1) & (_swing(beats, inside) > 0.16),
        "1AVB": sinus & (made.pr > limit("PR", habits.long_pr / 1000)),
        "WPW": made.is_conduction("WPW") & sinus,
        "IRBBB": right & delayed & (qrs < wide),
        "CRBBB": right & (qrs >= wide),
        "CLBBB": left & (qrs >= wide),
        "ILBBB": left & (qrs < wide),
        "IVCD": primary & ~right & (qrs > 0.110),
        "LAFB": primary & (beat.axis <= -45) & (beat.axis >= -90) & ~beat.qs[:, [II, AVF]].any(1),
        "LPFB": primary & has["LPFB"] & (beat.axis >= 90),
        "PVC": (inside & (beats.kind == VENTRICULAR)).any(1),
        "PAC": (inside & (beats.kind == ATRIAL)).any(1),
        "LVH": has["LVH"] & voltage & narrow,
        "VCLVH": voltage & narrow,
        "RVH": primary & has["RVH"] & ((beat.r[:, V1] > 0.7) | (beat.r[:, V1] > beat.s[:, V1]) | (beat.axis >= 110)),
        **_infarcts(made, beat, primary),
        "STE_": primary & elevated,
        "STD_": unblocked & ~elevated & lowered,
        "INVT": unblocked & inverted,
        "LOWT": primary & low & ~inverted,
        "LVOLT": (beat.r + beat.s)[:, :6].max(1) < 0.5,
        "LNGQT": (made.qtc >= np.where(made.female, 0.460, 0.450)) & narrow,
    }
    terms["SR"] = sinus & ~(terms["STACH"] | terms["SBRAD"] | terms["SARRH"])
    remarkable = [held for name, held in terms.items() if name not in _UNREMARKABLE]
    terms["NORM"] = sinus & ~np.any(remarkable, axis=0)
    return {name: np.asarray(held, bool) for name, held in terms.items()}


def parameters(beat: Beat) -> dict[str, Floats]:
    """The measurements that go with the labels, (records,) each: degrees and mV."""
    return {
        "axis": beat.axis,
        "sokolow_lyon": _sokolow_lyon(beat),
        "cornell": _cornell(beat),
        "limb_voltage": (beat.r + beat.s)[:, :6].max(1),
        "r_prime_v1": beat.r_prime,
    }


def _sokolow_lyon(beat: Beat) -> Floats:
    return np.asarray(beat.s[:, V1] + beat.r[:, [V5, V6]].max(1))


def _cornell(beat: Beat) -> Floats:
    return np.asarray(beat.r[:, AVL] + beat.s[:, V3])


def _voltage(made: Conditions, beat: Beat) -> Bools:
    """Sokolow and Lyon's 3.5 mV, or Cornell's 2.8 mV (women: 2.0 mV)."""
    return np.asarray((_sokolow_lyon(beat) > 3.5) | (_cornell(beat) > np.where(made.female, 2.0, 2.8)))


def _st(made: Conditions, beat: Beat) -> tuple[Bools, Bools]:
    """ST elevation at J, or depression that lasts 60 ms, in two neighbouring leads (Thygesen 2018)."""
    limits = np.full((len(made.age), 6), 0.10, np.float32)
    limits[:, 1:3] = np.select([made.female, made.age >= 40], [0.15, 0.20], 0.25)[:, None]  # V2 and V3
    frontal, chest = by_plane(beat.st_j)
    later = by_plane(beat.st_60)
    return neighbours(frontal >= 0.10, chest >= limits), neighbours(later[0] <= -0.05, later[1] <= -0.05)


def _t(beat: Beat) -> tuple[Bools, Bools]:
    """T waves inverted by 0.1 mV in two neighbouring leads with an R wave; or flat in three of I, II, V4 to V6 (Rautaharju 2009).

    III and V1 may be negative in health and do not count.
    """
    opposite = [(t <= -0.10) & (net > 0) for t, net in zip(by_plane(beat.t), by_plane(beat.r - beat.s), strict=True)]
    inverted = neighbours(opposite[0][:, :-1], opposite[1][:, 1:])
    flat = (np.abs(beat.t) < 0.10 * beat.r) & (beat.r > beat.s)
    return inverted, np.asarray(flat[:, [I, II, V4, V5, V6]].sum(1) >= 3)


def _infarcts(made: Conditions, beat: Beat, primary: Bools) -> dict[str, Bools]:
    """Scars that show: a Q wave of 30 ms and 0.1 mV, or QS, in two leads of the wall; 20 ms in V2 and V3 (Thygesen 2018)."""
    least = np.full(12, 0.030, np.float32)
    least[[V2, V3]] = 0.020
    q = ((beat.q_width >= least - 1e-4) & (beat.q_depth >= 0.10)) | beat.qs
    walls = {"IMI": (II, III, AVF), "AMI": (V1, V2, V3, V4), "LMI": (I, AVL, V5, V6)}
    return {name: primary & made.present[name] & (q[:, wall].sum(1) >= 2) for name, wall in walls.items()}


def _swing(beats: Beats, inside: Bools) -> Floats:
    """Longest minus shortest interval between the beats inside, s; 0 where there are fewer than three beats."""
    intervals = np.diff(beats.onset, axis=1)
    whole = inside[:, 1:] & inside[:, :-1]
    longest = np.where(whole, intervals, -np.inf).max(1)
    shortest = np.where(whole, intervals, np.inf).min(1)
    return np.asarray(np.where(whole.sum(1) > 1, longest - shortest, 0), np.float32)


def annotate(terms: dict[str, Bools], habits: Annotation, own: Draws) -> NDArray[np.bool_]:
    """What the hospital's readers write down, (records, TERMS): some positives are missed, some terms never read."""
    written = np.stack([terms[name] for name in TERMS], 1)
    missed = np.array([habits.missed_terms.get(name, habits.missed) for name in TERMS], np.float32)
    written &= own.uniform("missed", shape=(len(TERMS),)) >= missed
    written[:, [name in habits.not_annotated for name in TERMS]] = False
    return written
