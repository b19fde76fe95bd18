"""Unpacking of zip and tar archives from outside: nothing is written outside the folder, and no link is made."""

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import IO

from ecg_lightning.download.paths import STATE, is_safe
from ecg_lightning.download.transfer import RemoteFile, TransferError, TransferStopped, is_correct, part_of
from ecg_lightning.files import read_json, write_json

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_Member = tuple[str, int, Callable[[], IO[bytes] | None]]


def is_unpacked(root: Path, file: RemoteFile) -> bool:
    """Says whether an archive of exactly this checksum was unpacked here and all that was in it is there in full length."""
    try:
        note = read_json(_note(root, file))
        return note["checksum"] == file.checksum and all(
            (root / name).stat().st_size == size for name, size in note["members"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def unpack(root: Path, file: RemoteFile, stop: Event) -> None:
    """Unpacks a fetched and verified archive beside itself, notes what was in it, and deletes it.

    Raises:
        TransferError: it is damaged, larger than the free disk, or holds a link or a path that leads outside.
        TransferStopped: `stop` was set; the archive stays, and is unpacked again the next time.
        OSError: something cannot be written.
    """
    packed = root / file.path
    try:
        with _members(packed) as members:
            _check(packed, members)
            for name, _, open_member in members:
                _write(packed.parent / name, open_member, stop)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError) as error:
        raise TransferError(f"it cannot be unpacked: {error}") from error
    folder = packed.parent.relative_to(root)
    note = {"checksum": file.checksum, "members": {(folder / name).as_posix(): size for name, size, _ in members}}
    write_json(_note(root, file), note)
    packed.unlink()


def _note(root: Path, file: RemoteFile) -> Path:
    return root / STATE / (file.path.replace("/", "_") + ".json")


def _check(packed: Path, members: list[_Member]) -> None:
    for name, _, _ in members:
        if not is_safe(name):
            raise TransferError(f"it holds a path that leads outside: {name!r}; nothing of it was unpacked")
    total, free = sum(size for _, size, _ in members), shutil.disk_usage(packed.parent).free
    if total > free:
        raise TransferError(f"it unpacks to {total / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; it is kept packed")


@contextmanager
def _members(packed: Path) -> Iterator[list[_Member]]:
    """Opens the regular files in an archive: name, bytes, and how to open each."""
    if zipfile.is_zipfile(packed):
        with zipfile.ZipFile(packed) as archive:
            yield [_zip_member(archive, info) for info in archive.infolist() if not info.is_dir()]
    else:  # the compression is found from the content: SPH's records.tar.gz is in truth a plain tar
        with tarfile.open(packed) as tar:
            yield [_tar_member(tar, info) for info in tar if not info.isdir()]


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    if stat.S_ISLNK(info.external_attr >> 16) or info.flag_bits & 1:
        raise TransferError(f"it holds a link or an encrypted file: {info.filename!r}; nothing of it was unpacked")
    return info.filename, info.file_size, lambda: archive.open(info)


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    if not info.isreg():
        raise TransferError(f"it holds a link or a device: {info.name!r}; nothing of it was unpacked")
    return info.name, info.size, lambda: archive.extractfile(info)


def _write(target: Path, open_member: Callable[[], IO[bytes] | None], stop: Event) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target)
    source = open_member()
    assert source is not None  # links and folders, for which tarfile has no stream, were refused
    with source, part.open("wb") as stream:
        while piece := source.read(1 << 20):
            stream.write(piece)
            if stop.is_set():
                raise TransferStopped
    os.replace(part, target)


def is_ready(root: Path, file: RemoteFile, unpacks: bool) -> bool:
    """Says whether nothing remains to be done for a file: it is there and correct, or was unpacked."""
    if unpacks and file.path.endswith(SUFFIXES):
        unpacked = is_unpacked(root, file)
        if unpacked:  # a process killed at the very end leaves the archive beside its content
            (root / file.path).unlink(missing_ok=True)
        return unpacked
    return is_correct(root / file.path, file)
