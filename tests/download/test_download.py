import dataclasses
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from download.archive_server import ArchiveServer, corrupt, cut, drip, hang, other_range, status
from ecg_lightning.download import catalogue, download
from ecg_lightning.errors import UserError

CONTENT = random.Random(7)
FILES = {
    "RECORDS": b"data/1\ndata/2\n",
    "data/1.hea": b"1 12 500 5000\n",
    "data/1.dat": CONTENT.randbytes(300_000),
    "data/2 ü#.dat": CONTENT.randbytes(120_001),
    "empty.txt": b"",
}


def fetch(server: ArchiveServer, root: Path, source: str = "ludb", **options: object) -> None:
    download(source, root, base_url=server.url, workers=2, progress=False, **options)


def on_disk(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and ".download" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_everything_arrives_and_a_second_time_nothing_is_fetched(
    server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.physionet(FILES)
    fetch(server, tmp_path / "new" / "folder")
    assert on_disk(tmp_path / "new" / "folder") == FILES
    printed = capsys.readouterr().out
    assert "ODC-By 1.0" in printed and "Kalyakulina" in printed and "5 files" in printed
    fetch(server, tmp_path / "new" / "folder")
    assert all(server.requests[path] == 1 for path in FILES)


def test_a_file_that_changed_on_disk_is_the_only_one_fetched_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    fetch(server, tmp_path)
    (tmp_path / "data/1.dat").write_bytes(FILES["data/1.dat"][:-1] + b"?")
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES
    assert {path for path in FILES if server.requests[path] == 2} == {"data/1.dat"}


def test_cut_connections_are_resumed_without_a_byte_twice(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    server.faults["data/1.dat"] = [cut(100_000), cut(1), cut(0), cut(99_999), None]
    server.faults["SHA256SUMS.txt"] = [cut(50), None]
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES
    assert server.requests["data/1.dat"] == 5
    assert server.bytes_sent["data/1.dat"] == 300_000


def test_a_line_that_is_cut_again_and_again_is_no_failure_while_bytes_come(
    server: ArchiveServer, tmp_path: Path
) -> None:
    server.physionet(FILES)
    server.faults["data/1.dat"] = [cut(10_000)]  # 30 requests, far more than the tries of a silent server
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES


def test_without_ranges_a_cut_file_starts_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    server.ranges = False
    server.faults["data/1.dat"] = [cut(200_000), cut(100_000), None]
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES
    assert server.bytes_sent["data/1.dat"] == 600_000


def test_a_server_that_answers_with_another_range_is_asked_for_the_whole_file(
    server: ArchiveServer, tmp_path: Path
) -> None:
    server.physionet(FILES)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/1.dat.part").write_bytes(FILES["data/1.dat"][:1000])
    server.faults["data/1.dat"] = [other_range]
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES
    assert server.requests["data/1.dat"] == 2


def test_such_a_server_that_is_also_cut_off_is_left_in_the_end(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    server.faults["data/1.dat"] = [cut(1000), *[other_range, cut(1000)] * 20]
    with pytest.raises(UserError, match=r"data/1\.dat: no answer after 8 tries"):
        fetch(server, tmp_path)


def test_a_file_corrupt_once_is_healed(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    server.faults["data/1.dat"] = [corrupt, None]
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES


@pytest.mark.parametrize(
    ("fault", "reason", "requests"),
    [
        (corrupt, "sha256 checksum was wrong 3 times", 3),
        (status(404), "answered 404", 1),
        (status(403), "answered 403", 1),
        (status(503), "no answer after 8 tries; the last: the server answered 503 Service Unavailable", 8),
        (cut(0), "no answer after 8 tries", 8),
    ],
    ids=["corrupt", "404", "403", "503", "cut"],
)
def test_what_cannot_be_had_is_named_and_the_others_are_kept(
    server: ArchiveServer, tmp_path: Path, fault: object, reason: str, requests: int
) -> None:
    server.physionet(FILES)
    server.faults["data/1.dat"] = [fault]
    with pytest.raises(UserError, match=f"1 files of ludb .*\n  data/1.dat: .*{reason}.*\n.*Run the same command"):
        fetch(server, tmp_path)
    whole_files = {path: content for path, content in on_disk(tmp_path).items() if not path.endswith(".part")}
    assert whole_files == {path: content for path, content in FILES.items() if path != "data/1.dat"}
    assert server.requests["data/1.dat"] == requests
    server.faults.clear()
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES


def test_a_busy_server_is_asked_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    server.faults["data/1.dat"] = [status(503, Retry_After="0"), status(429), None]
    server.faults["SHA256SUMS.txt"] = [status(500), None]
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES


def test_a_busy_server_has_no_list(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    server.faults["SHA256SUMS.txt"] = [status(500)]
    with pytest.raises(
        UserError, match="no answer after 3 tries; the last: the server answered 500 Internal Server Error"
    ):
        fetch(server, tmp_path)


@pytest.mark.parametrize(
    "address", ["example.org/ludb", "https://", "ftp://example.org/", "http://[1", "https:/x.org/"]
)
def test_what_is_no_address_is_said_at_once(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match=r"base_url: .* is not an address"):
        download("ludb", tmp_path, base_url=address, progress=False)


def test_a_server_that_has_nothing_is_left_after_20_failures(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet({f"data/{i}.dat": b"x" for i in range(200)})
    server.files = {"SHA256SUMS.txt": server.files["SHA256SUMS.txt"]}
    with pytest.raises(UserError, match=r"20 files of ludb .* Stopped after 20 failures in a row(.|\n)*and 10 more"):
        fetch(server, tmp_path)


def test_a_checksum_list_of_another_archive_is_reported(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet({path: content + b"other" for path, content in FILES.items()})
    server.files |= FILES
    with pytest.raises(UserError, match="5 files of ludb could not be fetched"):
        fetch(server, tmp_path)
    assert on_disk(tmp_path) == {}


SCRIPT = """
import signal, sys
from pathlib import Path
from ecg_lightning.download import download
signal.signal(signal.SIGINT, signal.default_int_handler)  # even where the parent ignores it
download("ludb", Path(sys.argv[1]), base_url=sys.argv[2], workers=2, progress=False)
"""


def begin(server: ArchiveServer, root: Path, part: str, size: int) -> subprocess.Popen[str]:
    """A download in a process of its own, when so many bytes of one file are there."""
    command = [sys.executable, "-c", SCRIPT, str(root), server.url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 30
    while not ((root / part).is_file() and (root / part).stat().st_size >= size):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    return process


def test_after_a_kill_the_download_goes_on_and_no_byte_is_sent_twice(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    server.faults["data/1.dat"] = [hang(123_456), None]
    with begin(server, tmp_path, "data/1.dat.part", 123_456) as process:
        while server.bytes_sent["empty.txt"] == 0 and not (tmp_path / "empty.txt").is_file():
            time.sleep(0.01)
        process.kill()
    server.released.set()
    assert not (tmp_path / "data/1.dat").exists()
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES
    assert {path: server.bytes_sent[path] for path in FILES} == {path: len(content) for path, content in FILES.items()}


def test_ctrl_c_ends_soon_and_the_next_download_goes_on(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    server.faults["data/1.dat"] = [drip, None]
    with begin(server, tmp_path, "data/1.dat.part", 5) as process:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert process.returncode != 0 and "KeyboardInterrupt" in errors
    partial_size = (tmp_path / "data/1.dat.part").stat().st_size
    assert partial_size >= 5
    before = server.bytes_sent["data/1.dat"]
    fetch(server, tmp_path)
    assert on_disk(tmp_path) == FILES
    assert server.bytes_sent["data/1.dat"] - before == 300_000 - partial_size


def test_a_disk_too_small_is_refused_before_anything_is_fetched(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.physionet(FILES)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 40_000_000}))
    with pytest.raises(UserError, match=r"needs 0\.05 GB more in .*, and 0\.04 GB are free"):
        fetch(server, tmp_path)
    assert on_disk(tmp_path) == {} and set(server.requests) == {"SHA256SUMS.txt"}


def test_a_disk_that_fills_up_ends_the_download(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    server.physionet(FILES)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match=r"Cannot write to .*: the disk is full. Run again"):
        fetch(server, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Cannot write to .*file"):
        fetch(server, tmp_path / "file")


def test_two_downloads_into_one_folder_are_refused(server: ArchiveServer, tmp_path: Path) -> None:
    server.physionet(FILES)
    server.faults["data/1.dat"] = [hang(5), None]
    with begin(server, tmp_path, "data/1.dat.part", 5) as process:
        with pytest.raises(UserError, match="Another download is writing to"):
            fetch(server, tmp_path)
        process.kill()


def test_the_mirror_is_used_when_the_first_address_has_no_list(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.physionet(FILES)
    entry = dataclasses.replace(catalogue()["ludb"], url=server.url + "gone/", mirror=server.url)
    monkeypatch.setitem(catalogue(), "ludb", entry)
    download("ludb", tmp_path, progress=False)
    assert on_disk(tmp_path) == FILES
    monkeypatch.setitem(catalogue(), "ludb", dataclasses.replace(entry, mirror=""))
    with pytest.raises(UserError, match=r"list of files of Lobachevsky(.|\n)*gone/: the server answered 404"):
        download("ludb", tmp_path, progress=False)


def test_the_progress_bar_runs(server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.physionet(FILES)
    download("ludb", tmp_path, base_url=server.url)
    assert "fetching" in capsys.readouterr().err
