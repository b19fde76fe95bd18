"""From what was drawn to what a reader would write: the terms, by their definitions, measured where they are measured.

Surawicz et al. 2009 for conduction, Hancock et al. 2009 for hypertrophy, Rautaharju et al. 2009 for QT (AHA/ACCF/HRS).
"""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.hospital import TERMS, Annotation
from ecg_lightning.simulator.rhythm import ATRIAL, VENTRICULAR, Beats
from ecg_lightning.simulator.rng import Draws
from ecg_lightning.simulator.torso import standard_leads
from ecg_lightning.simulator.waves import Waves

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
_UNREMARKABLE = ("NORM", "SR", "STACH", "SBRAD", "SARRH", "IRBBB", "PAC")  # may stand beside NORM


def measure_qrs(qrs: Waves, made: Conditions) -> dict[str, Floats]:
    """Measure the conducted, noise-free QRS (its waves on 8 leads): amplitudes in mV, frontal axis in degrees."""
    time = np.arange(-0.02, 0.20, 0.004, dtype=np.float32)
    leads = standard_leads(qrs.at(time))
    top, bottom = np.maximum(leads.max(1), 0), np.maximum(-leads.min(1), 0)
    net = leads.sum(1)
    late = np.where(time[None] > 0.5 * made.qrs[:, None], leads[..., 6], 0)
    valley = np.minimum.accumulate(leads[..., 6], 1)
    return {
        "axis": np.degrees(np.arctan2(2 / np.sqrt(3) * net[:, 5], net[:, 0])).astype(np.float32),
        "sokolow_lyon": bottom[:, 6] + top[:, 10:12].max(1),
        "cornell": top[:, 4] + bottom[:, 8],
        "limb_voltage": (top + bottom)[:, :6].max(1),
        "r_prime_v1": np.where(valley.min(1) < late.max(1) - 0.03, late.max(1), 0).astype(np.float32),
    }


def define_terms(
    made: Conditions, beats: Beats, measured: dict[str, Floats], seconds: float, habits: Annotation, own: Draws
) -> dict[str, Bools]:
    """The terms that hold for each record, (records,) each, by the limits that the hospital's readers apply."""

    def limit(name: str, value: float) -> Floats:
        return value * (1 + habits.disagreement * own.normal(f"limit of {name}"))

    has, sinus, qrs = made.present, made.is_rhythm("sinus"), made.qrs
    wide = limit("a wide QRS", 0.120)
    inside = (beats.onset >= 0) & (beats.onset < seconds - 0.1)
    conducted = ~made.is_rhythm("PACE")
    right = made.is_conduction("IRBBB", "CRBBB") & conducted & (measured["r_prime_v1"] > 0.04)
    left = made.is_conduction("CLBBB") & conducted
    intervals = np.where(inside[:, 1:] & inside[:, :-1], np.diff(beats.onset, axis=1), np.nan)
    early = (beats.kind != 0).any(1)
    with np.errstate(invalid="ignore"):
        swing = np.where(inside.sum(1) > 2, _range(intervals), 0)
    voltage = (measured["sokolow_lyon"] > 3.5) | (measured["cornell"] > np.where(made.female, 2.0, 2.8))
    narrow = made.is_conduction("normal", "IRBBB") & conducted
    terms = {
        "AFIB": made.is_rhythm("AFIB"),
        "AFLT": made.is_rhythm("AFLT"),
        "SVTAC": made.is_rhythm("SVTAC"),
        "PACE": made.is_rhythm("PACE"),
        "STACH": sinus & (made.rate > limit("tachycardia", 100)),
        "SBRAD": sinus & (made.rate < limit("bradycardia", habits.bradycardia)),
        "SARRH": sinus & ~early & (swing > 0.16),
        "1AVB": sinus & (made.pr > limit("PR", habits.long_pr / 1000)),
        "WPW": made.is_conduction("WPW") & sinus,
        "IRBBB": right & (qrs >= limit("a delayed QRS", 0.100)) & (qrs < wide),
        "CRBBB": right & (qrs >= wide),
        "CLBBB": left & (qrs >= wide),
        "ILBBB": left & (qrs < wide),
        "IVCD": made.is_conduction("IVCD") & conducted & (qrs > 0.110),
        "LAFB": has["LAFB"] & conducted & ~left & (measured["axis"] < -40),
        "LPFB": has["LPFB"] & conducted & ~left & (measured["axis"] > 90),
        "PVC": (inside & (beats.kind == VENTRICULAR)).any(1),
        "PAC": (inside & (beats.kind == ATRIAL)).any(1),
        "LVH": has["LVH"] & voltage & narrow,
        "VCLVH": voltage & narrow,
        "RVH": has["RVH"] & conducted,
        "LNGQT": (made.qtc > np.where(made.female, 0.470, 0.460)) & narrow,
        "LVOLT": measured["limb_voltage"] < 0.5,
        "INVT": has["INVT"] & conducted & ~left,
        "LOWT": has["LOWT"] & ~has["INVT"] & conducted & ~left,
        **{name: has[name] & conducted & ~left for name in ("IMI", "AMI", "LMI", "STE_", "STD_")},
    }
    terms["SR"] = sinus & ~(terms["STACH"] | terms["SBRAD"] | terms["SARRH"])
    remarkable = [held for name, held in terms.items() if name not in _UNREMARKABLE]
    terms["NORM"] = sinus & ~np.any(remarkable, axis=0)
    return terms


def _range(values: Floats) -> Floats:
    """Largest minus smallest of each row, NaN left out."""
    filled = np.isnan(values)
    return np.asarray(np.where(filled, -np.inf, values).max(1) - np.where(filled, np.inf, values).min(1), np.float32)


def annotate(terms: dict[str, Bools], habits: Annotation, own: Draws) -> NDArray[np.bool_]:
    """What the hospital's readers write down, (records, TERMS): some positives are missed, some terms never read."""
    written = np.stack([terms[name] for name in TERMS], 1)
    missed = np.array([habits.missed_terms.get(name, habits.missed) for name in TERMS], np.float32)
    written &= own.uniform("missed", shape=(len(TERMS),)) >= missed
    written[:, [name in habits.not_annotated for name in TERMS]] = False
    return written
