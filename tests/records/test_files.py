"""Files that must not stop a job: of impossible sizes and rates, pipes, strange names, paths to elsewhere."""

import os
import socket
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

import fake
from ecg_lightning.records import LEADS, RecordError, read_record
from ecg_lightning.records.files import decoded, inside
from ecg_lightning.records.record import readable

WAVE = fake.ecg(1000, 250, seed=4).astype(np.float32)
HUGE = (12, 1_000_000_000)  # 48 GB of float32


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


def _refusal(path: Path, **arguments: object) -> str:
    with pytest.raises(RecordError) as caught:
        read_record(path, **arguments)  # type: ignore[arg-type]
    return str(caught.value)


def test_an_array_of_48_gigabytes_is_not_allocated(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("ecg", HUGE, "f4", chunks=(12, 1000))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (12, 1000000000), }"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.ljust(117) + b"\n"
    (tmp_path / "a.npy").write_bytes(npy)
    np.savez(tmp_path / "whole.npz", ecg=WAVE)
    data = (tmp_path / "whole.npz").read_bytes()
    start = data.index(b"\x93NUMPY")
    (tmp_path / "a.npz").write_bytes(data[:start] + npy + data[start + len(npy) :])
    inner = zlib.compress(struct.pack("<II", 14, 4_000_000_000) + bytes(100))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "a.mat").write_bytes(head + struct.pack("<II", 15, len(inner)) + inner)
    for name in ("a.h5", "a.npy", "a.npz", "a.mat"):
        for dataset in (None, "ecg"):
            message = _refusal(tmp_path / name, sampling_rate=500, dataset=dataset)
            assert message.startswith("too large: ") or name == "a.npz", message
            assert message.startswith(("too large: ", "unreadable file: "))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("place", "value"), [(16, 5), (17, 8), (17, 255)])
def test_a_damaged_matlab_file_does_not_end_the_process(
    tmp_path: Path, place: int, value: int, compressed: bool
) -> None:
    savemat(tmp_path / "a.mat", {"ecg": WAVE, "fs": 250.0})
    data = bytearray((tmp_path / "a.mat").read_bytes())
    data[128 + place] = value
    if compressed:
        inner = zlib.compress(data[128:])
        data[128:] = struct.pack("<II", 15, len(inner)) + inner
    (tmp_path / "a.mat").write_bytes(data)
    assert _refusal(tmp_path / "a.mat").startswith("no signal: no array of 12 leads")


