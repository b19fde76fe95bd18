"""How the small archive of each source is written, for the tests over every datamodule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import fake
from fake import Archive, Item


@dataclass(frozen=True)
class Source:
    """One source's archive and what is special of it.

    Attributes:
        write: makes the archive in a folder.
        table: the file without which the source cannot be read; "" where it is its recordings that are looked for.
        arguments: of the datamodule, besides root.
        record_id: the id in the index.
        patient_id: the patient in the index.
        codes: the codes in the index.
        trains: whether it has recordings to train on.
    """

    write: Callable[[Path], Archive]
    table: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    record_id: Callable[[Item], str] = lambda item: item.record_id
    patient_id: Callable[[Item], str] = lambda item: item.patient_id
    codes: Callable[[Item], tuple[str, ...]] = lambda item: item.codes
    trains: bool = True


def patient_of(item: Item) -> str:
    """The patients of the first recordings of PTB-DB and INCART, as their own lists say."""
    lists = {"S": (3, 1, 1, 2, 5, 3, 4, 3, 1, 3, 4), "I": (2, 3, 2, 1, 3, 3, 1, 2, 2, 3, 2)}
    patients = [number for number, count in enumerate(lists[item.record_id[0]], 1) for _ in range(count)]
    return f"patient{patients[int(item.record_id[1:]) - 1]:03d}"


def likelihoods(item: Item) -> tuple[str, ...]:
    """PTB-XL's statements as the index has them."""
    return tuple(f"{code}={0 if code == 'SR' else 100}" for code in item.codes)


HOSPITAL = {
    "file_rate": 1000.0,
    "file_unit": "uV",
    "codes": {"1.18.2": "AFIB", "1.1.1": "NORM", "1.2.1": "STACH", "1.2.2": "SBRAD"},
}

SOURCES: dict[str, Source] = {
    "CODE15DataModule": Source(partial(fake.code15, records=40), "exams.csv"),
    "CODETestDataModule": Source(fake.code_test, "annotations", trains=False),
    "CPSC2018DataModule": Source(partial(fake.cinc, records=30, prefix="A", seconds=6)),
    "CPSCExtraDataModule": Source(partial(fake.cinc, records=30, prefix="Q", seconds=6)),
    "ChapmanNingboDataModule": Source(partial(fake.cinc, records=30, prefix="JS", seconds=6)),
    "FolderDataModule": Source(
        partial(fake.folder, records=30), "records.csv", HOSPITAL, codes=lambda item: item.codes
    ),
    "GeorgiaDataModule": Source(partial(fake.cinc, records=30, seconds=6, year=2020)),
    "INCARTDataModule": Source(partial(fake.cinc, records=24, prefix="I", rate=257, seconds=20), patient_id=patient_of),
    "LUDBDataModule": Source(fake.ludb, "ludb.csv"),
    "MIMICIVECGDataModule": Source(partial(fake.mimic_iv_ecg, records=30), "machine_measurements.csv"),
    "PTBDBDataModule": Source(partial(fake.cinc, records=30, prefix="S", rate=1000, seconds=12), patient_id=patient_of),
    "PTBXLDataModule": Source(
        fake.ptbxl, "ptbxl_database.csv", record_id=lambda item: f"{int(item.record_id):05d}", codes=likelihoods
    ),
    "SPHDataModule": Source(partial(fake.sph, records=30), "metadata.csv"),
}
