"""Simulated archives: drawn into a store as any other source is packed, or without end while a network trains."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from ecg_lightning import simulator
from ecg_lightning.datamodules.base import ECGDataModule, Statements
from ecg_lightning.datamodules.batches import Cut, RawBatch, TrainingBatches
from ecg_lightning.labels import LabelSpace, ancestors
from ecg_lightning.ranges import Records, Seed
from ecg_lightning.records import LEADS, Record
from ecg_lightning.simulator import Hospital, Simulated, simulate
from ecg_lightning.store.pack import PART, Reader, Row

ARCHIVES = {"large": ("large_a", "large_b", "large_c")}
"""Archives that several hospitals fill; any other name is that of one hospital."""
BROADER = ("AFAFL", "AVB", "BBB", "LBBB", "MI", "RBBB", "SVPB", "VH", "VPB", "VPEX")
"""Broader terms: in a simulated recording they are absent where every simulated narrower one is."""


@dataclass(frozen=True)
class Archive:
    """Recordings numbered from 0 without end, each determined by the seed and its number alone.

    Attributes:
        hospitals: take turns, a part of the store each, so that a part is drawn from one hospital at once.
        seed: of the archive; every hospital's patients are its own.
        sampling_rate: Hz.
        seconds: length of a recording.
    """

    hospitals: tuple[Hospital, ...]
    seed: str
    sampling_rate: int
    seconds: float

    def place(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The hospital of each recording, and its number there."""
        part, within = np.divmod(numbers, PART)
        turn, hospital = np.divmod(part, len(self.hospitals))
        return hospital, turn * PART + within

    def draw(self, numbers: NDArray[np.int64]) -> Iterator[tuple[Hospital, NDArray[np.int64], Simulated]]:
        """For each hospital: itself, the positions in ``numbers`` that are its own, and these recordings."""
        hospital, own = self.place(numbers)
        for k in np.unique(hospital):
            at = np.flatnonzero(hospital == k)
            chosen = self.hospitals[k]
            seed = int.from_bytes(sha256(f"{chosen.name} {self.seed}".encode()).digest()[:4], "big")
            yield chosen, at, simulate(chosen, own[at].tolist(), seed, self.sampling_rate, self.seconds)


class Drawing:
    """Reads a recording by its number; the whole part that it lies in is drawn at once, which is several times faster.

    Args:
        archive: whose recordings.
        records: their number.
    """

    def __init__(self, archive: Archive, records: int) -> None:
        self.archive, self.records = archive, records
        self.part: dict[int, Record] = {}

    def __call__(self, row: Row) -> Record:
        """The recording of a row of the table."""
        number = int(row["number"])
        if number not in self.part:
            first = number - number % PART
            numbers = np.arange(first, min(first + PART, self.records))
            self.part = {}
            for hospital, at, drawn in self.archive.draw(numbers):
                self.part |= dict(zip(numbers[at].tolist(), _records(hospital, drawn, self.archive), strict=True))
        return self.part[number]


def _records(hospital: Hospital, drawn: Simulated, archive: Archive) -> Iterator[Record]:
    about = (drawn.parameters[name].tolist() for name in ("patient", "age", "sex"))
    for signal, terms, patient, age, sex in zip(drawn.signals, drawn.terms, *about, strict=True):
        yield Record(
            signal.T.astype(np.float32) / np.float32(1000),
            archive.sampling_rate,
            patient_id=f"{hospital.name}-{patient}" + ("" if archive.seed == "0" else f"-{archive.seed}"),
            age=age,
            sex=sex,
            codes=terms,
        )


class Endless(Dataset[RawBatch]):
    """Recordings that are simulated when they are asked for; indexed by a batch of cuts, whose rows are their numbers.

    Args:
        archive: whose recordings.
        space: what their targets are.
    """

    def __init__(self, archive: Archive, space: LabelSpace) -> None:
        self.archive, self.space = archive, space

    def __getitem__(self, cut: Cut) -> RawBatch:
        numbers = cut[:, 0]
        samples = round(self.archive.seconds * self.archive.sampling_rate)
        signals = np.empty((len(numbers), samples, len(LEADS)), np.int16)
        targets = np.empty((len(numbers), len(self.space)), np.float32)
        for hospital, at, drawn in self.archive.draw(numbers):
            signals[at] = drawn.signals
            targets[at] = self.space.encode(drawn.terms, annotated(hospital))
        return {
            "signals": torch.from_numpy(signals),
            "valid": torch.full((len(numbers),), samples),
            "targets": torch.from_numpy(targets),
            "record": torch.from_numpy(numbers.copy()),
            "window": torch.from_numpy(cut[:, 1].copy()),
        }


