"""Calls ecgdatakit for one file; it is imported when the first file needs it, and asked for one parser alone."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ecg_lightning.records.files import read_bytes
from ecg_lightning.records.hospital.detection import HospitalFormat
from ecg_lightning.records.hospital.dicom import check_compression, quiet
from ecg_lightning.records.hospital.scp import counted_from_one
from ecg_lightning.records.record import RecordError, readable

if TYPE_CHECKING:
    from ecgdatakit.models import ECGRecord

_PARSERS = "ecgdatakit.parsing.parsers"


def parse(path: Path, file_format: HospitalFormat) -> "tuple[ECGRecord, list[str]]":
    """Reads a file by the library's parser for its format.

    Returns:
        The library's record, with samples as they are stored, and its warnings.

    Raises:
        RecordError: "unreadable file", with the library's reason.
    """
    module, parser = file_format.parser.split(":")
    with _standard_file(path, file_format) as file, quiet() as caught:
        record, reason = None, ""
        try:
            record = getattr(import_module(f"{_PARSERS}.{module}"), parser)().parse(file)
        except Exception as error:
            # An error of the machine must not hide behind this one, and a damaged size (MemoryError) is none of the machine.
            if isinstance(error, OSError):
                raise
            reason = _one_line(str(error).replace(os.fspath(file), readable(path))) or type(error).__name__
    if record is None:
        raise RecordError(
            f"unreadable file: {readable(path)} is {file_format.name} and damaged, or not as the standard says: {reason}"
        )
    return record, [str(warning.message) for warning in caught]


@contextmanager
def _standard_file(path: Path, file_format: HospitalFormat) -> Iterator[Path]:
    """The file itself; or, for an odd one that can be brought to the standard, a copy that only this user can read."""
    corrected = None
    if file_format.parser.startswith(("scp_ecg", "dicom")):
        data, _ = read_bytes(path, most=file_format.most)
        if file_format.parser.startswith("scp_ecg"):
            corrected = counted_from_one(data)
        else:
            check_compression(data)
    if corrected is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="ecg_") as folder:
        copy = Path(folder, "copy")
        copy.write_bytes(corrected)
        yield copy


def _one_line(text: str, most: int = 300) -> str:
    return " ".join(text.split())[:most].rstrip(".")
