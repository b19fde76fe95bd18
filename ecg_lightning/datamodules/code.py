"""The archives of the CODE study (Telehealth Network of Minas Gerais, Ribeiro 2020): CODE-15% and CODE-test.

Both keep all exams in HDF5 datasets `tracings` (exams, 4096, 12), float32 at 400 Hz in the standard order of leads, and
fill with zeros what the exam lacks at both ends. The authors give the scale both as 1e-4 V and as volts times 1000; the
amplitudes agree with the latter, millivolts.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.rows import REFUSED, is_form, tell
from ecg_lightning.datamodules.tables import ids, read_table
from ecg_lightning.errors import UserError
from ecg_lightning.labels import Annotation, translate
from ecg_lightning.records import LEADS, Record, RecordError, parse_age, parse_sex, read_record
from ecg_lightning.store.pack import Reader, Row

ABNORMALITIES = ("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF")
"""The columns of labels; AF is fibrillation, ST sinus tachycardia, SB sinus bradycardia."""
RATE = 400.0  # Hz
EMPTY = "?"
_VALUES = {"": 2, "true": 1, "1": 1, "1.0": 1, "false": 0, "0": 0, "0.0": 0}


@lru_cache(maxsize=32)
def _tracings(path: Path, process: int) -> h5py.Dataset:
    """The open dataset of one file: opened once by each process, never inherited from the one that forked it."""
    return h5py.File(path, "r")["tracings"]


def read_tracing(row: Row, folder: Path) -> Record:
    """Reads one exam alone from its HDF5 file, with the zeros at its ends, which packing cuts."""
    if row["tracing"] < 0:
        raise RecordError("no tracing: the exam is in none of the HDF5 files of this folder")
    path = folder / row["file"]
    try:
        tracings = _tracings(path, os.getpid())
        count = len(tracings)
        tracing: NDArray[np.float32] = tracings[min(row["tracing"], count - 1)]
    except FileNotFoundError as error:
        raise RecordError(f"no such file: {path}") from error
    except KeyError as error:
        raise RecordError(f"no signal: no array 'tracings' in {path}") from error
    except OSError as error:
        raise RecordError(f"unreadable file: {error} in {path}") from error
    if row["tracing"] >= count:
        raise RecordError(f"no tracing: there are {count} in {path}, and this is number {row['tracing'] + 1}")
    return Record(np.ascontiguousarray(tracing.T, np.float32), RATE)


def read_matlab(row: Row, folder: Path) -> Record:
    """Reads one exam of the re-issued form, a MATLAB file with `feats` (12, samples)."""
    return read_record(folder / row["file"], sampling_rate=RATE, unit="mV", leads=LEADS, dataset="feats")


def codes_of(labels: pd.DataFrame, path: Path) -> list[str]:
    """(rows,) the columns of each row that are true, joined by `|`, and with a question mark those that are empty.

    A cell that is neither true nor false counts as empty, and is reported.

    >>> labels = pd.DataFrame([["True", "0", "0", "0", "", "1"], ["0"] * 6], columns=ABNORMALITIES)
    >>> codes_of(labels, Path("exams.csv"))
    ['1dAVb|ST=?|AF', '']

    Raises:
        UserError: where a column has too many such cells to be mistakes; it names the table.
    """
    number = np.zeros(len(labels), np.int64)  # the values of a row, 0, 1 or 2 (empty), as digits to the base of three
    for place, column in enumerate(ABNORMALITIES):
        cells = labels[column].str.lower()
        if unknown := {*cells.unique()} - {*_VALUES}:
            count = int(cells.isin(unknown).sum())
            sentence = f"{path}: the column {column} holds '{min(unknown)}'; 1, 0, True and False are known"
            if is_form(count, int((cells != "").sum())):
                raise UserError(f"{sentence}.")
            tell(f"{sentence}. {count} such cells count as empty.")
        number += 3**place * cells.map(_VALUES).fillna(_VALUES[""]).to_numpy(np.int64)
    texts = {}
    for key in np.unique(number).tolist():
        values = [(name, key // 3**place % 3) for place, name in enumerate(ABNORMALITIES)]
        texts[key] = "|".join(name if value == 1 else f"{name}={EMPTY}" for name, value in values if value)
    return [texts[key] for key in number.tolist()]


class CODEDataModule(ECGDataModule):
    """Base of both archives: six abnormalities, each exam read alone from a large HDF5 file."""

    system = "code15"

    def files(self, table: pd.DataFrame) -> list[Path]:
        """The files that hold the tracings, each once."""
        return [self.folder / file for file in table["file"].unique() if file]

    def reader(self) -> Reader:
        """Reads one exam of an HDF5 dataset."""
        return partial(read_tracing, folder=self.folder)

    def annotation(self, codes: str, source: str) -> Annotation:
        """The abnormalities that are true, and those left open; an exam without any has none of the six."""
        columns = [code for code in codes.split("|") if code]
        true_columns = [column for column in columns if not column.endswith(EMPTY)]
        empty_columns = [column.partition("=")[0] for column in columns if column.endswith(EMPTY)]
        positive, uncertain = (translate(self.system, codes, source) for codes in (true_columns, empty_columns))
        return positive | uncertain.as_uncertain()


@dataclass(eq=False, repr=False)
class CODE15DataModule(CODEDataModule):
    """CODE-15%: 345,779 exams of 233,770 patients, of 7 or 10 s at 400 Hz; folds by patient.

    `exams.csv` with `exams_part0.hdf5` … as Zenodo distributes them, any number of the 18 parts; or, where `meta.csv`
    lies in root, one MATLAB file an exam, as others have re-issued it.
    """

    source = "code15"

    def table(self) -> pd.DataFrame:
        """The official table in the order of the parts, so that packing reads each from its beginning to its end."""
        if self._matlab:
            path = self.folder / "meta.csv"
            exams = read_table(path, ["exam_id", "patient_id", "age", "is_male", "save_file", *ABNORMALITIES])
            return self._columns(exams, path).assign(file=exams["save_file"])
        path = self.folder / "exams.csv"
        exams = read_table(path, ["exam_id", "patient_id", "age", "is_male", *ABNORMALITIES])
        parts = sorted(self.folder.glob("exams_part*.hdf5"))
        if not parts:
            raise UserError(f"data.root: '{self.root}' has no exams_part*.hdf5, the tracings of CODE-15%.")
        exams["exam_id"] = ids(exams["exam_id"])
        exams = exams.merge(_places(parts), "left", "exam_id", validate="m:1")
        exams = exams.sort_values(["file", "tracing"], kind="stable", na_position="last", ignore_index=True)
        return self._columns(exams, path).assign(
            file=exams["file"].fillna(""), tracing=exams["tracing"].fillna(-1).astype(int)
        )

    @property
    def _matlab(self) -> bool:
        return (self.folder / "meta.csv").is_file()

    def _columns(self, exams: pd.DataFrame, path: Path) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "record_id": ids(exams["exam_id"]),
                "patient_id": ids(exams["patient_id"]),
                "age": exams["age"].map(parse_age),
                "sex": exams["is_male"].str.lower().map(_VALUES).map({1: "M", 0: "F"}).fillna(""),
                "codes": codes_of(exams, path),
                REFUSED: exams[REFUSED],
            }
        )

    def reader(self) -> Reader:
        """Reads one exam of an HDF5 part, or a MATLAB file."""
        return partial(read_matlab, folder=self.folder) if self._matlab else super().reader()


@dataclass(eq=False, repr=False)
class CODETestDataModule(CODEDataModule):
    """CODE-test: 827 exams of as many patients, annotated by cardiologists in agreement; every exam is in the test fold.

    Attributes:
        annotations: whose annotations are the truth: gold_standard, cardiologist1, cardiologist2, cardiology_residents …,
            a file of `annotations`.
    """

    source = "code_test"

    annotations: str = "gold_standard"

    def table(self) -> pd.DataFrame:
        """The annotations and attributes, whose rows are those of the tracings; an exam's id is its row's number."""
        inner = "data/" if (self.folder / "data").is_dir() else ""  # as the ZIP of Zenodo is unpacked
        choices = sorted(path.stem for path in (self.folder / inner / "annotations").glob("*.csv"))
        if not choices:
            raise UserError(f"data.root: '{self.root}' has no annotations/*.csv; it should be the folder of CODE-test.")
        if self.annotations not in choices:
            raise UserError(f"data.annotations: there is no '{self.annotations}'. Choices: {', '.join(choices)}.")
        path = self.folder / inner / "annotations" / f"{self.annotations}.csv"
        labels = read_table(path, ABNORMALITIES)
        people = read_table(self.folder / inner / "attributes.csv", ["age", "sex"])
        if len(people) != len(labels):
            raise UserError(f"{path} has {len(labels)} rows and attributes.csv {len(people)}: one row an exam.")
        return pd.DataFrame(
            {
                "record_id": [str(number) for number in range(len(labels))],
                "age": people["age"].map(parse_age),
                "sex": people["sex"].map(parse_sex),
                "codes": codes_of(labels, path),
                "file": f"{inner}ecg_tracings.hdf5",
                "tracing": np.arange(len(labels)),
                REFUSED: labels[REFUSED].where(labels[REFUSED] != "", people[REFUSED]),
            }
        )

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """The test fold, whichever the configuration says it is."""
        return np.full(len(self.store), (self.test_folds or [0])[0], np.int64)

    def setup(self, stage: str | None = None) -> None:
        """Refuses to train or to choose anything on it."""
        if stage in ("fit", "validate"):
            raise UserError(f"CODE-test has test recordings only: it serves `test` and mixes, not `{stage}`.")
        super().setup(stage)


def _places(parts: Iterable[Path]) -> pd.DataFrame:
    """Where each exam's tracing is: exam_id, file, tracing (its row); the ids of a part are all that is read."""
    places = []
    for part in parts:
        try:
            with h5py.File(part, "r") as file:
                exams = file["exam_id"][:]
        except (OSError, KeyError) as error:
            raise UserError(f"{part} cannot be read: {error}. Download it again, or move it elsewhere.") from error
        places.append(pd.DataFrame({"exam_id": exams.astype(str), "file": part.name, "tracing": np.arange(len(exams))}))
    return pd.concat(places).drop_duplicates("exam_id")
