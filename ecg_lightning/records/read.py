"""Any recording by its path: a hospital's export is known by its content, other formats by the suffix."""

import os
from collections.abc import Sequence
from dataclasses import replace
from math import isclose
from pathlib import Path

import numpy as np

from ecg_lightning.records.arrays import Contents, read_arrays
from ecg_lightning.records.containers import ARRAY_SUFFIXES
from ecg_lightning.records.formats import check_format
from ecg_lightning.records.hospital import HospitalFormat, hospital_format, read_hospital
from ecg_lightning.records.lead_order import check_order
from ecg_lightning.records.leads import standard_leads
from ecg_lightning.records.record import Record, RecordError, naming, readable
from ecg_lightning.records.repairs import repair
from ecg_lightning.records.times import check_plausible_rate, check_rate
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
    incomplete: bool = False,
) -> Record:
    """Reads one recording of any supported format.

    A `.hea` file, and a `.dat` or `.mat` file or a path without a suffix with a header beside it, are WFDB. Files that
    hospitals export (DICOM, GE MUSE, HL7 aECG, SCP-ECG …, see `hospital`) are known by their content. The others
    are arrays, (leads, samples) or (samples, leads). What a file says of itself must agree with the arguments, which
    speak for files that say nothing; without either, leads are the standard twelve, floats are millivolts, and
    integers are microvolts (flagged "unit_assumed:uV"). Defects are repaired and flagged, or refused, see `repair`.

    Args:
        path: `.hea`, `.dat`, none, `.mat`, `.h5`, `.hdf5`, `.npz`, `.npy` or `.csv`; or a hospital's export of any name.
        sampling_rate: Hz.
        unit: V, mV, uV, nV, or a gain in ADC units per millivolt. Ignored for WFDB, whose headers always have one, and for a
            hospital's export that states one.
        leads: one name a row.
        dataset: name of the array within the file.
        row: which recording, where an array holds several.
        header_wins: what a WFDB header says goes before the arguments, in place of having to agree with them.
        incomplete: whether a recording may lack limb leads that cannot be derived; absent leads are zero and flagged.

    Raises:
        RecordError: whatever makes the recording unusable; the details name the file.
    """
    record = read_unrepaired(
        path,
        sampling_rate=sampling_rate,
        unit=unit,
        leads=leads,
        dataset=dataset,
        row=row,
        header_wins=header_wins,
        incomplete=incomplete,
    )
    with naming(os.fspath(path)):
        return repair(record, incomplete)


def read_unrepaired(
    path: str | Path,
    *,
    sampling_rate: float | None = None,
    unit: str | None = None,
    leads: Sequence[str] | None = None,
    dataset: str | None = None,
    row: int | None = None,
    header_wins: bool = False,
    incomplete: bool = False,
) -> Record:
    """Reads as `read_record` and leaves defects as they are, for packing, which repairs every recording itself."""
    text = os.fspath(path)
    suffix = os.path.splitext(text)[1].lower()
    is_array = suffix in ARRAY_SUFFIXES and not (suffix == ".mat" and os.path.exists(header_path(text)))
    if file_format := export_format(text):
        with naming(text):
            record = read_hospital(
                Path(path), file_format, unit=unit, leads=leads, header_wins=header_wins, incomplete=incomplete
            )
            if not header_wins:
                check_rate(record.sampling_rate, sampling_rate)
            return record
    if not is_array:
        if suffix not in SUFFIXES and not os.path.exists(header_path(text)):
            check_format(text)
        with naming(os.path.splitext(header_path(text))[0]):
            record = read_wfdb(text, leads=leads, header_wins=header_wins, incomplete=incomplete)
            if sampling_rate is not None and RATE_ASSUMED in record.quality:
                flags = tuple(flag for flag in record.quality if flag != RATE_ASSUMED)
                record = replace(record, sampling_rate=sampling_rate, quality=flags)
            if not header_wins:
                check_rate(record.sampling_rate, sampling_rate)
            return record
    check_format(text)
    with naming(text):
        contents = read_arrays(Path(path), dataset, leads, row)
        return _read_array_record(Path(path), sampling_rate, unit, leads, contents, incomplete)


def export_format(path: str | Path) -> HospitalFormat | None:
    """The hospital's format that a file has; None for any other, and for the files of a WFDB record."""
    text = os.fspath(path)
    suffix = os.path.splitext(text)[1].lower()
    is_wfdb = suffix == ".hea" or (suffix in (".dat", ".mat", "") and os.path.exists(header_path(text)))
    return None if is_wfdb else hospital_format(text)


def _read_array_record(
    path: Path,
    sampling_rate: float | None,
    unit: str | None,
    leads: Sequence[str] | None,
    contents: Contents,
    incomplete: bool,
) -> Record:
    rate = sampling_rate if contents.sampling_rate is None else contents.sampling_rate
    if rate is None:
        raise RecordError("no sampling rate: the file does not say it. Give it by data.file_rate or --rate")
    check_rate(rate, sampling_rate)
    if unit and contents.unit and not isclose(millivolts(unit), millivolts(contents.unit)):
        raise RecordError(f"contradictory unit: the file says {contents.unit}, expected {unit}")
    if contents.signal.shape[1] == 0:
        raise RecordError("empty signal")
    check_plausible_rate(rate)
    unit = unit or contents.unit
    flags: tuple[str, ...] = ()
    if unit is None and np.issubdtype(contents.signal.dtype, np.integer):
        unit, flags = "uV", ("unit_assumed:uV",)
    signal = contents.signal.astype(np.float32, order="C")
    if (factor := millivolts(unit or "mV")) != 1:
        signal = signal * np.float32(factor)
    if not contents.has_lead_names:
        flags += check_order(signal, rate, contents.leads, names_stated=leads is not None)
    standard, lead_flags = standard_leads(signal, contents.leads, incomplete)
    return Record(standard, rate, readable(path.stem), age=contents.age, sex=contents.sex, quality=flags + lead_flags)
