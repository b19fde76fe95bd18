"""Reading a clean recording as a cardiologist would, by means that know nothing of the simulator."""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.signal import find_peaks

from ecg_lightning.records import LEADS
from ecg_lightning.simulator import TERMS, Hospital, Simulated, simulate
from ecg_lightning.simulator.hospital import PREVALENCE

RATE = 500
HEALTHY = dict.fromkeys(PREVALENCE, 0.0)
LEAD = {name: k for k, name in enumerate(LEADS)}
NEIGHBOURS = [
    ("aVL", "I"), ("I", "-aVR"), ("-aVR", "II"), ("II", "aVF"), ("aVF", "III"),
    ("V1", "V2"), ("V2", "V3"), ("V3", "V4"), ("V4", "V5"), ("V5", "V6"),
]  # fmt: skip
"""Leads that look from neighbouring places, as the universal definition of infarction groups them."""


@cache
def archive(condition: str = "", records: int = 30, age: float = 60) -> Simulated:
    """Clean recordings at 500 Hz of patients who have nothing but one condition."""
    prevalence = HEALTHY | ({condition: 1.0} if condition else {})
    return simulate(Hospital(age=age, prevalence=prevalence), range(records), 0, RATE, clean=True)


def labelled(recordings: Simulated, term: str) -> np.ndarray:
    return recordings.labels[:, TERMS.index(term)]


class Beat(NamedTuple):
    """The mean conducted beat: (samples, 12) mV, zero just before the QRS; times in samples from the QRS onset."""

    leads: np.ndarray
    onset: int
    offset: int

    def at(self, seconds_after_offset: float) -> np.ndarray:
        return self.leads[self.offset + round(seconds_after_offset * RATE)]

    @property
    def qrs(self) -> np.ndarray:
        return self.leads[self.onset : self.offset]

    @property
    def t(self) -> np.ndarray:
        """(12,) the T wave's extreme, from 80 ms after the QRS."""
        wave = self.leads[self.offset + 40 :]
        return np.take_along_axis(wave, np.abs(wave).argmax(0)[None], 0)[0]


def mean_beat(signal: np.ndarray, qrs_ms: float) -> Beat:
    """Of a recording in µV (samples, 12) whose QRS lasts `qrs_ms`; its beginning is where the leads begin to move."""
    mv = signal / 1000
    speed = np.convolve(np.abs(np.diff(mv, axis=0)).sum(1), np.ones(25) / 25, "same")
    peaks = find_peaks(speed, height=0.5 * np.quantile(speed, 0.99), distance=150)[0]
    after = min(300, int(np.median(np.diff(peaks))) - 90)  # before the next P wave
    inside = [p for p in peaks if 200 < p < len(mv) - 300]
    mean = np.median([mv[p - 200 : p + after] for p in inside], axis=0)
    moving = np.abs(np.diff(mean, axis=0)).max(1)
    onset = 130 + int(np.argmax(moving[130:] > 0.06 * moving.max()))
    return Beat(mean - mean[onset - 4 : onset].mean(0), onset, onset + round(qrs_ms * RATE / 1000))


def beats(recordings: Simulated, rows: np.ndarray) -> list[Beat]:
    """The mean beats of the recordings that are held."""
    return [mean_beat(recordings.signals[k], float(recordings.parameters["qrs_ms"][k])) for k in np.flatnonzero(rows)]


def lead(values: np.ndarray, name: str) -> np.ndarray:
    """One lead of (..., 12); -aVR is aVR upside down."""
    return -values[..., LEAD["aVR"]] if name == "-aVR" else values[..., LEAD[name]]


def pairs(values: np.ndarray, limit: float, *, above: bool) -> list[tuple[str, str]]:
    """The neighbouring leads in which (12,) values reach a limit."""

    def reached(name: str) -> bool:
        value = lead(values, name)
        return bool(value >= limit if above else value <= limit)

    return [pair for pair in NEIGHBOURS if reached(pair[0]) and reached(pair[1])]
