"""WFDB recordings: format 16 (PTB-XL, CinC, LUDB …) read directly, every other format by the wfdb package.

wfdb spends most of its time in the header and reads some 230 records a second; the direct way is more than ten times
as fast and gives the same numbers (the tests compare the two on real files).
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.files import any_case, check_numbers, decoded, read_bytes
from ecg_lightning.records.gains import MICROVOLT_GAIN, are_contradicted
from ecg_lightning.records.lead_order import check_order
from ecg_lightning.records.leads import agreed_leads, lead_name, standard_leads
from ecg_lightning.records.patient import parse_patient
from ecg_lightning.records.record import Record, RecordError, naming, readable
from ecg_lightning.records.times import check_plausible_rate
from ecg_lightning.records.units import millivolts
from ecg_lightning.records.wfdb_header import Header, SignalLine, parse_header
from ecg_lightning.records.wfdb_package import in_millivolts, read_with_wfdb

_SUFFIXES = (".hea", ".dat", ".mat")
_PAUSE = "~"  # between two segments
_AT_ONCE = 20
_INVALID = -32768  # format 16's mark of a sample that is not there, signal(5)
_MOST_OF_HEADER = 1 << 24  # bytes


def header_path(path: str | Path) -> str:
    """The `.hea` file of a recording named with or without a suffix; `.HEA` where that is what there is."""
    text = os.fspath(path)
    stem, suffix = os.path.splitext(text)
    return any_case((stem if suffix.lower() in _SUFFIXES else text) + ".hea")


def read_header(path: str | Path) -> Header:
    """Reads and parses a recording's header alone, for an index of codes, ages and lengths.

    Raises:
        RecordError: "no such file" or "bad header" …
    """
    header = header_path(path)
    with naming(header):
        return parse_header(decoded(read_bytes(header, most=_MOST_OF_HEADER)[0]))


def read_wfdb(
    path: str | Path, *, leads: Sequence[str] | None = None, header_wins: bool = False, incomplete: bool = False
) -> Record:
    """Reads one WFDB recording; its id is its file name.

    Args:
        path: with or without `.hea`, `.dat` or `.mat`.
        leads: lead names where the header has none; otherwise they must agree.
        header_wins: whether the names in the header count where they do not agree.
        incomplete: whether the recording may lack limb leads that cannot be derived.

    Returns:
        The recording in millivolts with its twelve standard leads; age, sex, patient and codes from the comments.
        Flags: "header_repaired" for headers of 2020, whose record line begins with `E07521.mat`; "gain_repaired" for
        gains that the samples prove wrong (see `gains`); "rate_assumed:250Hz" and "gain_assumed:200" where the header
        is silent and the standard speaks; "wrong_checksum"; "samples_beyond_header" where the file holds more;
        "upsampled:V1" for a lead that is stored at a lower rate than others.

    Raises:
        RecordError: "no such file", "bad header", "bad sampling rate", "contradictory header", "contradictory leads",
            "truncated signal", "empty signal", "missing limb leads" …; the details name the file.
    """
    header = read_header(path)
    stem = os.path.splitext(header_path(path))[0]
    with naming(stem):
        check_plausible_rate(header.sampling_rate)
        check_numbers(header.samples * max(1, len(header.signals)), "the signal")
        rate = header.sampling_rate
        if _is_plain(header):
            names = agreed_leads([line.name for line in header.signals], leads, header_wins)
            signal, signal_flags = _read_plain(header, os.path.dirname(stem), names)
        else:
            physical = read_with_wfdb(stem, [header, *_segments(header, os.path.dirname(stem))])
            names = agreed_leads(physical.names, leads, header_wins)
            signal, rate, signal_flags = in_millivolts(physical, names)
        if signal.shape[1] == 0:
            raise RecordError("empty signal")
        standard, flags = standard_leads(signal, names, incomplete)
        if not any(lead_name(line.name) for line in header.signals) and not header.segment_names:
            flags += check_order(signal, rate, names, names_stated=True)
    if header.record_name.endswith(".mat"):
        flags += ("header_repaired",)
    patient = parse_patient(header.comments)
    flags += signal_flags + header.assumed + patient.flags
    return Record(
        standard,
        rate,
        record_id=readable(os.path.basename(stem)),
        patient_id=patient.patient_id,
        age=patient.age,
        sex=patient.sex,
        codes=patient.codes,
        quality=flags,
        date=header.date,
    )


def _segments(header: Header, folder: str) -> list[Header]:
    """The headers of a recording's segments."""
    segments = [read_header(os.path.join(folder, name)) for name in header.segment_names if name != _PAUSE]
    if any(segment.segment_names for segment in segments):
        raise RecordError("bad header: a segment has segments itself")
    return segments


