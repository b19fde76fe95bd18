"""GE CardioSoft XML (root `CardiologyXML`), which the library does not read."""

from datetime import datetime
from math import isfinite, isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecg_lightning.records.files import check_numbers, read_bytes
from ecg_lightning.records.hospital.export import Export
from ecg_lightning.records.hospital.patient import age_of, iso, patient_id_of
from ecg_lightning.records.hospital.statements import clean_statements
from ecg_lightning.records.patient import parse_sex
from ecg_lightning.records.record import RecordError, readable
from ecg_lightning.records.times import check_plausible_rate

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# The recording; `MedianSamples` beside it is the median beat, and `FullDisclosure` a long strip of a few leads.
_STRIP = "StripData"
_MILLIVOLTS = {"uvperlsb": 1e-3, "mvperlsb": 1.0, "nvperlsb": 1e-6}
_YEARS = {"": 1.0, "YEARS": 1.0, "MONTHS": 1 / 12, "WEEKS": 7 / 365.2425, "DAYS": 1 / 365.2425, "HOURS": 0.0}


def read_cardiosoft(path: Path, most: int) -> Export:
    """Reads the recording of a CardioSoft file.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        RecordError: "unreadable file", "empty signal", "bad sampling rate", "truncated signal".
    """
    root = _root(path, most)
    strip = root.find(_STRIP)
    if strip is None:
        raise RecordError(f"empty signal: there is no recording ({_STRIP})")
    names, rows = [], []
    for element in strip.findall("WaveformData"):
        names.append((element.get("lead") or "").strip())
        rows.append(_samples(element.text or "", names[-1]))
    if not rows or not rows[0]:
        raise RecordError("empty signal: there are no samples")
    announced = _number(strip.findtext("ChannelSampleCountTotal"))
    if len({len(row) for row in rows}) > 1 or (announced > 0 and announced != len(rows[0])):
        counts = ", ".join(str(count) for count in sorted({len(row) for row in rows}))
        raise RecordError(f"truncated signal: {counts} samples of {announced:g} in a lead")
    check_numbers(len(rows) * len(rows[0]), "the signal")
    rate = _rate(strip)
    step = strip.find("Resolution")
    unit = None if step is None else _MILLIVOLTS.get((step.get("units") or "").strip().lower())
    size = nan if step is None else _number(step.text)
    has_unit = unit is not None and size > 0
    signal = np.array(rows, np.float64)
    recorded = _moment(root.find("ObservationDateTime"))
    birth = _moment(root.find("PatientInfo/BirthDateTime"))
    age, flags = age_of(_age(root), birth and birth.date(), recorded and recorded.date())
    return Export(
        tuple(names),
        signal * (size * unit) if has_unit and unit is not None else signal,
        rate,
        has_unit=has_unit,
        patient_id=patient_id_of(root.findtext("PatientInfo/PID") or ""),
        age=age,
        sex=parse_sex(root.findtext("PatientInfo/Gender") or ""),
        date=iso(recorded),
        statements=_statements(root),
        flags=flags,
    )


def _root(path: Path, most: int) -> "Element":
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    data, _ = read_bytes(path, most=most)
    try:
        root: Element = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        reason = "it declares entities" if isinstance(error, DefusedXmlException) else str(error)
        raise RecordError(f"unreadable file: {readable(path)} is a GE CardioSoft file and damaged: {reason}") from error
    if root.tag != "CardiologyXML":
        raise RecordError(f"unreadable file: {readable(path)} has the root element {root.tag}, not CardiologyXML")
    return root


def _samples(text: str, name: str) -> list[int]:
    try:
        return [int(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise RecordError(f"unreadable file: a sample of the lead '{name}' is no number") from error


def _rate(strip: "Element") -> float:
    element = strip.find("SampleRate")
    rate = nan if element is None else _number(element.text)
    unit = "" if element is None else (element.get("units") or "Hz").strip().lower()
    if unit not in ("hz", "khz"):
        raise RecordError(f"bad sampling rate: its unit is '{unit}'")
    rate *= 1000 if unit == "khz" else 1
    check_plausible_rate(rate)
    return rate


def _number(text: str | None) -> float:
    try:
        number = float(text or "")
    except ValueError:
        return nan
    return number if isfinite(number) else nan


def _age(root: "Element") -> float | None:
    element = root.find("PatientInfo/Age")
    value = nan if element is None else _number(element.text)
    factor = None if element is None else _YEARS.get((element.get("units") or "").strip().upper())
    return None if factor is None or isnan(value) else float(int(value * factor))


def _moment(element: "Element | None") -> datetime | None:
    """A date, with its time where there is one; None where it is no date."""
    if element is None:
        return None
    parts = [_number(element.findtext(key)) for key in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
    try:
        year, month, day, hour, minute, second = (
            int(part) for part in [*parts[:3], *(part or 0 for part in parts[3:])]
        )
        return datetime(year, month, day, hour, minute, second)
    except ValueError:  # NaN or no such day
        return None


def _statements(root: "Element") -> tuple[str, ...]:
    """The diagnoses; behind a line of marks stand counts of a long strip, which are none."""
    interpretation = root.find("Interpretation")
    if interpretation is None:
        return ()
    texts = [element.text or "" for element in interpretation.findall("Diagnosis/DiagnosisText")]
    texts = texts or [element.text or "" for element in interpretation.findall("Conclusion/ConclusionText")]
    end = next((place for place, text in enumerate(texts) if text.strip().startswith("---")), len(texts))
    return clean_statements(texts[:end])
