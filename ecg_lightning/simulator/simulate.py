"""Simulated archives: recordings of any hospital, each determined by the seed and its number alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import RHYTHMS, draw_conditions
from ecg_lightning.simulator.definitions import annotate, define_terms
from ecg_lightning.simulator.definitions import parameters as measured
from ecg_lightning.simulator.hospital import TERMS, Hospital
from ecg_lightning.simulator.measure import Beat
from ecg_lightning.simulator.noise import add_noise, draw_devices, lose_contact, padded
from ecg_lightning.simulator.rhythm import draw_beats, mean_rate
from ecg_lightning.simulator.synthesis import Canvas, synthesise
from ecg_lightning.simulator.torso import lead_vectors, misplace, twelve_leads

_BATCH = 256  # records at a time: larger batches leave the processor's cache


@dataclass(frozen=True)
class Simulated:
    """A batch of simulated recordings.

    `signals` are int16 (records, samples, 12) in µV, leads in standard order: what a store keeps.
    `labels` are bool (records, len(TERMS)); `annotated` are the terms that the hospital's readers write.
    `parameters` are arrays (records,): what was drawn, intervals in ms.
    """

    signals: NDArray[np.int16]
    labels: NDArray[np.bool_]
    annotated: frozenset[str]
    parameters: dict[str, NDArray[np.generic]]

    @property
    def terms(self) -> list[tuple[str, ...]]:
        """The positive terms of each record."""
        return [tuple(TERMS[k] for k in np.flatnonzero(row)) for row in self.labels]


def simulate(
    hospital: Hospital,
    records: Sequence[int] | range,
    seed: int,
    sampling_rate: float = 100,
    seconds: float = 10,
    clean: bool = False,
) -> Simulated:
    """Simulates the given records of a hospital's archive.

    Args:
        hospital: its patients, devices and readers.
        records: record numbers; a record is the same whatever else is drawn with it.
        seed: the archive's seed.
        sampling_rate: Hz.
        seconds: length of each recording.
        clean: without noise, artefacts, swapped cables, the device's filter and the readers' omissions.
    """
    numbers = np.asarray(records, np.int64)
    parts = [
        _batch(hospital, numbers[k : k + _BATCH], seed, sampling_rate, seconds, clean)
        for k in range(0, max(len(numbers), 1), _BATCH)
    ]
    return Simulated(
        np.concatenate([part.signals for part in parts]),
        np.concatenate([part.labels for part in parts]),
        parts[0].annotated,
        {name: np.concatenate([part.parameters[name] for part in parts]) for name in parts[0].parameters},
    )


def _batch(
    hospital: Hospital, records: NDArray[np.int64], seed: int, rate: float, seconds: float, clean: bool
) -> Simulated:
    conditions, patient_draws, record_draws = draw_conditions(hospital, records, seed)
    device = draw_devices(hospital, record_draws)
    samples = round(seconds * rate)
    length = padded(samples, rate)
    padding = (length - samples) // 2
    beats = draw_beats(conditions, record_draws, seconds)
    leads = lead_vectors(patient_draws, record_draws, hospital.placement)
    lowpass = np.full_like(device.lowpass, 1e6) if clean else device.lowpass
    canvas = Canvas(len(records), length, rate, -padding / rate, lowpass)
    signal, qrs, recovery = synthesise(conditions, beats, leads, patient_draws, record_draws, canvas)
    beat = Beat(qrs, recovery, conditions)
    terms = define_terms(conditions, beats, beat, seconds, hospital.annotation, record_draws)
    if not clean:
        signal = add_noise(signal, rate, canvas.start, seconds, hospital, record_draws)
        signal = misplace(signal, record_draws, hospital.placement)
    signal = signal[:, padding : padding + samples]
    if not clean:
        lose_contact(signal, rate, hospital, record_draws)
    step = np.float32(1) if clean else device.resolution[:, None, None]
    scale = 1000 if clean else 1000 * device.gain[:, None, None]
    signal = np.rint(signal * (scale / step))
    signal *= step
    microvolts = twelve_leads(signal)
    np.clip(np.rint(microvolts, out=microvolts), -32767, 32767, out=microvolts)
    readers = hospital.annotation
    labels = np.stack([terms[name] for name in TERMS], 1) if clean else annotate(terms, readers, record_draws)
    inside = (beats.onset >= 0) & (beats.onset < seconds)
    parameters: dict[str, NDArray[np.generic]] = {
        "record": records,
        "patient": conditions.patient,
        "age": conditions.age,
        "sex": np.where(conditions.female, "F", "M"),
        "rhythm": np.array(RHYTHMS)[conditions.rhythm],
        "heart_rate": np.where(conditions.is_rhythm("AFLT"), mean_rate(beats, seconds), conditions.rate).astype(
            np.float32
        ),
        "pr_ms": np.where(conditions.is_rhythm("sinus"), 1000 * conditions.pr, np.nan),
        "qrs_ms": 1000 * conditions.qrs,
        "qt_ms": 1000 * conditions.qt,
        "beats": inside.sum(1),
        **measured(beat),
    }
    return Simulated(
        microvolts.astype(np.int16),
        labels,
        frozenset(TERMS) - frozenset(readers.not_annotated),
        parameters,
    )
