"""Any recording by its path: the reader is chosen by the suffix."""

import os
from collections.abc import Sequence
from dataclasses import replace
from math import isclose
from pathlib import Path

import numpy as np

from ecg_lightning.records.arrays import ARRAY_SUFFIXES, Contents, read_arrays
from ecg_lightning.records.formats import check_format
from ecg_lightning.records.leads import standard_leads
from ecg_lightning.records.record import Record, RecordError, naming
from ecg_lightning.records.repairs import repair
from ecg_lightning.records.units import millivolts
from ecg_lightning.records.wfdb_header import RATE_ASSUMED
from ecg_lightning.records.wfdb_reader import header_path, read_wfdb

SUFFIXES = (".hea", ".dat", *ARRAY_SUFFIXES)


def read_record(
    path: str | Path,
    *,
    sampling_rate: float | None = None,
    unit: str | None = None,
    leads: Sequence[str] | None = None,
    dataset: str | None = None,
    row: int | None = None,
    header_wins: bool = False,
) -> Record:
    """Read one recording of any supported format.

    A `.hea` or `.dat` file, a path without a suffix, and a `.mat` file with a header beside it are WFDB; the others
    are arrays, (leads, samples) or (samples, leads). What a file says of itself must agree with the arguments, which
    speak for files that say nothing; without either, leads are the standard twelve, floats are millivolts, and
    integers are microvolts (flagged "unit_assumed:uV"). Defects are repaired and flagged, or refused, see `repair`.

    Args:
        path: `.hea`, `.dat`, none, `.mat`, `.h5`, `.hdf5`, `.npz`, `.npy` or `.csv`.
        sampling_rate: Hz.
        unit: V, mV, uV, nV, or a gain in steps a millivolt. Ignored for WFDB, whose headers always have one.
        leads: one name a row.
        dataset: name of the array within the file.
        row: which recording, where an array holds several.
        header_wins: what a WFDB header says goes before the arguments, in place of having to agree with them.

    Raises:
        RecordError: whatever makes the recording unusable; the details name the file.
    """
    text = os.fspath(path)
    suffix = os.path.splitext(text)[1].lower()
    has_header = suffix not in ARRAY_SUFFIXES or suffix == ".mat"
    if suffix not in SUFFIXES or suffix == ".mat":
        has_header = os.path.exists(header_path(text))
    if not has_header:
        check_format(text)
    if has_header or suffix not in SUFFIXES:
        with naming(header_path(text).removesuffix(".hea")):
            record = read_wfdb(text, leads=leads, header_wins=header_wins)
            if sampling_rate is not None and RATE_ASSUMED in record.quality:
                said = tuple(flag for flag in record.quality if flag != RATE_ASSUMED)
                record = replace(record, sampling_rate=sampling_rate, quality=said)
            if not header_wins:
                check_rate(record.sampling_rate, sampling_rate)
            return repair(record)
    with naming(text):
        return repair(_read_array_record(Path(path), sampling_rate, unit, read_arrays(Path(path), dataset, leads, row)))


def _read_array_record(path: Path, sampling_rate: float | None, unit: str | None, contents: Contents) -> Record:
    rate = sampling_rate if contents.sampling_rate is None else contents.sampling_rate
    if rate is None:
        raise RecordError("no sampling rate: the file does not say it; data.file_rate and --rate do")
    check_rate(rate, sampling_rate)
    if unit and contents.unit and not isclose(millivolts(unit), millivolts(contents.unit)):
        raise RecordError(f"contradictory unit: the file says {contents.unit}, expected {unit}")
    if contents.signal.shape[1] == 0:
        raise RecordError("empty signal")
    unit = unit or contents.unit
    flags: tuple[str, ...] = ()
    if unit is None and np.issubdtype(contents.signal.dtype, np.integer):
        unit, flags = "uV", ("unit_assumed:uV",)
    signal, lead_flags = standard_leads(contents.signal.astype(np.float32, order="C"), contents.leads)
    if (factor := millivolts(unit or "mV")) != 1:
        signal = signal * np.float32(factor)
    return Record(signal, rate, path.stem, age=contents.age, sex=contents.sex, quality=flags + lead_flags)


def check_rate(found: float, expected: float | None) -> None:
    """Raise `RecordError` where a file's rate is not the expected one."""
    if expected is not None and not isclose(found, expected, rel_tol=1e-3):
        raise RecordError(f"contradictory sampling rate: {found:g} Hz in the file, expected {expected:g} Hz")