class EndlessBatches(TrainingBatches):
    """Every epoch the next recordings, in a random order."""

    def __iter__(self) -> Iterator[Cut]:
        first = self.epoch * len(self.room)
        yield from (cut + np.array([first, 0]) for cut in super().__iter__())


def annotated(hospital: Hospital) -> frozenset[str]:
    """The terms that a hospital's readers write down, and the broader ones that are absent where these are."""
    own = frozenset(simulator.TERMS) - {*hospital.annotation.not_annotated}
    narrower = {term: {own_term for own_term in simulator.TERMS if term in ancestors(own_term)} for term in BROADER}
    return own | {term for term in BROADER if narrower[term] <= own}


@dataclass(eq=False, repr=False)
class SimulatedDataModule(ECGDataModule):
    """An archive of simulated recordings: no download, any size, any rate and length.

    Attributes:
        hospital: a shipped hospital's name or a YAML file; a list of them; or `large`, an archive of three hospitals.
        records: recordings in the archive, all folds together.
        archive_seed: another seed is another archive.
        endless: train on new recordings in every epoch, drawn while the network trains; validation and test stay.
    """

    source = "simulated"
    system = "scp"

    hospital: list[str] | str = "large"
    records: Records = 2000
    archive_seed: Seed = 0
    endless: bool = False

    @cached_property
    def archive(self) -> Archive:
        """The recordings of the store."""
        given = [self.hospital] if isinstance(self.hospital, str) else self.hospital
        hospitals = tuple(Hospital.load(name) for each in given for name in ARCHIVES.get(each, (each,)))
        return Archive(hospitals, str(self.archive_seed), self.sampling_rate, self.seconds)

    def table(self) -> pd.DataFrame:
        """The number of each recording, and the hospital it is of."""
        numbers = np.arange(self.records)
        hospital, own = self.archive.place(numbers)
        names = [self.archive.hospitals[k].name for k in hospital]
        ids = [f"{name}-{number:07d}" for name, number in zip(names, own, strict=True)]
        return pd.DataFrame({"record_id": ids, "site": names, "file": "", "number": numbers})

    def files(self, table: pd.DataFrame) -> list[Path]:
        """None: nothing is read."""
        return []

    def reader(self) -> Reader:
        """Draws part by part."""
        return Drawing(self.archive, self.records)

    def options(self) -> dict[str, Any]:
        """The hospitals in full and the simulator's code: an archive drawn by another one is another archive."""
        code = sha256(b"".join(file.read_bytes() for file in sorted(Path(simulator.__file__).parent.glob("*.py"))))
        hospitals = json.dumps([asdict(hospital) for hospital in self.archive.hospitals], sort_keys=True)
        return {
            "hospitals": [hospital.name for hospital in self.archive.hospitals],
            "hospitals_sha256": sha256(hospitals.encode()).hexdigest(),
            "simulator_sha256": code.hexdigest(),
            "archive_seed": self.archive_seed,
            "seconds": self.seconds,
        }

    def statements(self, codes: str, source: str) -> Statements:
        """Simulated recordings are labelled in terms."""
        return Statements(frozenset(codes.split("|")) - {""}, frozenset(), ())

    def annotators(self, index: pd.DataFrame) -> NDArray[np.object_]:
        """Each hospital has its habits."""
        return index["site"].to_numpy(object)

    def annotated(self, source: str) -> frozenset[str]:
        """What the hospital of that name writes down."""
        return next(annotated(hospital) for hospital in self.archive.hospitals if hospital.name == source)

    def train_dataloader(self) -> DataLoader[RawBatch]:
        """The archive's training folds; where it is endless, as many new recordings in every epoch."""
        if not self.endless:
            return super().train_dataloader()
        lengths = np.full(len(self.rows("train")), self.window)
        stream = Archive(
            self.archive.hospitals, f"{self.archive_seed} endless {self.seed}", self.sampling_rate, self.seconds
        )
        return self._loader(
            Endless(stream, self.space), EndlessBatches(lengths, self.window, self.batch_size, self.seed)
        )
