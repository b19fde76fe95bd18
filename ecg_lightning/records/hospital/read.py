"""A file of a hospital's format as a `Record`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecg_lightning.errors import needs
from ecg_lightning.records.files import check_file
from ecg_lightning.records.hospital import time_limit as limit
from ecg_lightning.records.hospital.calibration import without_calibration
from ecg_lightning.records.hospital.cardiosoft import read_cardiosoft
from ecg_lightning.records.hospital.convert import export_of
from ecg_lightning.records.hospital.detection import HospitalFormat
from ecg_lightning.records.hospital.export import Export
from ecg_lightning.records.hospital.library import parse
from ecg_lightning.records.leads import agreed_leads, is_other, lead_name, listed, standard_leads
from ecg_lightning.records.record import Record, RecordError, readable
from ecg_lightning.records.units import millivolts


def check_installed(file_format: HospitalFormat) -> None:
    """Checks that the packages that read a format are installed.

    Raises:
        UserError: how to install them.
    """
    purpose = f"Reading {file_format.name}"
    needs("ecgdatakit" if file_format.parser else "defusedxml", "hospital", purpose)
    if file_format.parser.startswith("dicom"):
        needs("pydicom", "hospital", purpose)


def read_hospital(
    path: Path,
    file_format: HospitalFormat,
    *,
    unit: str | None = None,
    leads: Sequence[str] | None = None,
    header_wins: bool = False,
    incomplete: bool = False,
) -> Record:
    """Reads one exported file; its id is its name.

    Args:
        path: the file.
        file_format: as `hospital_format` says.
        unit: of the samples, for a file that does not state it.
        leads: names of the leads, for a file that does not state them; otherwise they must agree.
        header_wins: whether the names in the file count where they do not agree.
        incomplete: whether the recording may lack limb leads that cannot be derived.

    Returns:
        The recording in millivolts with its twelve standard leads; age, sex, patient and date; the device's statements as
        codes. Never a name. Flags: "calibration_removed", "unit_assumed:uV" and the like for a unit of the caller,
        "wrong_checksum", "more_recordings_in_file", "contradictory:age", and those of `standard_leads`.

    Raises:
        RecordError: whatever makes the file unusable.
        UserError: where a package is missing.
    """
    check_installed(file_format)
    check_file(path, file_format.most)
    with limit.time_limit(limit.SECONDS):
        export = _export(path, file_format)
    names = _lead_names(export.names, leads, header_wins)
    if export.truncation:
        raise RecordError(f"truncated signal: {export.truncation}")
    signal, flags = export.signal, export.flags
    if not export.has_unit:
        if unit is None:
            raise RecordError(
                "unknown unit: the file does not state the unit of its samples. Give it by data.file_unit or --unit"
            )
        signal = signal * millivolts(unit)
        flags += (f"unit_assumed:{unit}",)
    signal, cut = without_calibration(signal, np.array([bool(lead_name(name)) for name in names]))
    if signal.shape[1] == 0:
        raise RecordError("empty signal")
    with np.errstate(over="ignore"):  # beyond float32 a sample is infinite, and repaired as one that is not there
        millivolts_of_leads = signal.astype(np.float32, order="C")
    standard, lead_flags = standard_leads(millivolts_of_leads, names, incomplete)
    return Record(
        standard,
        export.sampling_rate,
        record_id=readable(path.stem),
        patient_id=export.patient_id,
        age=export.age,
        sex=export.sex,
        codes=export.statements,
        quality=tuple(dict.fromkeys((*flags, *cut, *lead_flags))),
        date=export.date,
    )


def _lead_names(file_names: Sequence[str], reader_names: Sequence[str] | None, header_wins: bool) -> Sequence[str]:
    """The names of the leads; other leads than the standard ones, such as X, Y and Z, never get the name of a standard one."""
    if any(map(is_other, file_names)) and not any(map(lead_name, file_names)):
        raise RecordError(f"missing limb leads: two of I, II and III are needed, found {listed(file_names)}")
    return agreed_leads(file_names, reader_names, header_wins)


def _export(path: Path, file_format: HospitalFormat) -> Export:
    if not file_format.parser:
        return read_cardiosoft(path, file_format.most)
    record, messages = parse(path, file_format)
    return export_of(record, messages, path, file_format.parser)
