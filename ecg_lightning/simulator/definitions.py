"""The terms that a reader would write: their definitions, applied to measurements of the leads.

A form (STE_, INVT, LVOLT, LNGQT …) describes the curve, whatever its cause. A diagnosis (LVH, RVH, an infarct) needs both
the disease and its sign: not every enlarged ventricle shows in the ECG. ST and T that follow from a bundle branch block,
pre-excitation or a pacemaker are not interpreted.

Sources: Surawicz et al. 2009 for conduction (right block with r', hemiblocks by the axis), Rautaharju et al. 2009 for ST,
T and QT, Hancock et al. 2009 for hypertrophy (all AHA/ACCF/HRS); Thygesen et al. 2018 (fourth universal definition of
infarction) for Q waves and ST elevation; Kusumoto et al. 2019 for bradycardia; Surawicz and Knilans 2008 (Chou's
Electrocardiography in Clinical Practice) for rhythms, extrasystoles, sinus arrhythmia and low voltage.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.hospital import TERMS, Readers
from ecg_lightning.simulator.measure import Beat, by_plane, neighbours
from ecg_lightning.simulator.rhythm import ATRIAL, VENTRICULAR, Beats
from ecg_lightning.simulator.rng import Draws

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
_FINE = 3.0
"""How many times as far readings differ in tenths of a millivolt, and in the width of a Q wave, as in intervals and voltages."""
_UNREMARKABLE = ("NORM", "SR", "STACH", "SBRAD", "SARRH", "IRBBB", "PAC")  # may stand beside NORM
I, II, III, AVL, AVF = 0, 1, 2, 4, 5
V1, V2, V3, V4, V5, V6 = range(6, 12)


class Limit(Protocol):
    """A limit as the readers apply it."""

    def __call__(self, name: str, value: float, spread: float = 1.0) -> Floats:
        """Draws (records,) values of a limit.

        Args:
            name: of the limit.
            value: as it was published.
            spread: how many times as far readings differ as in most limits.
        """


def define_terms(
    conditions: Conditions, beats: Beats, beat: Beat, seconds: float, readers: Readers, record_draws: Draws
) -> dict[str, Bools]:
    """(records,) for each term, whether it holds for each record, by the limits that the hospital's readers apply."""

    def limit(name: str, value: float, spread: float = 1.0) -> Floats:
        factor = 1 + spread * readers.disagreement * record_draws.normal(f"limit of {name}")
        return np.asarray(value * np.clip(factor, 0.3, None))

    present, sinus, qrs = conditions.present, conditions.is_rhythm("sinus"), conditions.qrs
    inside = (beats.onset >= 0) & (beats.onset < seconds - 0.1)
    not_paced = ~conditions.is_rhythm("PACE")
    not_preexcited = not_paced & ~conditions.is_conduction("WPW")
    left_block = conditions.is_conduction("CLBBB") & not_paced
    without_left_block = not_preexcited & ~left_block
    wide_qrs = limit("a wide QRS", 0.120)
    delayed_qrs = qrs >= limit("a delayed QRS", readers.delayed_qrs / 1000)
    without_block = without_left_block & ~conditions.is_conduction("CRBBB")
    right_block = without_left_block & (
        (beat.r_prime > 0.05) | ((beat.r_time > 0.050) & (beat.r[:, V1] > beat.s[:, V1]))
    )
    narrow_qrs = without_left_block & (qrs < 0.120)
    high_voltage = _voltage(conditions, beat, limit)
    st_elevated, st_depressed = _st(conditions, beat, limit)
    t_inverted, t_low = _t(beat, limit)
    terms: dict[str, Bools] = {
        "AFIB": conditions.is_rhythm("AFIB"),
        "AFLT": conditions.is_rhythm("AFLT"),
        "SVTAC": conditions.is_rhythm("SVTAC"),
        "PACE": conditions.is_rhythm("PACE"),
        "STACH": sinus & (conditions.rate > limit("tachycardia", 100)),
        "SBRAD": sinus & (conditions.rate < limit("bradycardia", readers.bradycardia)),
        "SARRH": sinus & ~(beats.kind != 0).any(1) & (_swing(beats, inside) > limit("sinus arrhythmia", 0.16)),
        "1AVB": sinus & (conditions.pr > limit("PR", readers.long_pr / 1000)),
        "WPW": conditions.is_conduction("WPW") & sinus,
        "IRBBB": right_block & delayed_qrs & (qrs < wide_qrs),
        "CRBBB": right_block & (qrs >= wide_qrs),
        "CLBBB": left_block & (qrs >= wide_qrs),
        "ILBBB": left_block & (qrs < wide_qrs),
        "IVCD": without_left_block & ~right_block & (qrs > 0.110),
        "LAFB": without_left_block
        & (beat.axis <= limit("a left axis", -45))
        & (beat.axis >= -90)
        & ~beat.qs[:, [II, AVF]].any(1),
        "LPFB": without_left_block & present["LPFB"] & (beat.axis >= 90),
        "PVC": (inside & (beats.kind == VENTRICULAR)).any(1),
        "PAC": (inside & (beats.kind == ATRIAL)).any(1),
        "LVH": present["LVH"] & high_voltage & narrow_qrs,
        "VCLVH": high_voltage & narrow_qrs,
        "RVH": without_left_block
        & present["RVH"]
        & ((beat.r[:, V1] > 0.7) | (beat.r[:, V1] > beat.s[:, V1]) | (beat.axis >= 110)),
        **_infarcts(conditions, beat, limit, without_left_block),
        "STE_": without_left_block & st_elevated,
        "STD_": without_block & ~st_elevated & st_depressed,
        "INVT": without_block & t_inverted,
        "LOWT": without_left_block & t_low & ~t_inverted,
        "LVOLT": (beat.r + beat.s)[:, :6].max(1) < limit("low voltage", 0.5),
        "LNGQT": (conditions.qtc >= np.where(conditions.female, 0.460, 0.450)) & narrow_qrs,
    }
    terms["SR"] = sinus & ~(terms["STACH"] | terms["SBRAD"] | terms["SARRH"])
    unremarkable = (*_UNREMARKABLE, *readers.beside_norm)
    remarkable_terms = [has_term for name, has_term in terms.items() if name not in unremarkable]
    terms["NORM"] = sinus & ~np.any(remarkable_terms, axis=0)
    return {name: np.asarray(has_term, bool) for name, has_term in terms.items()}


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


