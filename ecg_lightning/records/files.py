"""Opening the files of a recording: only regular files of a plausible size; their text in any encoding."""

import codecs
import os
import re
import stat
from pathlib import Path

from ecg_lightning.records.record import RecordError, readable

MOST_NUMBERS = 1 << 28
"""Samples of all leads together, up to which a recording is read: a day of twelve leads at 250 Hz, 1 GB as float32."""
_MOST_BYTES = 0x7FFFF000  # what the system reads at once, 2 GB
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_bytes(path: str | Path, stop: int | None = None, *, most: int = _MOST_BYTES) -> tuple[bytes, int]:
    """Reads a regular file.

    Args:
        path: the file.
        stop: bytes to read; all by default.
        most: bytes; a larger file is refused.

    Returns:
        The bytes, and the size of the whole file.

    Raises:
        RecordError: "no such file", "no regular file", "too large".
    """
    size = size_of(path)
    count = size if stop is None else min(size, stop)
    _check_size(count, most, path)
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(count), size
    except OSError as error:
        raise RecordError(f"no such file: {readable(path)} ({error.strerror or error})") from error


def size_of(path: str | Path) -> int:
    """The size in bytes of a regular file, which is not opened: to open a pipe that nobody writes to would wait for ever.

    Raises:
        RecordError: "no such file", "no regular file".
    """
    try:
        state = os.stat(path)
    except OSError as error:
        detail = "" if isinstance(error, FileNotFoundError) else f" ({error.strerror or error})"
        raise RecordError(f"no such file: {readable(path)}{detail}") from error
    except ValueError as error:  # a NUL in the name
        raise RecordError(f"no such file: {readable(path)!r} ({error})") from error
    if not stat.S_ISREG(state.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(state.st_mode)), "no file")
        raise RecordError(f"no regular file: {readable(path)} is {kind}")
    return state.st_size


def check_file(path: str | Path, most: int = _MOST_BYTES) -> None:
    """Raises `RecordError` where a file is missing, not a regular one, or larger than `most` bytes."""
    _check_size(size_of(path), most, path)


def check_numbers(count: int, container: str) -> None:
    """Raises `RecordError` where a file claims to hold more numbers than a recording can have.

    Args:
        count: of numbers that it claims to hold.
        container: what claims it, such as "the array 'ecg'".
    """
    if count > MOST_NUMBERS:
        raise RecordError(
            f"too large: {container} claims to hold {count:.3g} numbers; up to {MOST_NUMBERS:.3g} are read at once, a day of "
            "twelve leads at 250 Hz"
        )


def inside(name: str) -> str:
    """Checks the name of a file that a header gives: it must be in the folder of the recording or below it.

    Raises:
        RecordError: "path outside the folder", for an absolute path or one with `..`, also as Windows writes paths.
    """
    parts = re.split(r"[/\\]", name)
    if ".." in parts or parts[0] == "" or re.match(r"[A-Za-z]:|\w+://", name):
        raise RecordError(
            f"path outside the folder: '{readable(name)}'; a file may only name files in its own folder or below"
        )
    return name


def _check_size(size: int, most: int, path: str | Path) -> None:
    if size > most:
        raise RecordError(f"too large: {readable(path)} has {size / 1e9:.3g} GB; up to {most / 1e9:.3g} GB are read")


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8 or UTF-16 by its byte-order mark, UTF-8 without one, else Windows' (a µ or an ü)."""
    try:
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8")
    except UnicodeDecodeError:
        text = data.removeprefix(codecs.BOM_UTF8).decode("cp1252", errors="replace")
    return text.lstrip("\ufeff")


def any_case(path: str | Path) -> str:
    """The path of a file, in the case that exists: copies from old systems have `A.DAT` for `A.dat`."""
    text = os.fspath(path)
    if os.path.exists(text):
        return text
    folder, name = os.path.split(text)
    stem, suffix = os.path.splitext(name)
    names = (stem + suffix.upper(), stem + suffix.lower(), name.upper(), name.lower())
    candidates = (os.path.join(folder, candidate) for candidate in names)
    return next((candidate for candidate in candidates if os.path.exists(candidate)), text)
