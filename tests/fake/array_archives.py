"""Archives of MATLAB and HDF5 files, and a hospital's own folder: CPSC2018, SPH, CODE-15%, CODE-test, folder."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from fake.common import Archive, Item, people, wave
from fake.wfdb_archives import LEADS, write_table

CODE_COLUMNS = ("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF")
_EXAMS = f"exam_id,age,is_male,nn_predicted_age,{','.join(CODE_COLUMNS)},patient_id,death,timey,normal_ecg,trace_file"


def cpsc2018_struct(root: Path, records: int = 12) -> Archive:
    """CPSC2018 as issued: `A0001.mat` with the struct ECG (sex, age, data) and `REFERENCE.csv`; codes 1–9."""
    archive, rows = Archive(root), []
    root.mkdir(parents=True, exist_ok=True)
    for number, _, age, sex, kind in people(records):
        path = root / f"A{number:04d}.mat"
        signal = wave(kind, 4000 + number, 4000 + 500 * (number % 3), 500)
        savemat(path, {"ECG": {"sex": "Female" if sex == "F" else "Male", "age": age, "data": signal}})
        codes = (kind.cpsc2018 or "1",)
        rows.append({"Recording": path.stem, "First_label": codes[0]})
        archive.items.append(Item(path.stem, "", age, sex, kind, codes, 500, signal.astype(np.float32), path))
    write_table(root / "REFERENCE.csv", "Recording,First_label,Second_label,Third_label", rows)
    return archive


def sph(root: Path, records: int = 12) -> Archive:
    """SPH: `records/A00001.h5` (ecg, 12 × N, float16, millivolts) and `metadata.csv`; AHA codes with modifiers."""
    archive, rows = Archive(root), []
    (root / "records").mkdir(parents=True, exist_ok=True)
    for number, patient, age, sex, kind in people(records, "S{:0>5}"):
        path = root / "records" / f"A{number:05d}.h5"
        signal = wave(kind, 5000 + number, 5000, 500).astype(np.float16)
        with h5py.File(path, "w") as file:
            file["ecg"] = signal
        codes = (kind.aha, "60+310") if number % 6 == 0 else (kind.aha,)
        rows.append(
            {
                "ECG_ID": path.stem, "AHA_Code": ";".join(codes), "Patient_ID": patient, "Age": int(age), "Sex": sex,
                "N": signal.shape[1], "Date": f"2020-03-{number % 28 + 1:02d}",
            }
        )  # fmt: skip
        archive.items.append(Item(path.stem, patient, age, sex, kind, codes, 500, signal.astype(np.float32), path))
    write_table(root / "metadata.csv", ",".join(rows[0]), rows)
    (root / "code.csv").write_text(
        "Category,Code,Description\nA,1,Normal ECG\nE,50,Atrial fibrillation\n"
        "F,60,Ventricular premature complex(es)\nModifier,310,Frequent\n"
    )
    return archive


def _tracing(signal: NDArray[np.floating]) -> NDArray[np.float32]:
    """Pad (12, samples) with zeros at both ends to CODE's (4096, 12)."""
    before = (4096 - signal.shape[1]) // 2
    return np.pad(signal.T, ((before, 4096 - signal.shape[1] - before), (0, 0))).astype(np.float32)


