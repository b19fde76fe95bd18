"""Simulated archives: packed into a store as any other source, or simulated without end while a network trains."""

import json
from collections.abc import Iterator, Sequence
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
from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.batches import Cut, RawBatch, TrainingBatches
from ecg_lightning.datamodules.metadata import values_of
from ecg_lightning.labels import Annotation, LabelSpace, ancestors
from ecg_lightning.ranges import Records, Seed
from ecg_lightning.records import LEADS, Record
from ecg_lightning.simulator import Hospital, Simulated, simulate
from ecg_lightning.store.pack import PART, Reader, Row

ARCHIVES = {"large": ("large_a", "large_b", "large_c")}
"""Archives of several hospitals; any other name is the name of one hospital."""
BROADER = ("AFAFL", "AVB", "BBB", "LBBB", "MI", "RBBB", "SVPB", "VH", "VPB", "VPEX")
"""Broader terms: they are absent from a simulated recording where every narrower simulated term is absent."""


@dataclass(frozen=True)
class SimulatedArchive:
    """Recordings numbered from 0 without end, each determined by the seed and its number alone.

    Attributes:
        hospitals: they take turns, a part of the store each, so that a part is drawn from one hospital at once.
        seed: of the archive; no two hospitals share a patient.
        sampling_rate: Hz.
        seconds: length of a recording.
    """

    hospitals: tuple[Hospital, ...]
    seed: str
    sampling_rate: int
    seconds: float

    def place(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(recordings,) the position of each recording's hospital in `hospitals`, and its number in that hospital.

        Args:
            numbers: (recordings,) of the archive.
        """
        part, place_in_part = np.divmod(numbers, PART)
        turn, hospital = np.divmod(part, len(self.hospitals))
        return hospital, turn * PART + place_in_part

    def draw(self, numbers: NDArray[np.int64]) -> Iterator[tuple[Hospital, NDArray[np.int64], Simulated]]:
        """Simulates recordings, those of one hospital at a time.

        Args:
            numbers: (recordings,) of the archive.

        Yields:
            A hospital, (its recordings,) the positions in `numbers` of its recordings, and these recordings.
        """
        hospital_of, number_in_hospital = self.place(numbers)
        for k in np.unique(hospital_of):
            positions = np.flatnonzero(hospital_of == k)
            hospital = self.hospitals[k]
            seed = int.from_bytes(sha256(f"{hospital.name} {self.seed}".encode()).digest()[:4], "big")
            simulated = simulate(
                hospital, number_in_hospital[positions].tolist(), seed, self.sampling_rate, self.seconds
            )
            yield hospital, positions, simulated


class SimulatedReader:
    """Reads a recording by its number; the whole part that it lies in is simulated at once, which is several times faster.

    Args:
        archive: of which recordings are read.
        records: how many recordings the source has.
    """

    def __init__(self, archive: SimulatedArchive, records: int) -> None:
        self.archive, self.records = archive, records
        self.part: dict[int, Record] = {}

    def __call__(self, row: Row) -> Record:
        """The recording of a row of the table."""
        number = int(row["number"])
        if number not in self.part:
            first = number - number % PART
            numbers = np.arange(first, min(first + PART, self.records))
            self.part = {}
            for hospital, positions, simulated in self.archive.draw(numbers):
                records = _records(hospital, simulated, self.archive)
                self.part |= dict(zip(numbers[positions].tolist(), records, strict=True))
        return self.part[number]


def _records(hospital: Hospital, simulated: Simulated, archive: SimulatedArchive) -> Iterator[Record]:
    parameters = (simulated.parameters[name].tolist() for name in ("patient", "age", "sex"))
    for signal, terms, patient, age, sex in zip(simulated.signals, simulated.terms, *parameters, strict=True):
        yield Record(
            signal.T.astype(np.float32) / np.float32(1000),
            archive.sampling_rate,
            patient_id=f"{hospital.name}-{patient}" + ("" if archive.seed == "0" else f"-{archive.seed}"),
            age=age,
            sex=sex,
            codes=terms,
        )


class Endless(Dataset[RawBatch]):
    """Recordings that are simulated when a batch is read; indexed by a batch of cuts, whose rows are recordings' numbers.

    Args:
        archive: of which recordings are read.
        space: the label space of their targets.
        columns: patient data that the network sees beside the signal.
    """

    def __init__(self, archive: SimulatedArchive, space: LabelSpace, columns: Sequence[str] = ()) -> None:
        self.archive, self.space, self.columns = archive, space, columns

    def __getitem__(self, cut: Cut) -> RawBatch:
        numbers = cut[:, 0]
        samples = round(self.archive.seconds * self.archive.sampling_rate)
        signals = np.empty((len(numbers), samples, len(LEADS)), np.int16)
        targets = np.empty((len(numbers), len(self.space)), np.float32)
        metadata = np.empty((len(numbers), len(self.columns)), np.float32)
        for hospital, positions, simulated in self.archive.draw(numbers):
            metadata[positions] = values_of(pd.DataFrame({**simulated.parameters}), self.columns, "simulated")
            signals[positions] = simulated.signals
            targets[positions] = self.space.encode(simulated.terms, annotated_in(hospital))
        batch: RawBatch = {
            "signals": torch.from_numpy(signals),
            "valid": torch.full((len(numbers),), samples),
            "targets": torch.from_numpy(targets),
            "record": torch.from_numpy(numbers.copy()),
            "window": torch.from_numpy(cut[:, 1].copy()),
        }
        return batch | {"metadata": torch.from_numpy(metadata)} if self.columns else batch


class EndlessBatches(TrainingBatches):
    """In every epoch the next recordings of the archive, in a random order."""

    def __iter__(self) -> Iterator[Cut]:
        first = self.epoch * len(self.room)
        yield from (cut + np.array([first, 0]) for cut in super().__iter__())


def annotated_in(hospital: Hospital) -> frozenset[str]:
    """The terms that a hospital's readers write down, and the broader terms that are absent where these are absent."""
    written_terms = frozenset(simulator.TERMS) - {*hospital.annotation.not_annotated}
    narrower = {broader: {term for term in simulator.TERMS if broader in ancestors(term)} for broader in BROADER}
    return written_terms | {broader for broader in BROADER if narrower[broader] <= written_terms}


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
    def archive(self) -> SimulatedArchive:
        """The recordings of the store."""
        names = [self.hospital] if isinstance(self.hospital, str) else self.hospital
        hospitals = tuple(Hospital.load(hospital) for name in names for hospital in ARCHIVES.get(name, (name,)))
        return SimulatedArchive(hospitals, str(self.archive_seed), self.sampling_rate, self.seconds)

    def table(self) -> pd.DataFrame:
        """The number of each recording, and the hospital that it is of."""
        numbers = np.arange(self.records)
        hospital_of, number_in_hospital = self.archive.place(numbers)
        names = [self.archive.hospitals[k].name for k in hospital_of]
        ids = [f"{name}-{number:07d}" for name, number in zip(names, number_in_hospital, strict=True)]
        return pd.DataFrame({"record_id": ids, "site": names, "file": "", "number": numbers})

    def files(self, table: pd.DataFrame) -> list[Path]:
        """An empty list: no file is read."""
        return []

    def reader(self) -> Reader:
        """Simulates part by part."""
        return SimulatedReader(self.archive, self.records)

    def options(self) -> dict[str, Any]:
        """The hospitals in full and a hash of the simulator's code: another version of it makes another archive."""
        code = sha256(b"".join(file.read_bytes() for file in sorted(Path(simulator.__file__).parent.glob("*.py"))))
        hospitals = json.dumps([asdict(hospital) for hospital in self.archive.hospitals], sort_keys=True)
        return {
            "hospitals": [hospital.name for hospital in self.archive.hospitals],
            "hospitals_sha256": sha256(hospitals.encode()).hexdigest(),
            "simulator_sha256": code.hexdigest(),
            "archive_seed": self.archive_seed,
            "seconds": self.seconds,
        }

    def annotation(self, codes: str, source: str) -> Annotation:
        """Simulated recordings are labelled in terms."""
        return Annotation(frozenset(codes.split("|")) - {""})

    def annotators(self, index: pd.DataFrame) -> NDArray[np.object_]:
        """(records,) the hospital of each recording, since each hospital annotates other terms."""
        return index["site"].to_numpy(object)

    def annotated(self, source: str) -> frozenset[str]:
        """The terms that the hospital of that name annotates."""
        return next(annotated_in(hospital) for hospital in self.archive.hospitals if hospital.name == source)

    def train_dataloader(self) -> DataLoader[RawBatch]:
        """The training folds; where `endless` is set, as many new recordings in every epoch."""
        if not self.endless:
            return super().train_dataloader()
        lengths = np.full(len(self.rows("train")), self.window)
        new_recordings = SimulatedArchive(
            self.archive.hospitals, f"{self.archive_seed} endless {self.seed}", self.sampling_rate, self.seconds
        )
        return self._loader(
            Endless(new_recordings, self.space, self.metadata),
            EndlessBatches(lengths, self.window, self.batch_size, self.seed),
        )
