"""Writing a file under a name that nobody has: whole or not at all, and never over another."""

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from ecg_lightning.checkpoints.addresses import HUB, SFTP, check_arrived, protocol_of, shown
from ecg_lightning.checkpoints.storage import exists, explained, filesystem_of
from ecg_lightning.errors import UserError, one_line
from ecg_lightning.files import sync_folder, write_durably

LEFTOVER = re.compile(r"\.ecg-[0-9a-f]{32}\.part|\..+\.claim")
"""What a writer that was killed leaves beside the files."""
DAY = 86_400
"""Seconds, after which a leftover is nobody's any more."""


def write_new(url: str, content: bytes, beside: Mapping[str, bytes] | None = None) -> None:
    """Writes a file that must not exist; a reader sees nothing or the whole.

    What arrived is read again and compared by its SHA-256; on folders and over SFTP before it gets its name.

    ================  ==================================================================================================
    a folder          a temporary file that then gets a second name, by a link; the system refuses a name that is taken.
                      Without links (exFAT, many FUSE mounts) a claim, of which there can be one, and a rename.
    SFTP              a temporary file and SFTP's plain rename, which refuses a name that is taken.
    S3, GCS, Azure    a put on the condition that there is no such object, multipart ones too. A server that speaks S3
                      but does not know the condition is asked beforehand, and two at the same moment could overwrite.
    Hugging Face Hub  a commit that names the commit before it, and is refused where there is another since.
    any other         is asked beforehand, and two at the same moment could overwrite; whether a reader can see half a
                      file is the service's matter.
    ================  ==================================================================================================

    Args:
        url: a path or URL.
        content: of the file.
        beside: small files that belong to it, by their URLs, and are written after it, on the Hub with it. One that is there
            is what remained of another file of this name, and is replaced.

    Raises:
        FileExistsError: where the name is taken.
        UserError: where it cannot be written.
    """
    from fsspec.implementations.local import LocalFileSystem

    filesystem, path = filesystem_of(url)
    if isinstance(filesystem, LocalFileSystem):
        _write_local(Path(path), content)
        _write_beside(beside or {})
        return
    try:
        with explained(url):
            if exists(filesystem, path):
                raise FileExistsError(url)
            if protocol_of(url) in SFTP:
                folder = str(PurePosixPath(path).parent)
                _clean(filesystem, folder)
                filesystem.write_new(path, content, f"{folder}/{_partial_name()}")
            elif protocol_of(url) == HUB:
                filesystem.write_new(
                    path, content, {filesystem_of(name)[1]: text for name, text in (beside or {}).items()}
                )
                _check(filesystem, path, content, url)
            else:
                filesystem.pipe_file(path, content, mode="create")
                _check(filesystem, path, content, url)
    except FileNotFoundError as error:
        raise UserError(
            f"{shown(url)} cannot be written: its folder or bucket is not there. Create it first."
        ) from error
    if protocol_of(url) != HUB:
        _write_beside(beside or {})


def _check(filesystem: Any, path: str, content: bytes, url: str) -> None:
    """Compares what arrived with what was sent; what differs was written by us a moment ago, and is removed."""
    try:
        check_arrived(filesystem.cat_file(path), content, url)
    except UserError:
        filesystem.rm_file(path)
        raise


def _write_beside(files: Mapping[str, bytes]) -> None:
    """Writes what lies beside a file that is whole by now; where that fails, a line on stderr says so."""
    for url, content in files.items():
        try:
            filesystem, path = filesystem_of(url)
            with explained(url):
                if exists(filesystem, path):
                    filesystem.rm_file(path)
            write_new(url, content)
        except (UserError, OSError) as error:
            print(f"The file is published, but {shown(url)} beside it is not: {one_line(error)}.", file=sys.stderr)


def _write_local(path: Path, content: bytes) -> None:
    if os.path.lexists(path):
        raise FileExistsError(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean(filesystem_of(str(path.parent))[0], str(path.parent))
    partial = path.with_name(_partial_name())
    try:
        write_durably(partial, content)
        check_arrived(partial.read_bytes(), content, str(path))
        try:
            os.link(partial, path)
        except FileExistsError:
            raise
        except OSError:  # no links here; what else may be wrong is wrong for a rename too
            with _claimed(path):
                if os.path.lexists(path):
                    raise FileExistsError(path) from None
                partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Holds the one claim that there can be on a name."""
    claim = path.with_name(f".{path.name}.claim")
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        raise UserError(
            f"{path} is being written by somebody else just now. Look again in a moment; if nobody is writing, "
            f"remove {claim}, which a writer that was killed left there."
        ) from None
    try:
        yield
    finally:
        claim.unlink(missing_ok=True)


def _partial_name() -> str:
    return f".ecg-{uuid4().hex}.part"


def _clean(filesystem: Any, folder: str) -> None:
    """Removes what writers that were killed left in a folder more than a day ago; what may not be removed stays."""
    with suppress(OSError):
        for entry in filesystem.ls(folder, detail=True):
            changed = entry["mtime"]
            age = time.time() - (changed.timestamp() if isinstance(changed, datetime) else changed)
            if LEFTOVER.fullmatch(PurePosixPath(entry["name"]).name) and age > DAY:
                filesystem.rm_file(entry["name"])
