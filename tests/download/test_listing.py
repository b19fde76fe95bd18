import hashlib
import json
from pathlib import Path

import pytest

from download.archive_server import ArchiveServer
from ecg_lightning.download import PublicArchive, download
from ecg_lightning.download.catalogue import Kind
from ecg_lightning.download.space import bytes_needed
from ecg_lightning.download.transfer import RemoteFile
from ecg_lightning.errors import UserError

CHALLENGE = {
    path: path.encode()
    for path in (
        "LICENSE.txt",
        "training/georgia/g1/E00001.hea",
        "training/georgia/g2/E01001.mat",
        "training/cpsc_2018/g1/A0001.hea",
        "training/cpsc_2018_extra/g1/Q0001.hea",
        "training/chapman_shaoxing/g1/JS00001.hea",
        "training/ningbo/g1/JS10647.hea",
        "training/ptb/g1/S0001.hea",
        "training/ptb-xl/g1/HR00001.hea",
        "training/st_petersburg_incart/g1/I0001.hea",
    )
}


def files_below(root: Path) -> set[str]:
    files = (path for path in root.rglob("*") if path.is_file() and ".download" not in path.parts)
    return {path.relative_to(root).as_posix() for path in files}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("georgia", {"g1/E00001.hea", "g2/E01001.mat"}),
        ("cpsc2018", {"g1/A0001.hea"}),
        ("cpsc_extra", {"g1/Q0001.hea"}),
        ("chapman_ningbo", {"chapman_shaoxing/g1/JS00001.hea", "ningbo/g1/JS10647.hea"}),
        ("ptbdb", {"g1/S0001.hea"}),
        ("incart", {"g1/I0001.hea"}),
    ],
)
def test_a_source_takes_its_own_folders_of_the_challenge(
    server: ArchiveServer, tmp_path: Path, source: str, expected: set[str]
) -> None:
    server.physionet(CHALLENGE)
    download(source, tmp_path, base_url=server.url, progress=False)
    assert files_below(tmp_path) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"RECORDS", "ptbxl_database.csv", "records100/00000/1_lr.dat", "records500/00000/1_hr.dat"}),
        ({"exclude": ["records500"]}, {"RECORDS", "ptbxl_database.csv", "records100/00000/1_lr.dat"}),
        ({"include": ["*.csv", "records500/*"]}, {"ptbxl_database.csv", "records500/00000/1_hr.dat"}),
    ],
)
def test_patterns_choose_files(
    server: ArchiveServer, tmp_path: Path, options: dict[str, list[str]], expected: set[str]
) -> None:
    paths = ("RECORDS", "ptbxl_database.csv", "records100/00000/1_lr.dat", "records500/00000/1_hr.dat")
    server.physionet({path: path.encode() for path in paths})
    download("ptbxl", tmp_path, base_url=server.url.rstrip("/"), progress=False, **options)
    assert files_below(tmp_path) == expected


def test_patterns_that_choose_nothing_are_an_error(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet({"RECORDS": b""})
    with pytest.raises(UserError, match=r"No file of ptbxl is chosen by include=\['records50'\]"):
        download("ptbxl", tmp_path, base_url=server.url, progress=False, include=["records50"])


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil", ".download/lock"])
def test_a_list_that_leads_outside_is_refused_whole(server: ArchiveServer, tmp_path: Path, path: str) -> None:
    server.physionet({"RECORDS": b"", path: b"evil"})
    root = tmp_path / "inner" / "root"
    with pytest.raises(UserError, match="names a file outside the folder"):
        download("ludb", root, base_url=server.url, progress=False)
    assert files_below(tmp_path) == set()


@pytest.mark.parametrize(
    ("source", "address", "content", "message"),
    [
        ("ludb", "SHA256SUMS.txt", b"<html>Please log in</html>", "line 1 is '<html>Please log in</html>'"),
        ("ludb", "SHA256SUMS.txt", b"d41d8cd98f00b204e9800998ecf8427e RECORDS\n", "not a SHA-256 sum and a path"),
        ("ludb", "SHA256SUMS.txt", b"\xff\xfe", "not the expected list"),
        ("ludb", "SHA256SUMS.txt", b"", "lists no file of Lobachevsky"),
        ("georgia", "SHA256SUMS.txt", b"0" * 64 + b" LICENSE.txt\n", "lists no file of Georgia"),
        ("code15", "4916206", b"<html>", "not the expected list"),
        ("code15", "4916206", json.dumps({"message": "moved"}).encode(), "not the expected list of files"),
    ],
    ids=["login", "md5", "binary", "empty", "other_folders", "html", "no_files"],
)
def test_what_is_no_list_is_said(
    server: ArchiveServer, tmp_path: Path, source: str, address: str, content: bytes, message: str
) -> None:
    server.files[address] = content
    with pytest.raises(UserError, match=message):
        download(source, tmp_path, base_url=server.url, progress=False)


def test_the_form_of_sha256sum_in_binary_mode_is_read(server: ArchiveServer, tmp_path: Path) -> None:
    server.files = {
        "A b.txt": b"x",
        "SHA256SUMS.txt": f"{hashlib.sha256(b'x').hexdigest().upper()} *A b.txt\r\n".encode(),
    }
    download("ludb", tmp_path, base_url=server.url, progress=False)
    assert files_below(tmp_path) == {"A b.txt"}


def archive(kind: Kind, size_gb: dict[str, float]) -> PublicArchive:
    return PublicArchive(title="", kind=kind, url="", licence="", citation="", size_gb=size_gb)


def test_space_for_files_of_unstated_size_is_their_share(tmp_path: Path) -> None:
    physionet = archive(Kind.physionet, {"records500/*": 2.0, "*": 0.5})
    paths = ("records500/1", "records500/2", "records500/3", "records500/4", "RECORDS")
    files = [RemoteFile("", path, "sha256", "") for path in paths]
    assert bytes_needed(physionet, files, files, tmp_path, 8) == 2.5e9
    assert bytes_needed(physionet, files, files[3:], tmp_path, 8) == 1.0e9  # a quarter of 2.0, and 0.5
    (tmp_path / "RECORDS.part").write_bytes(b"12345")
    assert bytes_needed(physionet, files, files[3:], tmp_path, 8) == 1.0e9 - 5


def test_space_for_zips_is_their_content_and_the_zips_at_work(tmp_path: Path) -> None:
    zenodo = archive(Kind.zenodo, {"*": 7.0})  # 1 GB of table and two zips of 2 GB that unpack to 6 GB
    sizes = {"exams.csv": 10**9, "a.zip": 2 * 10**9, "b.zip": 2 * 10**9}
    files = [RemoteFile("", path, "md5", "", size) for path, size in sizes.items()]
    assert bytes_needed(zenodo, files, files, tmp_path, workers=1) == 9.0e9
    assert bytes_needed(zenodo, files, files, tmp_path, workers=8) == 11.0e9
    assert bytes_needed(zenodo, files, files[2:], tmp_path, workers=8) == 5.0e9
    assert bytes_needed(zenodo, files, [], tmp_path, workers=8) == 0.0
