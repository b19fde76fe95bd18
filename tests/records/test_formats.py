"""Files of other formats are named, whatever they are called, and none of the readable ones is taken for another."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fake
from ecg_lightning.records import RecordError, read_record
from ecg_lightning.records.formats import FORMATS, check_format, format_of
from ecg_lightning.records.hospital import hospital_format

WAVE = fake.ecg(1000, 250, seed=4).astype(np.float32)
DICOM = bytes(128) + b"DICM" + bytes(40)
EDF = b"0       X X X X" + bytes(300)


@pytest.mark.parametrize(
    ("name", "content", "format_name"),
    [
        ("a.bdf", b"\xffBIOSEMI" + EDF, "a BDF file"),
        ("a.xml", b"x", "an XML file"),
        ("a.xml", '<?xml version="1.0"?><settings>'.encode("utf-16"), "an XML file"),
        ("a.pdf", b"%PDF-1.7", "a PDF document"),
        ("a.csv.gz", b"\x1f\x8b\x08", "a gzip file"),
        ("a.csv", b"\x1f\x8b\x08", "a gzip file"),
        ("a.csv", b"PAR1", "a Parquet table"),
        ("a.txt", b"1 2 3", "a text file"),
        ("a.pkl", b"\x80\x04\x95", "a pickle"),
        ("a.pth", b"PK\x03\x04", "a checkpoint of PyTorch"),
        ("a.xlsx", b"PK\x03\x04", "an Excel file"),
        ("a.csv", b"PK\x03\x04", "a ZIP file"),
        ("a.npy", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    ],
)
def test_other_formats_are_named_with_what_to_do(tmp_path: Path, name: str, content: bytes, format_name: str) -> None:
    (tmp_path / name).write_bytes(content)
    file_format = format_of(tmp_path / name)
    assert file_format is not None and file_format.name == format_name
    with pytest.raises(RecordError) as caught:
        read_record(tmp_path / name)
    assert str(caught.value) == f"unsupported format: {tmp_path / name} is {format_name}; {file_format.advice}"


@pytest.mark.parametrize(
    ("name", "content", "format_name"),
    [
        ("a.DCM", DICOM, "a DICOM waveform"),
        ("IM00001", DICOM, "a DICOM waveform"),
        ("a.csv", DICOM, "a DICOM waveform"),
        ("a.edf", EDF, "an EDF file"),
        ("a.scp", b"\0\0\0\0\0\0" + bytes(10) + b"SCPECG" + bytes(9), "an SCP-ECG file"),
        ("a.ecg", b"ISHNE1.0" + bytes(9), "an ISHNE Holter file"),
        ("a.mwf", b"@\x20MFR " + bytes(40), "an MFER file"),
        ("a.mwf", b"\x01\x01\x00" + bytes(40), "an MFER file"),  # the name within the file may be left out
        ("a.xml", b"\xef\xbb\xbf<?xml version='1.0'?><AnnotatedECG xmlns='urn:hl7-org:v3'>", "an HL7 aECG file"),
        ("a.xml", b"<hl7:AnnotatedECG xmlns:hl7='urn:hl7-org:v3'>", "an HL7 aECG file"),
        ("a.xml", '<?xml version="1.0"?><restingecgdata>'.encode("utf-16"), "a Philips ECG file"),
        ("a.xml", b"<?xml?><!DOCTYPE RestingECG SYSTEM 'restecg.dtd'><RestingECG>", "a GE MUSE file"),
        ("a.xml", b"<?xml?><CardiologyXML>", "a GE CardioSoft file"),
        ("a.json", b'{"id": "1", "recordedAt": "2000-01-01T12:00:00Z"}', "an AliveCor file"),
    ],
)
def test_exports_of_hospitals_are_known_by_their_content(
    tmp_path: Path, name: str, content: bytes, format_name: str
) -> None:
    (tmp_path / name).write_bytes(content)
    file_format = hospital_format(tmp_path / name)
    assert file_format is not None and file_format.name == format_name
    with pytest.raises(RecordError, match="unreadable file"):
        read_record(tmp_path / name)


@pytest.mark.parametrize("name", ["a.dcm", "a.edf", "a.scp", "a.ishne", "a.aecg"])
def test_a_name_alone_makes_no_export(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert hospital_format(tmp_path / name) is None
    with pytest.raises(
        RecordError, match=r"unsupported format: .* is called like an? .*, but its content is of another"
    ):
        read_record(tmp_path / name)


def test_a_format_is_known_by_the_suffix_of_a_file_that_is_not_there() -> None:
    assert [name for name in ("x.dcm", "x.edf", "x.hea", "x") if format_of(name)] == ["x.dcm", "x.edf"]


def test_each_suffix_has_one_format_and_none_is_readable() -> None:
    suffixes = [suffix for each in FORMATS for suffix in each.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert not {".hea", ".dat", ".mat", ".h5", ".hdf5", ".npz", ".npy", ".csv"} & set(suffixes)


def test_readable_files_are_not_taken_for_others(tmp_path: Path, shared_data: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("x.npy", "w") as file:
        np.save(file, WAVE)
    check_format(tmp_path / "a.npz")
    files = [file for file in shared_data.rglob("*") if file.suffix in (".mat", ".h5", ".csv", ".hea", ".dat")]
    assert len(files) > 6000
    for file in files[::20]:
        check_format(file)


@pytest.mark.parametrize("suffix", [".dcm", ".xml", ".pdf"])
def test_what_has_no_content_is_not_called_damaged(suffix: str, tmp_path: Path) -> None:
    empty, pipe, link = (tmp_path / f"{name}{suffix}" for name in ("empty", "pipe", "link"))
    empty.touch()
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "nothing")
    for file, reason in (
        (empty, "empty file: .* export it again"),
        (pipe, "no regular file: .* is a pipe"),
        (link, "no such file: "),
    ):
        with pytest.raises(RecordError, match=reason):
            read_record(file)
