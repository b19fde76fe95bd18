"""WFDB recordings: format 16 (PTB-XL, CinC, LUDB …) read directly, every other format by the wfdb package.

wfdb spends most of its time in the header and reads some 230 records a second; the direct way is more than ten times
as fast and gives the same numbers (the tests compare the two on real files).
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.gains import MICROVOLT_GAIN, contradicted
from ecg_lightning.records.leads import standard_leads
from ecg_lightning.records.record import Record, RecordError, naming
from ecg_lightning.records.units import millivolts
from ecg_lightning.records.wfdb_header import Header, parse_header, parse_patient

_SUFFIXES = (".hea", ".dat", ".mat")
_INVALID = -32768  # format 16's mark of a sample that is not there, signal(5)


def header_path(path: str | Path) -> str:
    """The `.hea` file of a recording named with or without a suffix."""
    text = os.fspath(path)
    stem, suffix = os.path.splitext(text)
    return (stem if suffix.lower() in _SUFFIXES else text) + ".hea"


def read_header(path: str | Path) -> Header:
    """Read and parse a recording's header alone, for an index of codes, ages and lengths.

    Raises:
        RecordError: "no such file" or "bad header".
    """
    header = header_path(path)
    try:
        with open(header, "rb", buffering=0) as file:
            text = file.read().decode("utf-8", errors="replace")
    except OSError as error:
        raise RecordError(f"no such file: {header} ({error.strerror})") from error
    with naming(header):
        return parse_header(text)


def read_wfdb(path: str | Path, *, leads: Sequence[str] | None = None, verify: bool = False) -> Record:
    """Read one WFDB recording; its id is its file name.

    Args:
        path: with or without `.hea`, `.dat` or `.mat`.
        leads: lead names, in place of the header's.
        verify: compare the header's checksums (directly read formats only).

    Returns:
        The recording in millivolts with its twelve standard leads; age, sex, patient and codes from the comments.
        Headers of 2020, whose record line begins with `E07521.mat`, are flagged "header_repaired"; gains that the
        samples prove wrong (see `gains`) are flagged "gain_repaired".

    Raises:
        RecordError: "no such file", "bad header", "truncated signal", "empty signal", "wrong checksum",
            "missing limb leads" …; the details name the file.
    """
    header = read_header(path)
    stem = header_path(path)[: -len(".hea")]
    with naming(stem):
        if _is_plain(header):
            signal, repaired = _read_plain(header, os.path.dirname(stem), verify)
            rate, names = header.sampling_rate, [line.name for line in header.signals]
        else:
            signal, rate, names = _read_with_wfdb(stem)
            repaired = False
        if signal.shape[1] == 0:
            raise RecordError("empty signal")
        standard, flags = standard_leads(signal, leads or names)
    if header.record_name.endswith(".mat"):
        flags += ("header_repaired",)
    if repaired:
        flags += ("gain_repaired",)
    patient = parse_patient(header.comments)
    return Record(
        standard,
        rate,
        record_id=os.path.basename(stem),
        patient_id=patient.patient_id,
        age=patient.age,
        sex=patient.sex,
        codes=patient.codes,
        quality=flags,
        date=header.date,
    )


def _is_plain(header: Header) -> bool:
    """Whether all signals are 16-bit, interleaved sample by sample in one file."""
    if not header.signals:
        return False
    first = header.signals[0]
    layout = first.layout
    plain = layout.format == 16 and layout.samples_per_frame == 1 and layout.skew == 0
    return plain and all(line.file_name == first.file_name and line.layout == layout for line in header.signals)


def _read_plain(header: Header, folder: str, verify: bool) -> tuple[NDArray[np.float32], bool]:
    """Read format 16 with an optional byte offset (CinC's `.mat` files are it: 24 bytes of MATLAB header).

    Returns:
        (signals, samples) millivolts, and whether the gains were repaired.
    """
    lines = header.signals
    steps = _read_steps(os.path.join(folder, lines[0].file_name), lines[0].layout.offset, len(lines), header.samples)
    if verify:
        _verify(steps, header)
    gains = np.array([line.gain / millivolts(line.unit) for line in lines])
    baselines = np.array([line.baseline for line in lines], np.float64)
    repaired = contradicted(steps, gains, [line.name for line in lines])
    if repaired:
        gains[:], baselines[:] = MICROVOLT_GAIN, 0
    signal = steps.T.astype(np.float32, order="C")
    if baselines.any():
        signal -= baselines.astype(np.float32)[:, None]
    signal /= gains.astype(np.float32)[:, None]
    if steps.min() == _INVALID:
        signal[steps.T == _INVALID] = np.nan
    return signal, repaired


def _read_steps(path: str, offset: int, signals: int, samples: int) -> NDArray[np.int16]:
    """Read (samples, signals) ADC steps; `samples` 0 means as many as the file has."""
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read()
    except OSError as error:
        raise RecordError(f"no such file: {path} ({error.strerror})") from error
    present = max(len(data) - offset, 0) // (2 * signals)
    if present < samples:
        raise RecordError(f"truncated signal: {present} of {samples} samples")
    samples = samples or present
    if samples == 0:
        raise RecordError("empty signal")
    return np.frombuffer(data, "<i2", samples * signals, offset).reshape(samples, signals)


def _verify(steps: NDArray[np.int16], header: Header) -> None:
    """Compare the 16-bit sums of the samples with the header's checksums."""
    sums = steps.sum(axis=0, dtype=np.int64)
    for line, total in zip(header.signals, sums.tolist(), strict=True):
        if line.checksum is not None and (total - line.checksum) % 65536:
            raise RecordError(f"wrong checksum: lead {line.name}")


def _read_with_wfdb(stem: str) -> tuple[NDArray[np.floating], float, list[str]]:
    """Read formats 8, 80, 212, 24, 32, FLAC, several files or segments by the wfdb package."""
    import wfdb  # seconds of imports, for formats that most archives do not use

    try:
        record = wfdb.rdrecord(stem)
    except Exception as error:  # wfdb raises anything from IndexError to its own; each means one unreadable record
        raise RecordError(f"unreadable by wfdb: {type(error).__name__}: {error}") from error
    factors = np.array([millivolts(unit) for unit in record.units])
    return (record.p_signal * factors).T, float(record.fs), list(record.sig_name)