def test_a_block_of_an_hdf5_file_is_no_larger_than_a_recording(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("ecg", (12, 1000), "f4", chunks=(12, 30_000_000), maxshape=(12, None), compression="gzip")
    assert _refusal(tmp_path / "a.h5", sampling_rate=500).startswith("too large: a block of the array 'ecg'")


def test_a_row_of_a_large_archive_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("ecg", (1_000_000, 1000, 12), "f4", chunks=(1, 1000, 12))[777] = WAVE.T
    record = read_record(tmp_path / "a.h5", sampling_rate=250, dataset="ecg", row=777)
    np.testing.assert_array_equal(record.signal, WAVE)
    assert _refusal(tmp_path / "a.h5", sampling_rate=250, dataset="ecg").startswith("too large: the array 'ecg'")


def test_a_header_cannot_ask_for_more_samples_than_are_there(tmp_path: Path) -> None:
    fake.write_wfdb(tmp_path / "a.dat", WAVE, 250)
    whole = (tmp_path / "a.hea").read_text()
    for form in ("16", "212"):
        text = whole.replace("250 1000", "250 100000000000").replace("a.dat 16 ", f"a.dat {form} ")
        (tmp_path / "a.hea").write_text(text)
        assert _refusal(tmp_path / "a").startswith("too large: the signal claims to hold 1.2e+12 numbers")
    (tmp_path / "a.hea").write_text(whole.replace("250 1000", "250 2000000"))
    assert _refusal(tmp_path / "a").startswith("truncated signal: 1000 of 2000000 samples")


@pytest.mark.parametrize("rate", ["0.001", "1e9", "nan", "-500", "inf", "0"])
def test_a_rate_of_no_ecg_is_refused(tmp_path: Path, rate: str) -> None:
    fake.write_wfdb(tmp_path / "a.dat", WAVE, 250)
    header = tmp_path / "a.hea"
    header.write_text(header.read_text().replace("a 12 250", f"a 12 {rate}"))
    assert _refusal(header).startswith("bad sampling rate: ")
    np.savez(tmp_path / "a.npz", x=WAVE, fs=float(rate))
    assert _refusal(tmp_path / "a.npz").startswith("bad sampling rate: ")


@pytest.mark.parametrize("name", ["a.hea", "a.npy", "a.h5", "a.mat", "a.csv", "a.npz", "a"])
def test_pipes_sockets_devices_and_folders_are_not_opened(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    for make, kind in (
        (os.mkfifo, "a pipe"),
        (_socket, "a socket"),
        (lambda path: os.symlink("/dev/zero", path), "a device"),
        (os.mkdir, "a folder"),
    ):
        path = "a.hea" if name == "a" else name
        make(path)
        assert _refusal(Path(name), sampling_rate=250).startswith(f"no regular file: {path} is {kind}")
        Path(path).rmdir() if kind == "a folder" else Path(path).unlink()
    fake.write_wfdb(tmp_path / "b.dat", WAVE, 250)
    for form in ("16", "212"):
        (tmp_path / "b.hea").write_text((tmp_path / "b.hea").read_text().replace(" 16 1000", f" {form} 1000"))
        (tmp_path / "b.dat").unlink()
        os.mkfifo("b.dat")
        assert _refusal(Path("b")).startswith("no regular file: ")


def test_a_name_that_is_not_utf_8_is_read_and_written_as_text(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    np.save(folder / "b.npy", WAVE)
    assert read_record(folder / "b.npy", sampling_rate=250).record_id == "b"
    fake.write_wfdb(folder / "a.dat", WAVE, 250)
    strange = os.fsdecode(os.fsencode(folder) + b"/\xff")
    (folder / "a.hea").rename(strange + ".hea")
    assert read_record(strange).record_id == "\\xff"
    (folder / "a.dat").unlink()
    message = _refusal(Path(strange))
    assert "caf\\xe9" in message and message.encode()


@pytest.mark.parametrize(
    "name",
    ["../a.dat", "/etc/passwd", "sub/../../a.dat", "C:\\a.dat", "..\\a.dat", "\\\\server\\a.dat", "s3://b/a.dat"],
)
def test_a_header_names_no_file_outside_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    fake.write_wfdb(tmp_path / "a.dat", WAVE, 250)
    header = (tmp_path / "a.hea").read_text()
    for form in ("16", "212"):
        (folder / "a.hea").write_text(header.replace("a.dat 16", f"{name} {form}"))
        assert _refusal(folder / "a").startswith("path outside the folder: ")
    (folder / "a.hea").write_text(f"a/2 12 250 2000\n{name.removesuffix('.dat')} 1000\nb 1000\n")
    assert _refusal(folder / "a").startswith("path outside the folder: ")


def test_a_header_may_name_files_below_and_links_of_the_file_system_are_followed(tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    fake.write_wfdb(tmp_path / "a.dat", WAVE, 250)
    (tmp_path / "in" / "sub" / "a.dat").symlink_to(tmp_path / "a.dat")
    (tmp_path / "in" / "a.hea").write_text((tmp_path / "a.hea").read_text().replace("a.dat", "sub/a.dat"))
    assert read_record(tmp_path / "in" / "a").quality == ()
    assert inside("a..b.dat") == "a..b.dat"


def test_hdf5_files_lead_to_no_other_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["ecg"] = WAVE
    raw = tmp_path / "raw.bin"
    raw.write_bytes(WAVE.tobytes())
    layout = h5py.VirtualLayout(WAVE.shape, "f4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "ecg", WAVE.shape)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("other.h5", "ecg")
        file["group"] = h5py.ExternalLink("other.h5", "/")
        file["soft"] = h5py.SoftLink("/group/ecg")
        file["loop"] = h5py.SoftLink("/loop")
        file["mine"], file["alias"] = WAVE, h5py.SoftLink("/mine")
        file["outside/raw"] = 0
    for dataset in ("linked", "group/ecg", "soft"):
        message = _refusal(tmp_path / "a.h5", sampling_rate=250, dataset=dataset)
        assert message.startswith("path outside the folder: ") and "other.h5" in message
    assert _refusal(tmp_path / "a.h5", sampling_rate=250, dataset="loop").startswith("no signal")
    for dataset in (None, "mine", "alias"):
        np.testing.assert_array_equal(read_record(tmp_path / "a.h5", sampling_rate=250, dataset=dataset).signal, WAVE)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("ecg", WAVE.shape, "f4", external=[(str(raw), 0, WAVE.nbytes)])
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_virtual_dataset("ecg", layout)
    for name in ("b.h5", "c.h5"):
        assert _refusal(tmp_path / name, sampling_rate=250).startswith("path outside the folder: ")


def test_text_of_any_encoding() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        assert decoded("V1 (µV)\nMüller".encode(encoding)) == "V1 (µV)\nMüller"


def test_names_in_capitals(tmp_path: Path) -> None:
    fake.write_wfdb(tmp_path / "A.dat", WAVE, 250)
    (tmp_path / "A.dat").rename(tmp_path / "A.DAT")
    (tmp_path / "A.hea").rename(tmp_path / "A.HEA")
    for name in ("A", "A.HEA", "A.DAT", "A.hea"):
        record = read_record(tmp_path / name)
        assert (record.record_id, record.quality, len(record.signal)) == ("A", (), len(LEADS))


def test_a_path_is_written_on_one_line_and_moves_no_cursor() -> None:
    assert readable("a/\x1b[2Jb\nc\td\x9b.dcm") == r"a/\x1b[2Jb\nc\td\x9b.dcm"
    assert readable(os.fsdecode(b"Fr\xc3\xa4nzi\xff.xml")) == r"Fränzi\xff.xml"
    assert readable("Ordner mit Leerzeichen/EKG 1.xml") == "Ordner mit Leerzeichen/EKG 1.xml"
