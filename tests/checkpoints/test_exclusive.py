"""A published name is never overwritten, and what has one is whole: two writers at once, and writers that are killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from checkpoints.servers import BUCKET, S3, SSH
from ecg_lightning.checkpoints.exclusive import write_new
from ecg_lightning.checkpoints.places import published
from ecg_lightning.checkpoints.storage import read_bytes
from ecg_lightning.errors import UserError

NO_LINKS = """
def refuse(*arguments, **options):
    raise PermissionError(1, "Operation not permitted")
os.link = refuse
"""
AFTER_LOOKING = "exclusive.exists = held(exclusive.exists)"
BEFORE_THE_NAME = "os.fsync = held(os.fsync)"
BEFORE_THE_RENAME = "import paramiko; paramiko.SFTPClient.putfo = held(paramiko.SFTPClient.putfo)"
IN_THE_MIDDLE = "import paramiko; paramiko.SFTPFile.write = held(paramiko.SFTPFile.write)"
BEFORE_THE_LAST_REQUEST = """
import s3fs
plain = s3fs.S3FileSystem._call_s3
async def call(self, method, *arguments, **options):
    if method == "complete_multipart_upload":
        hold()
    return await plain(self, method, *arguments, **options)
s3fs.S3FileSystem._call_s3 = call
"""
WRITER = """
import os, sys
from ecg_lightning.checkpoints import exclusive
from ecg_lightning.errors import UserError

def hold():
    print("held", flush=True)
    sys.stdin.readline()

def held(function):
    def call(*arguments, **options):
        result = function(*arguments, **options)
        hold()
        return result
    return call

{change}
try:
    exclusive.write_new(sys.argv[1], sys.argv[2].encode() * int(sys.argv[3]))
    print("written")
except FileExistsError:
    print("taken")
"""


class Writer:
    """A process that writes a file of one letter, and waits where a change of the code makes it wait."""

    def __init__(self, url: str, letter: str, change: str, size: int = 300_000) -> None:
        code = WRITER.replace("{change}", change)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, url, letter, str(size)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "held\n", self.process.communicate()

    def go_on(self) -> str:
        """Lets it end; returns what became of it."""
        output, errors = self.process.communicate("\n" * 100)
        assert self.process.returncode == 0, errors
        return output.split()[-1]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place for checkpoints: a folder, or one on a server."""
    if request.param == "s3":
        server: S3 = request.getfixturevalue("s3_server")
        server.use(monkeypatch)
        return f"s3://{BUCKET}/{tmp_path.name}"
    if request.param == "sftp":
        ssh: SSH = request.getfixturevalue("ssh_server")
        ssh.use(monkeypatch)
        return f"{ssh.url}/{tmp_path.name}"
    return str(tmp_path / "places")


def folder_of(place: str) -> Path:
    """Where a place's files lie on this machine."""
    return Path("/" + place.split("/", 3)[3] if "://" in place else place)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("folder", BEFORE_THE_NAME),
        ("folder", BEFORE_THE_NAME + NO_LINKS),
        ("s3", AFTER_LOOKING),
        ("sftp", AFTER_LOOKING),
        ("sftp", BEFORE_THE_RENAME),
    ],
    indirect=["place"],
    ids=["link", "no links", "s3", "sftp looked", "sftp sent"],
)
def test_of_two_who_publish_one_name_one_wins_and_the_other_is_told(place: str, change: str) -> None:
    url = f"{place}/net.safetensors"
    first, second = Writer(url, "a", change), Writer(url, "b", change)
    assert published(place) == []
    assert [second.go_on(), first.go_on()] == ["written", "taken"]
    assert read_bytes(url) == b"b" * 300_000
    assert published(place) == ["net"]
    if not place.startswith("s3"):
        assert [path.name for path in folder_of(place).iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_an_upload_in_parts_does_not_overwrite_either(place: str) -> None:
    url = f"{place}/net.safetensors"
    slow = Writer(url, "a", BEFORE_THE_LAST_REQUEST, size=2 * 50 * 2**20)
    assert published(place) == []
    write_new(url, b"quick")
    assert slow.go_on() == "taken"
    assert read_bytes(url) == b"quick"


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("folder", BEFORE_THE_NAME),
        ("folder", BEFORE_THE_NAME + NO_LINKS),
        ("s3", AFTER_LOOKING),
        ("sftp", IN_THE_MIDDLE),
    ],
    indirect=["place"],
    ids=["link", "no links", "s3", "sftp"],
)
def test_a_writer_that_is_killed_leaves_nothing_under_the_name(place: str, change: str) -> None:
    url = f"{place}/net.safetensors"
    Writer(url, "a", change).kill()
    assert published(place) == []
    write_new(url, b"whole")
    assert read_bytes(url) == b"whole"
    assert published(place) == ["net"]


@pytest.mark.parametrize("place", ["folder", "sftp"], indirect=True)
def test_what_killed_writers_left_is_removed_when_it_is_old(place: str) -> None:
    write_new(f"{place}/one.safetensors", b"1")
    folder, two_days_ago = folder_of(place), time.time() - 2 * 86_400
    old = [f".ecg-{'0' * 32}.part", ".net.safetensors.claim"]
    other_files = [f".ecg-{'1' * 32}.part", ".hidden", "notes.part"]
    for name in [*old, *other_files]:
        (folder / name).write_bytes(b"half")
        if name != other_files[0]:  # which somebody is writing now
            os.utime(folder / name, (two_days_ago, two_days_ago))
    write_new(f"{place}/two.safetensors", b"2")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*other_files, "one.safetensors", "two.safetensors"]
    )
    assert published(place) == ["one", "two"]


def test_without_links_a_claim_keeps_others_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", no_links)
    write_new(str(tmp_path / "one.safetensors"), b"1")
    (tmp_path / ".two.safetensors.claim").touch()
    with pytest.raises(UserError, match=r"is being written by somebody else just now.*remove .*two.safetensors.claim"):
        write_new(str(tmp_path / "two.safetensors"), b"2")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".two.safetensors.claim", "one.safetensors"]


def test_a_name_that_is_a_broken_link_is_taken(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_new(str(tmp_path / "net.safetensors"), b"1")
    assert not (tmp_path / "elsewhere").exists()


def test_any_other_file_system_is_asked_beforehand() -> None:
    write_new("memory://exclusive/net.safetensors", b"1")
    with pytest.raises(FileExistsError):
        write_new("memory://exclusive/net.safetensors", b"2")
    assert read_bytes("memory://exclusive/net.safetensors") == b"1"