def _voltage(conditions: Conditions, beat: Beat, limit: Limit) -> Bools:
    """Sokolow and Lyon's 3.5 mV, or Cornell's 2.8 mV (women: 2.0 mV)."""
    cornell = limit("Cornell", 1) * np.where(conditions.female, 2.0, 2.8)
    return np.asarray((_sokolow_lyon(beat) > limit("Sokolow and Lyon", 3.5)) | (_cornell(beat) > cornell))


def _st(conditions: Conditions, beat: Beat, limit: Limit) -> tuple[Bools, Bools]:
    """ST elevation at J, or depression that lasts 60 ms, in two neighbouring leads (Thygesen 2018)."""
    elevated = np.full((len(conditions.age), 6), 0.10, np.float32)
    elevated[:, 1:3] = np.select([conditions.female, conditions.age >= 40], [0.15, 0.20], 0.25)[:, None]  # V2 and V3
    elevation, depression = limit("ST elevation", 1, _FINE)[:, None], limit("ST depression", -0.05, _FINE)[:, None]
    frontal, chest = by_plane(beat.st_j)
    frontal_60_ms, chest_60_ms = by_plane(beat.st_60)
    return (
        neighbours(frontal >= 0.10 * elevation, chest >= elevated * elevation),
        neighbours(frontal_60_ms <= depression, chest_60_ms <= depression),
    )


def _t(beat: Beat, limit: Limit) -> tuple[Bools, Bools]:
    """T waves inverted by 0.1 mV in two neighbouring leads with an R wave; or flat in three of I, II, V4 to V6 (Rautaharju 2009).

    III and V1 may be negative in health and do not count.
    """
    negative, low = limit("T inversion", -0.10, _FINE)[:, None], limit("T amplitude", 0.10, _FINE)[:, None]
    inverted_leads = [
        (t <= negative) & (net > 0) for t, net in zip(by_plane(beat.t), by_plane(beat.r - beat.s), strict=True)
    ]
    inverted = neighbours(inverted_leads[0][:, :-1], inverted_leads[1][:, 1:])
    flat = (np.abs(beat.t) < low * beat.r) & (beat.r > beat.s)
    return inverted, np.asarray(flat[:, [I, II, V4, V5, V6]].sum(1) >= 3)


def _infarcts(conditions: Conditions, beat: Beat, limit: Limit, without_left_block: Bools) -> dict[str, Bools]:
    """Scars that show: a Q wave of 30 ms and 0.1 mV, or QS, in two leads of the wall; 20 ms in V2 and V3 (Thygesen 2018)."""
    least_width = np.full(12, 0.030, np.float32)
    least_width[[V2, V3]] = 0.020
    width, depth = limit("Q width", 1, _FINE)[:, None], limit("Q depth", 0.10, _FINE)[:, None]
    q_wave = ((beat.q_width >= width * least_width - 1e-4) & (beat.q_depth >= depth)) | beat.qs
    walls = {"IMI": (II, III, AVF), "AMI": (V1, V2, V3, V4), "LMI": (I, AVL, V5, V6)}
    return {
        name: without_left_block & conditions.present[name] & (q_wave[:, wall].sum(1) >= 2)
        for name, wall in walls.items()
    }


def _swing(beats: Beats, inside: Bools) -> Floats:
    """Longest minus shortest interval between the beats inside, s; 0 where there are fewer than three beats."""
    intervals = np.diff(beats.onset, axis=1)
    both_inside = inside[:, 1:] & inside[:, :-1]
    longest = np.where(both_inside, intervals, -np.inf).max(1)
    shortest = np.where(both_inside, intervals, np.inf).min(1)
    return np.asarray(np.where(both_inside.sum(1) > 1, longest - shortest, 0), np.float32)


def annotate(terms: dict[str, Bools], readers: Readers, record_draws: Draws) -> NDArray[np.bool_]:
    """(records, TERMS) the labels that the hospital's readers write: they miss some positives, and never write some terms."""
    labels = np.stack([terms[name] for name in TERMS], 1)
    miss_probability = np.array([readers.missed_terms.get(name, readers.missed) for name in TERMS], np.float32)
    labels &= record_draws.uniform("missed", shape=(len(TERMS),)) >= miss_probability
    labels[:, [name in readers.not_annotated for name in TERMS]] = False
    return labels
