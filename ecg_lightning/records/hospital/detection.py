"""Which of the hospitals' formats a file has: by its content, whatever it is called."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecg_lightning.records.files import read_bytes
from ecg_lightning.records.record import RecordError

_HEAD = 8192  # bytes; the root of an XML file may stand behind comments and a document type
_MOST_OF_XML = 1 << 26  # bytes; ten seconds of twelve leads as text are half a megabyte
_MOST = 1 << 29  # bytes; a day of twelve leads at 250 Hz


@dataclass(frozen=True)
class HospitalFormat:
    """A format that hospitals export.

    Attributes:
        name: with the article, for messages.
        begins: whether the first bytes of a file are of this format.
        parser: module and class of ecgdatakit that read it; "" for a format that is read here.
        most: bytes that a file may have.
    """

    name: str
    begins: Callable[[bytes], bool]
    parser: str
    most: int = _MOST


def _xml_root(root: bytes) -> Callable[[bytes], bool]:
    """A test of whether content names an XML element among its first ones; in UTF-8 or UTF-16."""

    def begins(head: bytes) -> bool:
        text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
        return text.startswith(b"<") and re.search(rb"<(?:[A-Za-z_][\w.-]*:)?" + root + rb"[\s>]", text) is not None

    return begins


def _is_scp(head: bytes) -> bool:
    """Whether section 0 is where SCP-ECG has it: with the standard's name, or with a first pointer that leads to itself."""
    if head[16:22] == b"SCPECG":
        return True
    number = int.from_bytes
    size = number(head[10:14], "little")
    return (
        len(head) >= 32
        and head[8:10] == b"\0\0"
        and size >= 26
        and (size - 16) % 10 == 0
        and head[22:24] == b"\0\0"
        and number(head[28:32], "little") == 7
    )


def _is_kardia(head: bytes) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text.startswith(b"{") and b'"recordedAt"' in text


FORMATS = (
    HospitalFormat("a DICOM waveform", lambda head: head[128:132] == b"DICM", "dicom_waveform:DICOMWaveformParser"),
    HospitalFormat("an EDF file", lambda head: head.startswith(b"0       "), "edf:EDFParser"),
    HospitalFormat("an ISHNE Holter file", lambda head: head.startswith(b"ISHNE1.0"), "ishne_holter:ISHNEHolterParser"),
    HospitalFormat("an MFER file", lambda head: head[:1] == b"\x40" and head[2:6] == b"MFR ", "mfer:MFERParser"),
    HospitalFormat("an HL7 aECG file", _xml_root(b"AnnotatedECG"), "hl7_aecg:HL7aECGParser", _MOST_OF_XML),
    HospitalFormat("a Philips ECG file", _xml_root(b"restingecgdata"), "sierra_xml:SierraXMLParser", _MOST_OF_XML),
    HospitalFormat("a GE MUSE file", _xml_root(b"RestingECG"), "ge_muse_xml:GEMuseXMLParser", _MOST_OF_XML),
    HospitalFormat("a GE CardioSoft file", _xml_root(b"CardiologyXML"), "", _MOST_OF_XML),
    HospitalFormat("an AliveCor file", _is_kardia, "alivecor_kardia:AliveCorKardiaParser", _MOST_OF_XML),
    HospitalFormat("an SCP-ECG file", _is_scp, "scp_ecg:SCPECGParser"),
)
_MFER = FORMATS[3]
_MFER_SUFFIXES = (
    ".mwf",
    ".mfer",
)  # the first definition of MFER, its name, may be left out: then the suffix has to say it


def hospital_format(path: str | Path) -> HospitalFormat | None:
    """The format of a file, if it is one of the hospitals' formats; None for any other file, and for one that is not there."""
    try:
        head, _ = read_bytes(path, _HEAD)
    except RecordError:
        return None
    by_content = next((file_format for file_format in FORMATS if file_format.begins(head)), None)
    if by_content is None and head and os.path.splitext(os.fspath(path))[1].lower() in _MFER_SUFFIXES:
        return _MFER
    return by_content
