"""The patients and their conditions, as these occur together, and the intervals that follow from them.

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
# how much a condition depends on the patient's burden of disease, by which conditions occur together
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
    """Draws the conditions of a batch; also returns the draws by patient and by record, for what is drawn next."""
    patient = (records / hospital.recordings_per_patient).astype(np.int64)
    patient_draws, record_draws = Draws(seed, patient), Draws(seed + 1_000_003, records)
    age = np.clip(hospital.age + hospital.age_spread * patient_draws.normal("age"), 5, 97).astype(np.float32)
    female = patient_draws.chance("sex", hospital.female)
    burden = 0.5 * (age - hospital.age) / hospital.age_spread + 0.866 * patient_draws.normal("burden")

    def occurs(name: str, draws: Draws) -> Bools:
        loading = _LOADING.get(name, 0.45)
        tendency = loading * burden + np.sqrt(1 - loading**2) * draws.normal(f"has {name}")
        return np.asarray(tendency > ndtri(1 - hospital.prevalence_of(name)))

    present = {name: occurs(name, patient_draws) for name in _CHRONIC} | {
        name: occurs(name, record_draws) for name in _ACUTE
    }
    rhythm = np.where(occurs("AFIB", record_draws), 1, 0)
    other_rhythms = [hospital.prevalence_of(name) for name in RHYTHMS[2:]]
    rhythm = np.where(rhythm == 0, (record_draws.choice("rhythm", [1 - sum(other_rhythms), *other_rhythms]) + 1) % 5, 1)
    rhythm = np.where((rhythm == 1) & ~occurs("AFIB", record_draws), 0, rhythm)
    weights = [
        np.full(len(records), hospital.prevalence_of(name)) * np.exp(0.5 * burden - 0.125) for name in CONDUCTIONS[1:]
    ]
    conduction = patient_draws.choice("conduction", np.stack([np.maximum(1 - sum(weights), 0.2), *weights], 1))
    right_block = conduction == CONDUCTIONS.index("CRBBB")
    present["LAFB"] |= right_block & patient_draws.chance("bifascicular", hospital.bifascicular)
    rate = _rate(hospital, record_draws, rhythm)
    conditions = Conditions(patient, age, female, rhythm, conduction, rate, rate, rate, rate, present)
    conditions.pr = _pr(conditions, patient_draws, record_draws)
    conditions.qrs = _qrs(conditions, patient_draws)
    qtc = 0.408 + 0.008 * female + 0.018 * patient_draws.normal("qtc") + 0.5 * np.maximum(conditions.qrs - 0.1, 0)
    qtc = np.where(present["LNGQT"], 0.448 + 0.035 * np.abs(record_draws.normal("long qt")), qtc)
    conditions.qt = (qtc * np.cbrt(60 / rate)).astype(np.float32)
    return conditions, patient_draws, record_draws


def _rate(hospital: Hospital, record_draws: Draws, rhythm: NDArray[np.intp]) -> Floats:
    """Mean rate of the ventricles; sinus tachycardia and bradycardia overlap the normal range at their limits."""
    tachycardia, bradycardia = hospital.prevalence_of("STACH"), hospital.prevalence_of("SBRAD")
    slowest = hospital.annotation.bradycardia - 4  # of those not drawn as bradycardia, few are just under the limit
    normal_rate = slowest + (72 - slowest) * np.exp(0.42 * record_draws.normal("rate"))
    rate_tail = -np.log(1 - record_draws.uniform("rate tail"))  # exponential, mean 1
    sinus_rates = np.stack([normal_rate, 98 + 16 * rate_tail, hospital.annotation.bradycardia + 1 - 5.5 * rate_tail], 1)
    sinus_rates = np.clip(sinus_rates, (slowest, 95, 34), (103, 165, 62))
    sinus_rate = sinus_rates[
        np.arange(record_draws.n),
        record_draws.choice("rate stratum", [1 - tachycardia - bradycardia, tachycardia, bradycardia]),
    ]
    deviation = record_draws.normal("other rate")
    other_rates = (86 + 22 * deviation, 100 + 30 * deviation, 165 + 20 * deviation, 68 + 6 * deviation)
    limits = ((42, 170), (60, 160), (130, 215), (58, 90))
    return np.select(
        [rhythm == k for k in range(1, 5)],
        [np.clip(other_rate, *bounds) for other_rate, bounds in zip(other_rates, limits, strict=True)],
        sinus_rate,
    ).astype(np.float32)


def _pr(conditions: Conditions, patient_draws: Draws, record_draws: Draws) -> Floats:
    """PR interval: longer with age, shorter with rate; the delayed ones begin just under the definition's 200 ms."""
    normal_pr = (
        0.152 + 0.0002 * (conditions.age - 50) - 0.00025 * (conditions.rate - 70) + 0.019 * patient_draws.normal("pr")
    )
    delayed_pr = (
        0.192 + 0.036 * -np.log(1 - patient_draws.uniform("pr delay")) + 0.016 * np.abs(record_draws.normal("pr delay"))
    )
    pr = np.where(conditions.present["1AVB"], np.clip(delayed_pr, 0.19, 0.40), np.clip(normal_pr, 0.11, 0.212))
    return np.where(conditions.is_conduction("WPW"), 0.09 + 0.02 * record_draws.uniform("wpw"), pr).astype(np.float32)


def _qrs(conditions: Conditions, patient_draws: Draws) -> Floats:
    """QRS duration by conduction; the blocks straddle the 100 and 120 ms of their definitions."""
    mean = np.array([0.085, 0.102, 0.139, 0.146, 0.117, 0.125])[conditions.conduction]
    spread = np.array([0.008, 0.009, 0.014, 0.014, 0.007, 0.010])[conditions.conduction]
    shortest = np.array([0.066, 0.086, 0.112, 0.116, 0.104, 0.104])[conditions.conduction]
    longest = np.array([0.108, 0.124, 0.190, 0.195, 0.150, 0.160])[conditions.conduction]
    extra_width = 0.005 * ~conditions.female + 0.006 * conditions.present["LAFB"] + 0.006 * conditions.present["LVH"]
    paced = conditions.is_rhythm("PACE")
    qrs = np.clip(mean + extra_width + spread * patient_draws.normal("qrs"), shortest, longest)
    paced_qrs = np.clip(0.156 + 0.016 * patient_draws.normal("qrs"), 0.120, 0.210)
    return np.asarray(np.where(paced, paced_qrs, qrs), np.float32)
