"""Who the patient is and what is wrong: conditions as they occur together, and the intervals that follow.

Definitions: Surawicz et al. 2009 (AHA/ACCF/HRS, intraventricular conduction), Rautaharju et al. 2009 (QT), and
Kusumoto et al. 2019 (bradycardia and conduction delay).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ecg_lightning.simulator.hospital import Hospital
from ecg_lightning.simulator.rng import Draws

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
RHYTHMS = ("sinus", "AFIB", "AFLT", "SVTAC", "PACE")
CONDUCTIONS = ("normal", "IRBBB", "CRBBB", "CLBBB", "IVCD", "WPW")
_CHRONIC = ("1AVB", "LAFB", "LPFB", "LVH", "RVH", "IMI", "AMI", "LMI", "LVOLT")
_ACUTE = ("STE_", "STD_", "INVT", "LOWT", "LNGQT", "PVC", "PAC", "SARRH")
# how much a condition depends on the patient's burden of disease: what makes conditions come together
_LOADING = {"SARRH": -0.3, "RVH": 0.2, "LOWT": 0.3, "STE_": 0.2}


@dataclass
class Conditions:
    """What was drawn for a batch: arrays of (records,); intervals in seconds, rate in beats a minute."""

    patient: NDArray[np.int64]
    age: Floats
    female: Bools
    rhythm: NDArray[np.intp]
    conduction: NDArray[np.intp]
    rate: Floats
    pr: Floats
    qrs: Floats
    qt: Floats
    present: dict[str, Bools]

    def is_rhythm(self, name: str) -> Bools:
        """Where the rhythm is the named one of RHYTHMS."""
        return np.asarray(self.rhythm == RHYTHMS.index(name))

    def is_conduction(self, *names: str) -> Bools:
        """Where ventricular conduction is one of the named."""
        return np.isin(self.conduction, [CONDUCTIONS.index(name) for name in names])

    @property
    def qtc(self) -> Floats:
        """QT corrected for the rate by Fridericia's formula, s."""
        return self.qt * np.cbrt(self.rate / 60)


def draw_conditions(hospital: Hospital, records: NDArray[np.int64], seed: int) -> tuple[Conditions, Draws, Draws]:
    """Draw the conditions of a batch; also returns the draws by patient and by record, for what is drawn next."""
    patient = (records / hospital.recordings_per_patient).astype(np.int64)
    whose, own = Draws(seed, patient), Draws(seed + 1_000_003, records)
    age = np.clip(hospital.age + hospital.age_spread * whose.normal("age"), 5, 97).astype(np.float32)
    female = whose.chance("sex", hospital.female)
    burden = 0.5 * (age - hospital.age) / hospital.age_spread + 0.866 * whose.normal("burden")

    def occurs(name: str, draws: Draws) -> Bools:
        loading = _LOADING.get(name, 0.45)
        tendency = loading * burden + np.sqrt(1 - loading**2) * draws.normal(f"has {name}")
        return np.asarray(tendency > ndtri(1 - hospital.share(name)))

    present = {name: occurs(name, whose) for name in _CHRONIC} | {name: occurs(name, own) for name in _ACUTE}
    rhythm = np.where(occurs("AFIB", own), 1, 0)
    others = [hospital.share(name) for name in RHYTHMS[2:]]
    rhythm = np.where(rhythm == 0, (own.choice("rhythm", [1 - sum(others), *others]) + 1) % 5, 1)
    rhythm = np.where((rhythm == 1) & ~occurs("AFIB", own), 0, rhythm)
    weights = [np.full(len(records), hospital.share(name)) * np.exp(0.5 * burden - 0.125) for name in CONDUCTIONS[1:]]
    conduction = whose.choice("conduction", np.stack([np.maximum(1 - sum(weights), 0.2), *weights], 1))
    rate = _rate(hospital, own, rhythm)
    made = Conditions(patient, age, female, rhythm, conduction, rate, rate, rate, rate, present)
    made.pr = _pr(made, whose, own)
    made.qrs = _qrs(made, whose)
    corrected = 0.408 + 0.008 * female + 0.018 * whose.normal("qtc") + 0.5 * np.maximum(made.qrs - 0.1, 0)
    corrected = np.where(present["LNGQT"], 0.448 + 0.035 * np.abs(own.normal("long qt")), corrected)
    made.qt = (corrected * np.cbrt(60 / rate)).astype(np.float32)
    return made, whose, own


def _rate(hospital: Hospital, own: Draws, rhythm: NDArray[np.intp]) -> Floats:
    """Mean rate of the ventricles; sinus tachycardia and bradycardia overlap the normal range at their limits."""
    fast, slow = hospital.share("STACH"), hospital.share("SBRAD")
    slowest = hospital.annotation.bradycardia - 4  # where nobody is drawn as slow, few are just under the limit
    normal = slowest + (72 - slowest) * np.exp(0.42 * own.normal("rate"))
    tail = -np.log(1 - own.uniform("rate tail"))  # exponential, mean 1
    sinus = np.stack([normal, 98 + 16 * tail, hospital.annotation.bradycardia + 1 - 5.5 * tail], 1)
    sinus = np.clip(sinus, (slowest, 95, 34), (103, 165, 62))
    chosen = sinus[np.arange(own.n), own.choice("rate stratum", [1 - fast - slow, fast, slow])]
    other = own.normal("other rate")
    others = (86 + 22 * other, 100 + 30 * other, 165 + 20 * other, 68 + 6 * other)
    limits = ((42, 170), (60, 160), (130, 215), (58, 90))
    return np.select(
        [rhythm == k for k in range(1, 5)], [np.clip(r, *lim) for r, lim in zip(others, limits, strict=True)], chosen
    ).astype(np.float32)


def _pr(made: Conditions, whose: Draws, own: Draws) -> Floats:
    """PR interval: longer with age, shorter with rate; the delayed ones begin just under the definition's 200 ms."""
    usual = 0.152 + 0.0002 * (made.age - 50) - 0.00025 * (made.rate - 70) + 0.019 * whose.normal("pr")
    delayed = 0.192 + 0.036 * -np.log(1 - whose.uniform("pr delay")) + 0.016 * np.abs(own.normal("pr delay"))
    pr = np.where(made.present["1AVB"], np.clip(delayed, 0.19, 0.40), np.clip(usual, 0.11, 0.212))
    return np.where(made.is_conduction("WPW"), 0.09 + 0.02 * own.uniform("wpw"), pr).astype(np.float32)


def _qrs(made: Conditions, whose: Draws) -> Floats:
    """QRS duration by conduction; the blocks straddle the 100 and 120 ms of their definitions."""
    mean = np.array([0.085, 0.102, 0.139, 0.146, 0.117, 0.125])[made.conduction]
    spread = np.array([0.008, 0.009, 0.012, 0.013, 0.007, 0.010])[made.conduction]
    low = np.array([0.066, 0.086, 0.112, 0.116, 0.104, 0.104])[made.conduction]
    high = np.array([0.108, 0.124, 0.180, 0.190, 0.150, 0.160])[made.conduction]
    wider = 0.005 * ~made.female + 0.006 * made.present["LAFB"] + 0.006 * made.present["LVH"]
    paced = made.is_rhythm("PACE")
    qrs = np.clip(mean + wider + spread * whose.normal("qrs"), low, high)
    return np.where(paced, 0.150 + 0.012 * whose.normal("qrs"), qrs).astype(np.float32)
