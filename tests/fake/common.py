"""What every fake archive shares: kinds of recordings, with each archive's code for them, and the account of a folder."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fake.waves import ecg


@dataclass(frozen=True)
class Kind:
    """One kind of recording: how it looks, and what each archive calls it ("" where it has no code)."""

    scp: tuple[str, ...]
    snomed: str
    aha: str
    code15: str
    cpsc2018: str
    ludb: tuple[str, str]  # a column of ludb.csv and its text
    mimic: str
    look: dict[str, Any] = field(default_factory=dict)


KINDS: tuple[Kind, ...] = (
    Kind(("NORM", "SR"), "426783006", "1", "", "1", ("Rhythms", "Sinus rhythm"), "Sinus rhythm"),
    Kind(
        ("AFIB",), "164889003", "50", "AF", "2", ("Rhythms", "Atrial fibrillation"), "Atrial fibrillation",
        {"irregular": True, "bpm": 95},
    ),
    Kind(
        ("1AVB", "SR"), "270492004", "82", "1dAVb", "3", ("Conduction abnormalities", "I degree av block"),
        "Sinus rhythm with 1st degree A-V block", {"pr": 0.28},
    ),
    Kind(
        ("STACH",), "427084000", "21", "ST", "", ("Rhythms", "Sinus tachycardia"), "Sinus tachycardia", {"bpm": 130}
    ),
    Kind(
        ("SBRAD",), "426177001", "22", "SB", "", ("Rhythms", "Sinus bradycardia"), "Sinus bradycardia", {"bpm": 45}
    ),
    Kind(
        ("CRBBB", "SR"), "713427006", "106", "RBBB", "5",
        ("Conduction abnormalities", "Complete right bundle branch block"), "Right bundle branch block", {"wide": 1.9},
    ),
    Kind(
        ("IRBBB", "SR"), "713426002", "105", "", "", ("Conduction abnormalities", "Incomplete right bundle branch block"),
        "Incomplete right bundle branch block", {"wide": 1.4},
    ),
)  # fmt: skip


@dataclass(eq=False)
class Item:
    """One recording as it was written."""

    record_id: str
    patient_id: str
    age: float
    sex: str
    kind: Kind
    codes: tuple[str, ...]
    sampling_rate: float
    signal: NDArray[np.float32]  # (12, samples), millivolts, as rounded in the file
    path: Path  # the signal file, or for HDF5 parts the part
    fold: int = 0  # the official fold, where there is one


@dataclass
class Archive:
    """A folder and the recordings in it, in the order of their writing."""

    root: Path
    items: list[Item] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, record_id: str) -> Item:
        return next(item for item in self.items if item.record_id == record_id)


def people(records: int, patient: str = "{}") -> Iterator[tuple[int, str, float, str, Kind]]:
    """Number, patient id, age, sex and kind of each recording; every fifth patient comes twice in a row."""
    number = 0
    for person in range(1, records + 1):
        for _ in range(2 if person % 5 == 0 else 1):
            if number == records:
                return
            number += 1
            yield number, patient.format(person), 20.0 + person % 70, "FM"[person % 2], KINDS[(number - 1) % len(KINDS)]


def wave(kind: Kind, seed: int, samples: int, rate: float) -> NDArray[np.float64]:
    """The signal of a kind of recording, (12, samples) in millivolts."""
    return ecg(samples, rate, seed, **kind.look)
