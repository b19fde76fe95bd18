"""Recognises the format of a file that cannot be read, by its content and its name, and says what to do with it.

Files that hospitals export are known by their content and read (see `hospital`); here they are known by their suffix alone, so
that a file that only has such a name is answered.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecg_lightning.records.files import read_bytes, size_of
from ecg_lightning.records.record import RecordError, readable

_HEAD = 2048  # bytes that tell a format
_READ = "WFDB (.hea with .dat), .mat, .h5, .npz, .npy or .csv"


@dataclass(frozen=True)
class Format:
    """A format: its name with the article, how its content begins, the suffixes of its files, and what to do."""

    name: str
    begins: Callable[[bytes], bool]
    suffixes: tuple[str, ...]
    advice: str


def _starts(*marks: bytes, at: int = 0) -> Callable[[bytes], bool]:
    return lambda head: head[at:].startswith(marks)


def _is_xml(head: bytes) -> bool:
    """Whether content is XML, in UTF-8 or UTF-16."""
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return text.startswith((b"<?xml", b"<!DOCTYPE"))


def _never(head: bytes) -> bool:
    return False


_CONVERT = f"convert it to {_READ} first"
_XML = (
    "the ECG files in XML that are read are HL7 aECG, GE MUSE, GE CardioSoft and Philips; export it as one of these, or "
    f"{_CONVERT}"
)
_OTHER_CONTENT = "its content is of another format, or damaged; export it again"
_PICTURE = "a picture holds no samples; export the signals"
_UNPACK = "unpack it first"

# The first format whose content fits counts, then the first whose suffix fits; special formats stand before general ones.
FORMATS = (
    Format("a DICOM file", _never, (".dcm", ".dicom"), _OTHER_CONTENT),
    Format("an EDF file", _never, (".edf", ".rec"), _OTHER_CONTENT),
    Format("an SCP-ECG file", _never, (".scp", ".scpecg"), _OTHER_CONTENT),
    Format("an ISHNE Holter file", _never, (".ecg", ".ishne"), _OTHER_CONTENT),
    Format("an MFER file", _never, (".mwf", ".mfer"), _OTHER_CONTENT),
    Format("an HL7 aECG file", _never, (".aecg",), _OTHER_CONTENT),
    Format("a BDF file", _starts(b"\xffBIOSEMI"), (".bdf",), f"{_CONVERT}, for example with the package pyedflib"),
    Format("a GDF file", _starts(b"GDF "), (".gdf",), _CONVERT),
    Format("an XML file", _is_xml, (".xml",), _XML),
    Format("a PDF document", _starts(b"%PDF"), (".pdf",), _PICTURE),
    Format("a PNG picture", _starts(b"\x89PNG"), (".png",), _PICTURE),
    Format("a JPEG picture", _starts(b"\xff\xd8\xff"), (".jpg", ".jpeg"), _PICTURE),
    Format("a TIFF picture", _starts(b"II*\0", b"MM\0*"), (".tif", ".tiff"), _PICTURE),
    Format("a GIF picture", _starts(b"GIF8"), (".gif",), _PICTURE),
    Format("a BMP picture", _never, (".bmp",), _PICTURE),
    Format("a Parquet table", _starts(b"PAR1"), (".parquet",), "save the signal as .csv or .npy"),
    Format("an old Excel file", _starts(b"\xd0\xcf\x11\xe0"), (".xls",), "save the table as .csv"),
    Format("an Excel file", _never, (".xlsx", ".xlsm", ".ods"), "save the table as .csv"),
    Format("a gzip file", _starts(b"\x1f\x8b"), (".gz", ".tgz"), _UNPACK),
    Format("a bzip2 file", _starts(b"BZh"), (".bz2",), _UNPACK),
    Format("an xz file", _starts(b"\xfd7zXZ"), (".xz",), _UNPACK),
    Format("a zstd file", _starts(b"\x28\xb5\x2f\xfd"), (".zst",), _UNPACK),
    Format("a 7-Zip file", _starts(b"7z\xbc\xaf\x27\x1c"), (".7z",), _UNPACK),
    Format("a RAR file", _starts(b"Rar!"), (".rar",), _UNPACK),
    Format("a TAR file", _starts(b"ustar", at=257), (".tar",), _UNPACK),
    Format("an HDF5 file", _starts(b"\x89HDF\r\n\x1a\n"), (".nxs", ".he5"), "rename it to .h5"),
    Format("a MATLAB file", _starts(b"MATLAB 5.0", b"MATLAB 7.3"), (), "rename it to .mat"),
    Format("a NumPy file", _starts(b"\x93NUMPY"), (), "rename it to .npy"),
    Format("a ZIP file", _starts(b"PK\x03\x04"), (".zip",), f"{_UNPACK}; NumPy's is named .npz"),
    Format("a pickle", _starts(b"\x80\x02c", b"\x80\x02}", b"\x80\x03c", b"\x80\x03}", b"\x80\x04\x95", b"\x80\x05\x95"), (".pkl", ".pickle", ".p"),
           "a pickle can run any program and is never opened; save the array by numpy.save"),
    Format("a checkpoint of PyTorch", _never, (".pt", ".pth", ".ckpt"), "it holds no recording"),
    Format("a checkpoint", _never, (".safetensors",), "it holds no recording"),
    Format("a JSON file", _never, (".json",), _CONVERT),
    Format("a text file", _never, (".txt", ".tsv", ".asc", ".tab"), "if it is a table with one column a lead, rename it to .csv"),
    Format("a WFDB annotation file", _never, (".atr", ".qrs", ".ari", ".xws"), "name the recording's .hea file"),
)  # fmt: skip
# The formats above that are right for a readable suffix: a file of such a format is not refused.
_ITS_OWN = {
    ".h5": ("an HDF5 file",),
    ".hdf5": ("an HDF5 file",),
    ".mat": ("a MATLAB file", "an HDF5 file"),
    ".npy": ("a NumPy file",),
    ".npz": ("a ZIP file",),
}
_WFDB = (".hea", ".dat")  # samples may begin with anything


def format_of(path: str | Path) -> Format | None:
    """The format of a file, by its content, else by its suffix; None for a format that is not among `FORMATS`.

    Of a file that cannot be opened, only the suffix counts.
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix in _WFDB:
        return None
    try:
        head, _ = read_bytes(path, _HEAD)
    except RecordError:
        head = b""
    by_content = next((file_format for file_format in FORMATS if file_format.begins(head)), None)
    by_suffix = next((file_format for file_format in FORMATS if suffix in file_format.suffixes), None)
    if by_content is None or (by_suffix is not None and by_content.name in ("a ZIP file", "an old Excel file")):
        return by_suffix or by_content  # an .xlsx is a ZIP file, a .pt too
    return by_content


def check_format(path: str | Path) -> None:
    """Refuses a file of a known format that cannot be read, or one whose content is not what its suffix says.

    Raises:
        RecordError: "unsupported format", with the format's name and what to do; "no such file", "no regular file", "empty
            file" for a file that has no content to tell the format by.
    """
    file_format = format_of(path)
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if file_format is None or file_format.name in _ITS_OWN.get(suffix, ()):
        return
    if size_of(path) == 0:
        raise RecordError(f"empty file: {readable(path)} has no content; export it again")
    if is_export_by_name(file_format):
        raise RecordError(
            f"unsupported format: {readable(path)} is called like {file_format.name}, but {file_format.advice}"
        )
    raise RecordError(f"unsupported format: {readable(path)} is {file_format.name}; {file_format.advice}")


def is_export_by_name(file_format: Format) -> bool:
    """Whether a format is one that hospitals export, which a file has by its name alone: its content is another one."""
    return file_format.advice == _OTHER_CONTENT
