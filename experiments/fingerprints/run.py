"""What fingerprints find and what they take for another: python experiments/fingerprints/run.py [DATA] [SIMULATED]."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt, iirnotch, resample_poly, sosfilt, sosfiltfilt

from ecg_lightning.errors import UserError
from ecg_lightning.main import guard
from ecg_lightning.records import Record, fingerprint, matching_pairs, read_record
from ecg_lightning.records.fingerprints import OPENING, SIZE
from ecg_lightning.records.fingerprints.fingerprint import BEATS_THRESHOLD, OPENING_THRESHOLD
from ecg_lightning.simulator.hospital import Hospital
from ecg_lightning.simulator.simulate import simulate

DISTURBED = 500  # recordings
Signal = NDArray[np.floating]
Disturbance = Callable[[Signal, float, np.random.Generator], tuple[Signal, float]]


def read_all(folder: Path) -> list[Record]:
    """Every recording of the public archives once: at 100 Hz where it is there at two rates."""
    paths = [
        path
        for pattern in ("*.hea", "*.h5", "cpsc2018_struct/*.mat", "code15/*.mat")
        for path in sorted(folder.rglob(pattern))
        if not {"hospital_formats", "records500", "georgia_2020_headers"} & set(path.parts)
    ]
    if not paths:
        raise UserError(f"There is no recording below {folder}. Name the folder of the archives after the command.")
    rates = {".h5": 500.0, "code15": 400.0}
    return [read_record(path, sampling_rate=rates.get(path.suffix) or rates.get(path.parent.name)) for path in paths]


def band(
    signal: Signal, rate: float, _: np.random.Generator, low: float, high: float, causal: bool = False
) -> tuple[Signal, float]:
    """A Butterworth band-pass of second order; of 100 Hz files the upper edge is at most 45 Hz."""
    sos = butter(2, [low, min(high, 0.45 * rate)], "band", fs=rate, output="sos")
    return (sosfilt(sos, signal - signal[:, :1], axis=1) if causal else sosfiltfilt(sos, signal, axis=1)), rate


def notch(signal: Signal, rate: float, _: np.random.Generator, hertz: float) -> tuple[Signal, float]:
    """A notch at the mains; a file of 100 Hz has none there."""
    return (filtfilt(*iirnotch(hertz, 30, fs=rate), signal, axis=1) if rate > 2 * hertz else signal), rate


def moved(signal: Signal, rate: float, _: np.random.Generator, seconds: float) -> tuple[Signal, float]:
    """A later start."""
    return signal[:, round(seconds * rate) :], rate


def noisy(signal: Signal, rate: float, random: np.random.Generator, millivolts: float) -> tuple[Signal, float]:
    """White noise on every lead."""
    return signal + random.normal(0, millivolts, signal.shape), rate


def wandering(signal: Signal, rate: float, random: np.random.Generator) -> tuple[Signal, float]:
    """A baseline of 0.3 Hz with 0.3 mV on the average lead."""
    times = np.arange(signal.shape[1]) / rate
    return signal + 0.3 * random.normal(0, 1, (12, 1)) * np.sin(2 * np.pi * 0.3 * times), rate


def exported(signal: Signal, rate: float, random: np.random.Generator) -> tuple[Signal, float]:
    """Filtered, 50 ms later and with noise of 50 µV."""
    later = moved(signal, rate, random, 0.05)[0]
    return noisy(band(later, rate, random, 0.5, 40)[0], rate, random, 0.05)


def _only(leads: slice) -> Disturbance:
    def subset(signal: Signal, rate: float, _: np.random.Generator) -> tuple[Signal, float]:
        kept = np.zeros_like(signal)
        kept[leads] = signal[leads]
        return kept, rate

    return subset


DISTURBANCES: dict[str, Disturbance] = {
    "resampled to 100 Hz": lambda s, rate, _: (resample_poly(s, 100, round(rate), axis=1), 100.0),
    "a tenth of the gain, steps of 5 µV": lambda s, rate, _: (np.rint(20 * s) / 200, rate),
    "clipped at 1 mV": lambda s, rate, _: (s.clip(-1, 1), rate),
    "band-pass 0.5–40 Hz": partial(band, low=0.5, high=40),
    "band-pass 1–30 Hz": partial(band, low=1, high=30),
    "band-pass 0.5–40 Hz, causal": partial(band, low=0.5, high=40, causal=True),
    "notch 50 Hz": partial(notch, hertz=50),
    "notch 60 Hz": partial(notch, hertz=60),
    "baseline wander": wandering,
    "start 10 ms later": partial(moved, seconds=0.01),
    "start 50 ms later": partial(moved, seconds=0.05),
    "start 500 ms later": partial(moved, seconds=0.5),
    "start 2.5 s later": partial(moved, seconds=2.5),
    "noise 50 µV": partial(noisy, millivolts=0.05),
    "noise 100 µV": partial(noisy, millivolts=0.1),
    "0.5–40 Hz, 50 ms later, noise 50 µV": exported,
    "second half": lambda s, rate, _: (s[:, s.shape[1] // 2 :], rate),
    "limb leads alone": _only(slice(0, 6)),
    "inverted": lambda s, rate, _: (-s, rate),
    "half as fast (a wrong rate)": lambda s, rate, _: (s, rate / 2),
}


def units(rows: NDArray[np.int8]) -> NDArray[np.float32]:
    """(parts, rows, 64) of length 1; zeros stay zeros."""
    parts = rows.reshape(len(rows), SIZE // OPENING, OPENING).transpose(1, 0, 2).astype(np.float32)
    return parts / np.maximum(np.linalg.norm(parts, axis=2, keepdims=True), 1)


def correlations(a: NDArray[np.int8], b: NDArray[np.int8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(rows of a, rows of b) of the openings, and the largest of the windows around beats."""
    first_parts, second_parts = units(a), units(b)
    around = np.full((len(a), len(b)), -1, np.float32)
    for first in first_parts[1:]:
        for second in second_parts[1:]:
            np.maximum(around, first @ second.T, out=around)
    return first_parts[0] @ second_parts[0].T, around