def code15(root: Path, records: int = 24, parts: int = 2) -> Archive:
    """CODE-15%: `exams.csv`, `exams_partN.hdf5` (tracings N × 4096 × 12 at 400 Hz, exam_id); padded with zeros.

    Items hold the signal without its padding. As in the archive, each part ends with an empty row of exam id 0.
    """
    archive = Archive(root)
    rows: list[dict[str, Any]] = []
    root.mkdir(parents=True, exist_ok=True)
    for number, patient, age, sex, kind in people(records, "77{}"):
        part = root / f"exams_part{number % parts}.hdf5"
        signal = wave(kind, 6000 + number, 4096 if number % 2 else 2934, 400).astype(np.float32)
        exam = str(1100 + 7 * number)
        codes = (kind.code15,) if kind.code15 else ()
        archive.items.append(Item(exam, patient, age, sex, kind, codes, 400, signal, part))
        rows.append(
            {
                "exam_id": exam, "age": int(age), "is_male": sex == "M", "nn_predicted_age": age + 0.5, "patient_id": patient,
                "death": "", "timey": "", "normal_ecg": "NORM" in kind.scp, "trace_file": part.name,
            }
            | {column: column in codes for column in CODE_COLUMNS}
        )  # fmt: skip
    for number in range(parts):
        part = root / f"exams_part{number}.hdf5"
        members = [item for item in archive if item.path == part]
        with h5py.File(part, "w") as file:
            file["exam_id"] = np.array([int(item.record_id) for item in members] + [0])
            file["tracings"] = np.stack(
                [_tracing(item.signal) for item in members] + [np.zeros((4096, 12), np.float32)]
            )
    write_table(root / "exams.csv", _EXAMS, rows)
    return archive


def code_test(root: Path, records: int = 12) -> Archive:
    """CODE-test: `ecg_tracings.hdf5` (tracings N × 4096 × 12), `attributes.csv`, `annotations/gold_standard.csv`."""
    archive = Archive(root)
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    path = root / "ecg_tracings.hdf5"
    for number, _, age, sex, kind in people(records):
        signal = wave(kind, 7000 + number, 2800 + 600 * (number % 3), 400).astype(np.float32)
        codes = (kind.code15,) if kind.code15 else ()
        archive.items.append(Item(str(number - 1), "", age, sex, kind, codes, 400, signal, path))
    with h5py.File(path, "w") as file:
        file["tracings"] = np.stack([_tracing(item.signal) for item in archive])
    columns = "1dAVb,RBBB,LBBB,SB,AF,ST"
    for name in ("gold_standard", "cardiologist1", "cardiologist2"):
        labels = [{column: int(column in item.codes) for column in columns.split(",")} for item in archive]
        write_table(root / "annotations" / f"{name}.csv", columns, labels)
    write_table(root / "attributes.csv", "age,sex", [{"age": int(item.age), "sex": item.sex} for item in archive])
    return archive


def folder(root: Path, records: int = 20, suffix: str = ".npy") -> Archive:
    """A hospital's export: `records.csv` over `signals/Größe 1.npy` …, integers in µV at 1000 Hz, dotted local codes."""
    archive = Archive(root)
    rows: list[dict[str, Any]] = []
    (root / "signals").mkdir(parents=True, exist_ok=True)
    local = {"AFIB": "1.18.2", "NORM": "1.1.1", "STACH": "1.2.1", "SBRAD": "1.2.2"}
    for number, patient, age, sex, kind in people(records, "h{}"):
        path = root / "signals" / f"Größe {number}{suffix}"
        microvolts = np.rint(1000 * wave(kind, 8000 + number, 10000, 1000)).astype(np.int16)
        _WRITERS[suffix](path, microvolts)
        codes = (local.get(kind.scp[0], "9.9.9"),)
        rows.append(
            {
                "path": path.relative_to(root).as_posix(), "record": path.stem, "patient": patient, "codes": "|".join(codes),
                "age": int(age), "sex": sex, "hospital": "north" if number % 2 else "south", "date": f"2021-{number % 12 + 1:02d}-15",
            }
        )  # fmt: skip
        signal = (microvolts / np.float32(1000)).astype(np.float32)
        archive.items.append(Item(path.stem, patient, age, sex, kind, codes, 1000, signal, path))
    write_table(root / "records.csv", ",".join(rows[0]), rows)
    return archive


def _write_hdf5(path: Path, microvolts: NDArray[np.int16]) -> None:
    with h5py.File(path, "w") as file:
        file["signal"] = microvolts


def _write_csv(path: Path, microvolts: NDArray[np.int16]) -> None:
    np.savetxt(path, microvolts.T, fmt="%d", delimiter=",", header=",".join(LEADS), comments="")


_WRITERS = {
    ".npy": np.save,
    ".npz": lambda path, microvolts: np.savez(path, signal=microvolts),
    ".h5": _write_hdf5,
    ".csv": _write_csv,
}
