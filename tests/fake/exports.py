"""Files as hospitals export them, made up: GE CardioSoft XML, GE MUSE XML, EDF."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records import LEADS
from ecg_lightning.records.leads import INDEPENDENT

STEP = 5  # microvolts


def _units(signal: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(signal * 1000 / STEP).astype(np.int64)


def cardiosoft(
    path: Path, signal: NDArray[np.float64], rate: float, *, patient: str = "P-1", resolution: str = "uVperLsb",
    statements: Sequence[str] = ("Sinus rhythm",),
) -> Path:  # fmt: skip
    """Writes (12, samples) millivolts with a median beat before the recording, as CardioSoft does."""

    def block(tag: str, rows: NDArray[np.int64]) -> str:
        leads = "".join(
            f'<WaveformData lead="{lead}">{",".join(map(str, row))}</WaveformData>'
            for lead, row in zip(LEADS, rows, strict=True)
        )
        return (
            f'<{tag}><NumberOfLeads>12</NumberOfLeads><SampleRate units="Hz">{rate:g}</SampleRate>'
            f"<ChannelSampleCountTotal>{rows.shape[1]}</ChannelSampleCountTotal>"
            f'<Resolution units="{resolution}">{STEP}</Resolution>{leads}</{tag}>'
        )

    units = _units(signal)
    texts = "".join(f"<DiagnosisText>{text}</DiagnosisText>" for text in statements)
    path.write_text(
        '<?xml version="1.0" encoding="ISO-8859-1" ?><CardiologyXML><ObservationType>RestECG</ObservationType>'
        "<ObservationDateTime><Hour>8</Hour><Minute>5</Minute><Second>0</Second><Day>3</Day><Month>2</Month>"
        f"<Year>2021</Year></ObservationDateTime><PatientInfo><PID>{patient}</PID><Name><FamilyName>Secret</FamilyName>"
        '</Name><Age units="YEARS">63</Age><Gender>FEMALE</Gender></PatientInfo>'
        f"<Interpretation><Diagnosis>{texts}</Diagnosis></Interpretation>"
        f"<RestingECGMeasurements>{block('MedianSamples', units[:, :60])}</RestingECGMeasurements>"
        f"{block('StripData', units)}</CardiologyXML>",
        encoding="latin-1",
    )
    return path


def muse(
    path: Path, signal: NDArray[np.float64], rate: int, *, unit: str = "MICROVOLTS", names: Sequence[str] = INDEPENDENT
) -> Path:
    """Writes the eight independent leads of (12, samples) millivolts, with a median beat before the recording."""
    units = _units(signal[[LEADS.index(lead) for lead in INDEPENDENT]])

    def block(kind: str, rows: NDArray[np.int64]) -> str:
        leads = "".join(
            f"<LeadData><LeadSampleCountTotal>{len(row)}</LeadSampleCountTotal><LeadAmplitudeUnitsPerBit>{STEP}"
            f"</LeadAmplitudeUnitsPerBit><LeadAmplitudeUnits>{unit}</LeadAmplitudeUnits><LeadID>{name}</LeadID>"
            f"<WaveFormData>{base64.b64encode(row.astype('<i2').tobytes()).decode()}</WaveFormData></LeadData>"
            for name, row in zip(names, rows, strict=True)
        )
        return (
            f"<Waveform><WaveformType>{kind}</WaveformType><SampleBase>{rate}</SampleBase>"
            f"<SampleExponent>0</SampleExponent>{leads}</Waveform>"
        )

    path.write_text(
        "<?xml version='1.0'?><RestingECG><PatientDemographics><PatientID>M-7</PatientID><PatientLastName>Secret"
        "</PatientLastName><PatientAge>58</PatientAge><AgeUnits>YEARS</AgeUnits><Gender>MALE</Gender></PatientDemographics>"
        "<Diagnosis><DiagnosisStatement><StmtText>Atrial fibrillation</StmtText></DiagnosisStatement></Diagnosis>"
        f"{block('Median', units[:, :60])}{block('Rhythm', units)}</RestingECG>"
    )
    return path


def edf(
    path: Path, signal: NDArray[np.float64], rate: int, *, unit: str = "uV", names: Sequence[str] = LEADS,
    samples_of_pulse: int = 0,
) -> Path:  # fmt: skip
    """Writes (leads, samples) millivolts in records of a second, and on request a pulse with its own rate."""
    seconds = signal.shape[1] // rate
    labels, counts, dimensions = [*names], [rate] * len(names), [unit] * len(names)
    blocks = [row[: seconds * rate].reshape(seconds, rate) for row in np.rint(signal * 1000).astype("<i2")]
    if samples_of_pulse:
        labels, counts, dimensions = [*labels, "Pulse"], [*counts, samples_of_pulse], [*dimensions, "mmHg"]
        blocks.append(np.zeros((seconds, samples_of_pulse), "<i2"))
    number = len(labels)

    def column(values: Sequence[object], width: int) -> str:
        return "".join(f"{value!s:<{width}}" for value in values)

    header = f"{'0':<8}{'P-9 F 01-JAN-1950 Secret':<80}{'':<80}03.02.2108.05.00{256 * (number + 1):<8}{'':<44}{seconds:<8}{1:<8}{number:<4}"
    header += column(labels, 16) + column([""] * number, 80) + column(dimensions, 8) + column([-32768] * number, 8)
    header += column([32767] * number, 8) + column([-32768] * number, 8) + column([32767] * number, 8)
    header += column([""] * number, 80) + column(counts, 8) + column([""] * number, 32)
    data = b"".join(block[second].tobytes() for second in range(seconds) for block in blocks)
    path.write_bytes(header.encode("ascii") + data)
    return path