def detection(records: list[Record], rows: NDArray[np.int8]) -> None:
    """Prints the share of disturbed copies that are found, by the opening, by the beats, and by either."""
    random = np.random.default_rng(0)
    chosen = random.choice(len(records), min(DISTURBED, len(records)), replace=False)
    pairs = {name: [[fingerprint(*change(records[k].signal, records[k].sampling_rate, random)) for k in chosen], rows[chosen]]
             for name, change in DISTURBANCES.items()}  # fmt: skip
    quarters = [
        (s[:, : 3 * s.shape[1] // 4], s[:, s.shape[1] // 4 :], records[k].sampling_rate)
        for k in chosen
        for s in [records[k].signal]
    ]
    pairs["two that share half of the whole"] = [[fingerprint(s, rate) for s, _, rate in quarters], np.stack([fingerprint(s, rate) for _, s, rate in quarters])]  # fmt: skip
    print(f"\n| {len(chosen)} recordings, and a copy | opening | beats | either |\n|---|---|---|---|")
    for name, (copies, originals) in pairs.items():
        is_copy = []
        for copy, original in zip(copies, originals, strict=True):
            opening, beats = correlations(copy[None], original[None])
            is_copy.append((opening.item() >= OPENING_THRESHOLD, beats.item() >= BEATS_THRESHOLD))
        each = np.array(is_copy)
        shares = [*each.mean(axis=0), each.any(axis=1).mean()]
        print(f"| {name} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |", flush=True)


def alarms(name: str, rows: NDArray[np.int8], copies: set[tuple[int, int]], person: NDArray[np.object_]) -> None:
    """Prints how alike different recordings are, of different people and of one, and how many are taken for the same."""
    best: dict[bool, list[NDArray[np.float32]]] = {True: [], False: []}
    pairs = {True: 0, False: 0}
    copy_rows = np.array(sorted(copies), np.int64).reshape(-1, 2)
    for first in range(0, len(rows), 1000):
        block = np.arange(first, min(first + 1000, len(rows)))
        both = np.stack(correlations(rows[block], rows))
        counted = block[:, None] < np.arange(len(rows))
        inside = copy_rows[np.isin(copy_rows[:, 0], block)]
        counted[inside[:, 0] - first, inside[:, 1]] = False
        same = person[block][:, None] == person[None]
        for alike in (True, False):
            alikeness = both[:, counted & (same == alike)]
            pairs[alike] += alikeness.shape[1]
            best[alike].append(np.sort(alikeness, axis=1)[:, -3:])
    false_alarms = [(i, j) for i, j in matching_pairs(rows).tolist() if (i, j) not in copies]
    for alike, people in ((False, "different people"), (True, "one person")):
        top = np.sort(np.concatenate(best[alike], axis=1), axis=1)[:, ::-1]
        wrong = sum(bool(person[i] == person[j]) == alike for i, j in false_alarms)
        largest = [f"{part[0]:.3f}" if len(part) else "–" for part in top]
        print(f"| {name}, of {people} | {pairs[alike]:,} | {largest[0]} | {largest[1]} | {wrong} |", flush=True)


def main() -> None:
    """Reads, disturbs and compares; some minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("ECG_TEST_DATA", "data"))
    parser.add_argument("simulated", nargs="?", type=int, default=10_000, help="simulated recordings")
    options = parser.parse_args()
    folder, simulated = options.folder, options.simulated
    records = read_all(folder)
    rows = np.stack([fingerprint(record.signal, record.sampling_rate) for record in records])
    detection(records, rows)

    names = [record.record_id for record in records]
    table = pd.read_csv(folder / "ptbxl" / "ptbxl_database.csv")
    patients = dict(zip(table["ecg_id"].map("{:05d}_lr".format), table["patient_id"], strict=True))
    person = np.array([patients.get(name, name) for name in names], object)
    copies = {
        (i, j)
        for i, j in matching_pairs(rows).tolist()
        if np.corrcoef(records[i].signal[:, :900].ravel(), records[j].signal[:, :900].ravel())[0, 1] > 0.99
    }
    print(f"\nTwice in the archives: {', '.join(f'{names[i]} = {names[j]}' for i, j in sorted(copies))}")
    print("\n| pairs of different recordings | pairs | most alike openings | most alike beats | taken for one |")
    print("|---|---|---|---|---|")
    alarms("real", rows, copies, person)
    for name, hospital in (
        ("simulated", Hospital()),
        ("simulated, paced or in flutter", Hospital(prevalence={"PACE": 0.6, "AFLT": 0.4, "SVTAC": 0})),
    ):
        recordings = simulate(hospital, range(simulated), 0)
        rows = np.stack([fingerprint(signal.T / np.float32(1000), 100) for signal in recordings.signals])
        alarms(name, rows, set(), recordings.parameters["patient"].astype(object))


if __name__ == "__main__":
    sys.exit(guard(main))
