"""Small files: a reader sees the old file or the whole new one, even after a power cut; JSON is read up to a limit of size."""

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

LARGEST_JSON = 100_000_000
"""Bytes of a JSON file that is read; the longest of a study has some MB."""
_STALE = 3600.0
"""Seconds after which an unfinished file must be that of a killed writer, since a text is written in a moment."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file so that a reader sees either the old file or the whole new one, whoever else writes it.

    Characters of a text that UTF-8 cannot express (of a file's name in another encoding) are escaped as JSON and Python do.
    """
    partial = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        write_durably(partial, content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace"))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
    _remove_stale(path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a mapping as JSON, in the way of `write_whole`."""
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object.

    Raises:
        ValueError: where it holds something else, is nested too deeply, or is too large.
        OSError: where it cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(LARGEST_JSON + 1)
    if len(text) > LARGEST_JSON:
        raise ValueError(f"it has more than {LARGEST_JSON:,} bytes")
    return parse_json(text)


def parse_json(text: bytes | str) -> dict[str, Any]:
    """Reads JSON that must be an object.

    Raises:
        ValueError: where it is not, or is nested too deeply.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if isinstance(content, dict):
        return content
    raise ValueError("it is not a JSON object")


def write_durably(path: Path, content: bytes) -> None:
    """Writes a file and waits until it is on the disk; an error says which file it was."""
    try:
        with path.open("wb") as file:
            file.write(content)
            sync(file)
    except OSError as error:
        if error.filename is None:  # as of a full disk
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def sync(file: IO[bytes]) -> None:
    """Waits until everything that was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the file system supports this."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _remove_stale(path: Path) -> None:
    """Removes the unfinished files of killed writers of this file; that of a living writer is younger."""
    name = re.compile(re.escape(path.name) + r"\.[0-9a-f]{32}\.part")
    for file in path.parent.iterdir():
        with suppress(OSError):  # another process has removed it, or only another user may remove it
            if name.fullmatch(file.name) and time.time() - file.stat().st_mtime > _STALE:
                file.unlink()