def _is_plain(header: Header) -> bool:
    """Whether all signals are 16-bit, interleaved sample by sample in one file."""
    if not header.signals:
        return False
    first = header.signals[0]
    layout = first.layout
    plain = layout.format == 16 and layout.samples_per_frame == 1 and layout.skew == 0
    return plain and all(line.file_name == first.file_name and line.layout == layout for line in header.signals)


def _read_plain(header: Header, folder: str, names: Sequence[str]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Reads format 16 with an optional byte offset (CinC's `.mat` files are it: 24 bytes of MATLAB header).

    Returns:
        (signals, samples) in millivolts for those whose names are of leads, and flags.
    """
    lines = header.signals
    adc_units, extra_bytes = _read_adc_units(
        os.path.join(folder, lines[0].file_name), lines[0].layout.offset, len(lines), header.samples
    )
    flags = _checksum_flags(adc_units, lines, extra_bytes)
    is_lead = [bool(lead_name(name)) for name in names]
    if len(is_lead) != len(lines):
        raise RecordError(f"wrong number of leads: {len(names)} names for {len(lines)} signals")
    # A pulse or a flow beside the leads is dropped later, so its unit does not matter.
    units = [millivolts(line.unit) if lead else 1.0 for line, lead in zip(lines, is_lead, strict=True)]
    gains = np.array([line.gain for line in lines]) / units
    baselines = np.array([line.baseline for line in lines], np.float64)
    all_leads = all(is_lead)
    if are_contradicted(
        adc_units if all_leads else adc_units[:, is_lead], gains[is_lead], [name for name in names if lead_name(name)]
    ):
        flags += ("gain_repaired",)
        gains[:], baselines[:] = MICROVOLT_GAIN, 0
    signal = adc_units.T.astype(np.float32, order="C")
    if baselines.any():
        signal -= baselines.astype(np.float32)[:, None]
    signal /= gains.astype(np.float32)[:, None]
    if adc_units.min() == _INVALID:
        signal[adc_units.T == _INVALID] = np.nan
    return signal, flags


def _read_adc_units(path: str, offset: int, signals: int, samples: int) -> tuple[NDArray[np.int16], int]:
    """Reads (samples, signals) ADC units, and counts the bytes behind them; `samples` 0 means as many as the file has."""
    data, size = read_bytes(any_case(path), offset + 2 * signals * samples if samples else None)
    samples_in_file = max(len(data) - offset, 0) // (2 * signals)
    if samples_in_file < samples:
        raise RecordError(f"truncated signal: {samples_in_file} of {samples} samples")
    samples = samples or samples_in_file
    if samples == 0:
        raise RecordError("empty signal")
    adc_units = np.frombuffer(data, "<i2", samples * signals, offset).reshape(samples, signals)
    return adc_units, size - offset - 2 * samples * signals


def _checksum_flags(adc_units: NDArray[np.int16], lines: Sequence[SignalLine], extra_bytes: int) -> tuple[str, ...]:
    """Compares the 16-bit sums of the samples with the header's checksums, and its size with the file's.

    A sum alone may be wrong in the header, or for one damaged sample: it is flagged. Where the file holds more than the
    header says and no sums prove the header right, the samples may belong to other signals (11 signals announced of 12): such a file is refused.
    """
    sums = _sums(adc_units)
    matches = [(total - line.checksum) % 65536 == 0 for line, total in zip(lines, sums, strict=True) if line.checksum]
    sums_agree = all(matches)
    if extra_bytes and not (matches and sums_agree):
        raise RecordError(
            f"contradictory header: {len(lines)} signals of {len(adc_units)} samples announced, and the file holds "
            f"{extra_bytes} bytes more"
        )
    return ("samples_beyond_header",) * bool(extra_bytes) + ("wrong_checksum",) * (not sums_agree)


def _sums(adc_units: NDArray[np.int16]) -> list[int]:
    """The 16-bit sum of each signal; of twenty samples at a time, since numpy is slow on rows of twelve numbers."""
    signals = adc_units.shape[1]
    grouped = len(adc_units) // _AT_ONCE * _AT_ONCE
    rows = np.add.reduce(adc_units[:grouped].reshape(-1, _AT_ONCE * signals), axis=0, dtype=np.int16)
    parts = np.concatenate([rows.reshape(_AT_ONCE, signals), adc_units[grouped:]])
    sums: list[int] = np.add.reduce(parts, axis=0, dtype=np.int16).tolist()
    return sums
