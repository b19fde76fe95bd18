"""What the library returns as an `Export`: millivolts, exact rates, and guards against what it reads otherwise than meant."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.files import check_numbers
from ecg_lightning.records.hospital.dicom import padded_with_zero, with_zeros
from ecg_lightning.records.hospital.export import Export
from ecg_lightning.records.hospital.patient import age_of, iso, patient_id_of
from ecg_lightning.records.hospital.statements import clean_statements
from ecg_lightning.records.leads import lead_name, listed
from ecg_lightning.records.patient import parse_sex
from ecg_lightning.records.record import RecordError
from ecg_lightning.records.units import millivolts

if TYPE_CHECKING:
    from ecgdatakit.models import ECGRecord, Lead

DROPPED = "extra_leads_dropped"
_MORE = "more_recordings_in_file"
_MORE_SIGNAL = re.compile(
    r"rhythm series found|sequence sets in the rhythm|Additional rhythm waveform|redefine the channels", re.IGNORECASE
)
_CHECKSUM = re.compile(r"\b(?:checksum|CRC)", re.IGNORECASE)
_GAPS = re.compile(r"has gaps between data records|frames are concatenated without a gap", re.IGNORECASE)
_TRUNCATED = re.compile(r"truncated: |may be truncated|missing sample\(s\) set to NaN", re.IGNORECASE)
_BEYOND = re.compile(r"byte\(s\) after the last data record", re.IGNORECASE)
_ALMOST = 1.01  # times the samples of a file, up to which a header that announces more is only imprecise
_REPEATED = re.compile(r"(.+)_\d+")  # the library writes the second II as II_2
_BEAT = 2.5  # s; a group of samples that lasts no longer is a median beat and not a recording


def export_of(record: "ECGRecord", messages: Sequence[str], path: Path, parser: str) -> Export:
    """What the library read from a file.

    Args:
        record: with samples as they are stored.
        messages: the library's warnings.
        path: the file.
        parser: the name of the library's parser.

    Raises:
        RecordError: "empty signal", "ambiguous …", "bad sampling rate", "gaps in the signal", "leads not simultaneous".
    """
    if any(map(_GAPS.search, messages)):
        raise RecordError(
            "gaps in the signal: the recording was paused, so that its samples do not follow each other in time"
        )
    leads, flags = _usable_leads(record.leads)
    if not leads:
        beat = " but a median beat" if record.median_beats else ""
        raise RecordError(f"empty signal: there is no recording{beat}")
    check_numbers(len(leads) * len(leads[0].samples), "the signal")
    rate = _exact_rate(record, leads[0])
    if parser.startswith("dicom"):
        _check_group(record.raw_metadata["multiplex_groups"], len(leads[0].samples) / rate)
    if any(map(_MORE_SIGNAL.search, messages)):
        flags += (_MORE,)
    if any(map(_CHECKSUM.search, messages)):
        flags += ("wrong_checksum",)
    truncation = _truncation(record, messages, leads)
    if not truncation and any(map(_BEYOND.search, messages)):
        flags += ("samples_beyond_header",)
    units = [_millivolts_per_unit(lead) for lead in leads]
    has_gaps = parser.startswith("dicom") and any(np.isnan(lead.samples).any() for lead in leads)
    gaps_are_zeros = has_gaps and padded_with_zero(path, len(leads[0].samples))
    signal = np.stack([_scaled(lead, unit, gaps_are_zeros) for lead, unit in zip(leads, units, strict=True)])
    patient, metadata = record.patient, record.raw_metadata
    recorded = record.recording.date or _day(metadata.get("acquisition_date"))
    age, age_flags = age_of(patient.age, _date(patient.birth_date), None if recorded is None else recorded.date())
    is_free_text = "patient_id_note" in metadata  # of an EDF file: name, birth date and id in one
    return Export(
        tuple(lead.label for lead in leads),
        signal,
        rate,
        has_unit=all(unit is not None for unit in units),
        patient_id="" if is_free_text else patient_id_of(patient.patient_id or ""),
        age=age,
        sex=parse_sex(patient.sex or ""),
        date=iso(recorded),
        statements=clean_statements(text for text, _ in record.interpretation.statements),
        flags=flags + age_flags,
        truncation=truncation,
    )


def _usable_leads(leads: "Sequence[Lead]") -> "tuple[list[Lead], tuple[str, ...]]":
    """The channels that can stand side by side: all, or those that are standard leads where others have another length or rate.

    A lead that is there twice with the same samples counts once.
    """
    named = [lead for lead in leads if lead_name(lead.label)]
    usable = list(leads)
    flags: tuple[str, ...] = ()
    if len({(len(lead.samples), lead.sampling_rate) for lead in leads}) > 1 and named:
        usable, flags = named, (DROPPED,) * (len(named) < len(leads))
    if named and any(_unit_of(lead) is None for lead in usable) and all(_unit_of(lead) is not None for lead in named):
        usable, flags = named, (DROPPED,)  # a pulse or a flow beside the leads
    forms = {(len(lead.samples), lead.sampling_rate) for lead in usable}
    if len(forms) > 1:
        lengths = ", ".join(f"{samples} samples at {rate} Hz" for samples, rate in sorted(forms))
        raise RecordError(f"ambiguous length: the leads have {lengths}")
    starts = {lead.annotations.get("start_sample", "1") for lead in usable}
    if len(starts) > 1:
        raise RecordError(f"leads not simultaneous: they begin with the samples {listed(sorted(starts))}")
    first_of: dict[str, Any] = {lead.label: lead for lead in usable}
    for lead in usable:
        match = _REPEATED.fullmatch(lead.label)
        original = first_of.get(match[1]) if match and not lead_name(lead.label) else None
        if original is None or not lead_name(original.label):
            continue
        if not np.array_equal(original.samples, lead.samples, equal_nan=True):
            raise RecordError(f"ambiguous leads: {original.label} more than once, with different samples")
        del first_of[lead.label]
    return list(first_of.values()), flags


def _exact_rate(record: "ECGRecord", lead: "Lead") -> float:
    """The sampling rate in Hz as the file states it; the library rounds it to a whole number."""
    metadata = record.raw_metadata
    interval = metadata.get("rhythm_sample_interval_us")  # SCP-ECG
    groups = metadata.get("multiplex_groups", ())  # DICOM
    of_group = [group["sampling_frequency"] for group in groups if group["samples"] == len(lead.samples)]
    candidates = (
        1e6 / interval if interval else None,
        *of_group[:1],
        (metadata.get("rhythm_time") or {}).get("sampling_rate_exact"),  # HL7 aECG
        (metadata.get("exact_sampling_rates") or {}).get(lead.label),  # EDF
        next(iter(metadata.get("sampling_rates") or ()), None),  # MFER
        float(lead.sampling_rate or 0),
    )
    rate = float(next(rate for rate in candidates if rate is not None))
    if not (rate > 0 and isfinite(rate)):
        raise RecordError("bad sampling rate: the file does not state one")
    return float(round(rate)) if abs(rate - round(rate)) < 1e-9 * rate else rate


def _check_group(groups: Sequence[dict[str, Any]], seconds: float) -> None:
    """Refuses a DICOM file of which another group than the first may be the recording."""
    durations = [group["samples"] / group["sampling_frequency"] for group in groups]
    if max(durations) > 1.5 * seconds:
        raise RecordError(
            f"ambiguous recording: the first group of samples lasts {seconds:.3g} s, another one {max(durations):.3g} s"
        )


def _truncation(record: "ECGRecord", messages: Sequence[str], leads: "Sequence[Lead]") -> str:
    """In which way the end of a recording is missing; "" where it is whole."""
    announced, samples = (
        record.raw_metadata.get("ecg_size") or 0,
        len(leads[0].samples),
    )  # ISHNE: of a lead, or of all leads
    if announced > _ALMOST * samples and announced != samples * len(leads):
        return f"the header announces {announced:,} samples, and the file holds {samples:,} of each lead"
    return next((message for message in messages if _TRUNCATED.search(message)), "")


def _unit_of(lead: "Lead") -> str | None:
    return (lead.resolution_unit or None) if lead.is_raw else (lead.units or None)


def _millivolts_per_unit(lead: "Lead") -> float | None:
    """The millivolts of the unit that a lead's scaled samples have; None where the file states no unit of voltage."""
    unit = _unit_of(lead)
    try:
        factor = None if unit is None or unit[:1].isdigit() else millivolts(unit)
    except RecordError:
        return None
    return factor if not lead.is_raw or (isfinite(lead.resolution) and lead.resolution != 0) else None


def _scaled(lead: "Lead", unit: float | None, gaps_are_zeros: bool) -> NDArray[np.float64]:
    """(samples,) millivolts; as they are stored where there is no unit."""
    samples = np.asarray(lead.samples, np.float64)
    if gaps_are_zeros:
        samples = with_zeros(samples)
    if unit is None:
        return samples
    with np.errstate(over="ignore", invalid="ignore"):
        scaled: NDArray[np.float64] = (samples * lead.resolution + lead.offset if lead.is_raw else samples) * unit
    return scaled


def _date(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _day(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)[:10])
    except ValueError:
        return None
