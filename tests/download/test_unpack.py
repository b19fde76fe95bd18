import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from download.archive_server import ArchiveServer, cut
from ecg_lightning.download import download
from ecg_lightning.errors import UserError

EXAMS = {"exams_part0.hdf5": b"tracings" * 10_000, "data/annotations/gold_standard.csv": b"1dAVb,RBBB\n"}


def zipped(members: dict[str, bytes], mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100000 if mode == 0o644 else 0) << 16 | mode << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def tarred(members: dict[str, bytes], kind: bytes = tarfile.REGTYPE, mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            info.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def files_below(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and ".download" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_zips_of_zenodo_are_unpacked_and_deleted_and_not_fetched_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.zenodo("4916206", {"exams.csv": b"exam_id\n", "exams_part0.zip": zipped(EXAMS)})
    server.faults["exams_part0.zip"] = [cut(50), None]
    download("code15", tmp_path, base_url=server.url, progress=False)
    assert files_below(tmp_path) == {"exams.csv": b"exam_id\n", **EXAMS}
    size = server.bytes_sent["exams_part0.zip"]
    download("code15", tmp_path, base_url=server.url, progress=False)
    assert server.bytes_sent["exams_part0.zip"] == size == len(server.files["exams_part0.zip"])


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_member_that_is_lost_or_short_brings_the_zip_again(
    server: ArchiveServer, tmp_path: Path, content: bytes | None
) -> None:
    server.zenodo("4916206", {"exams_part0.zip": zipped(EXAMS)})
    download("code15", tmp_path, base_url=server.url, progress=False)
    if content is None:
        (tmp_path / "exams_part0.hdf5").unlink()
    else:
        (tmp_path / "exams_part0.hdf5").write_bytes(content)
    download("code15", tmp_path, base_url=server.url, progress=False)
    assert files_below(tmp_path) == EXAMS


def test_a_verified_zip_that_was_not_unpacked_yet_is_not_fetched_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.zenodo("4916206", {"exams_part0.zip": zipped(EXAMS)})
    (tmp_path / "exams_part0.zip").write_bytes(server.files["exams_part0.zip"])
    download("code15", tmp_path, base_url=server.url, progress=False)
    assert files_below(tmp_path) == EXAMS and server.bytes_sent["exams_part0.zip"] == 0
    (tmp_path / "exams_part0.zip").write_bytes(b"left by a process killed just before it was deleted")
    download("code15", tmp_path, base_url=server.url, progress=False)
    assert files_below(tmp_path) == EXAMS and server.bytes_sent["exams_part0.zip"] == 0


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_the_records_of_sph_are_read_whether_compressed_or_not(
    server: ArchiveServer, tmp_path: Path, mode: str
) -> None:
    records = {"records/A00001.h5": b"\x89HDF", "records/A00002.h5": b"\x89HDF\r\n"}
    server.figshare("17912441", {"metadata.csv": b"ECG_ID\n"})
    server.figshare("17912444", {"records.tar.gz": tarred(records, mode=mode)})
    server.figshare("17912507", {"code.csv": b"Code\n"})
    server.figshare("19738468", {"rule.pdf": b"%PDF"})
    download("sph", tmp_path, base_url=server.url, progress=False)
    assert files_below(tmp_path) == {"metadata.csv": b"ECG_ID\n", "code.csv": b"Code\n", "rule.pdf": b"%PDF", **records}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.zip", zipped({"good": b"1", "../../evil": b"2"}), "holds a path that leads outside: '../../evil'"),
        ("a.zip", zipped({"/tmp/evil": b"2"}), "holds a path that leads outside"),
        ("a.zip", zipped({"evil": b"/etc/passwd"}, mode=0o120777), "holds a link"),
        ("a.zip", b"PK not a zip", "cannot be unpacked"),
        ("a.zip", zipped({"good": b"content" * 99})[:-40], "cannot be unpacked"),
        ("a.tar", tarred({"good": b"1", "../../evil": b"2"}), "holds a path that leads outside"),
        ("a.tar.gz", tarred({"evil": b""}, kind=tarfile.SYMTYPE), "holds a link"),
        ("a.tar.gz", tarred({"good": b"content" * 99}, mode="w:gz")[:-20], "cannot be unpacked"),
    ],
    ids=["zip_up", "zip_absolute", "zip_link", "zip_no_zip", "zip_cut", "tar_up", "tar_link", "tar_cut"],
)
def test_an_archive_that_is_damaged_or_leads_outside_is_reported_and_the_others_kept(
    server: ArchiveServer, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    root = tmp_path / "inner" / "root"
    server.zenodo("4916206", {"exams.csv": b"exam_id\n", name: content})
    with pytest.raises(UserError, match=f"1 files of code15 could not be fetched(.|\n)*  {name}: it {reason}"):
        download("code15", root, base_url=server.url, progress=False)
    assert set(files_below(tmp_path)) == {"inner/root/exams.csv", f"inner/root/{name}"}


def test_a_zip_that_unpacks_to_more_than_the_disk_holds_is_kept_packed(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = zipped({"zeros": bytes(5_000_000)})
    server.zenodo("3765780", {"data.zip": bomb})
    monkeypatch.setattr("ecg_lightning.download.space.bytes_needed", lambda *_: 0)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(UserError, match=r"data.zip: it unpacks to 0\.0 GB, and 0\.0 GB are free; it is kept packed"):
        download("code_test", tmp_path, base_url=server.url, progress=False)
    assert files_below(tmp_path) == {"data.zip": bomb}
