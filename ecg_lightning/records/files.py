"""Opening the files of a recording: regular files alone, of a size that can be meant, and their text in any encoding."""

import codecs
import os
import stat
from pathlib import Path

from ecg_lightning.records.record import RecordError

MOST_NUMBERS = 1 << 28
"""Samples of all leads together, up to which a recording is read: a day of twelve leads at 250 Hz, 1 GB as float32."""
_MOST_BYTES = 8 * MOST_NUMBERS
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_bytes(path: str | Path, stop: int | None = None, *, most: int = _MOST_BYTES) -> tuple[bytes, int]:
    """Reads a regular file, and never waits for a pipe or a device.

    Args:
        path: the file.
        stop: bytes to read; all where not given.
        most: bytes, beyond which nothing is read.

    Returns:
        The bytes, and the size of the whole file.

    Raises:
        RecordError: "no such file", "no regular file", "too large".
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb", buffering=0) as file:
            size = _regular_size(os.fstat(descriptor), path)
            wanted = size if stop is None else min(size, stop)
            check_size(wanted, most, path)
            return file.read(wanted), size
    except OSError as error:
        raise RecordError(f"no such file: {readable(path)} ({error.strerror or error})") from error


def check_file(path: str | Path, most: int = _MOST_BYTES) -> None:
    """Raises `RecordError` where a file is missing, not a regular one, or larger than `most` bytes."""
    try:
        size = _regular_size(os.stat(path), path)
    except OSError as error:
        raise RecordError(f"no such file: {readable(path)} ({error.strerror or error})") from error
    except ValueError as error:  # a NUL in the name
        raise RecordError(f"no such file: {readable(path)!r} ({error})") from error
    check_size(size, most, path)


def check_numbers(count: int, what: str) -> None:
    """Raises `RecordError` where a file says of itself that it holds more samples than a recording can have."""
    if count > MOST_NUMBERS:
        raise RecordError(
            f"too large: {what} is said to hold {count:.3g} numbers; up to {MOST_NUMBERS:.3g} are read at once, a day of "
            "twelve leads at 250 Hz"
        )


def check_size(size: int, most: int, path: str | Path) -> None:
    """Raises `RecordError` where a file is larger than `most` bytes."""
    if size > most:
        raise RecordError(f"too large: {readable(path)} has {size / 1e9:.3g} GB; up to {most / 1e9:.3g} GB are read")


def _regular_size(state: os.stat_result, path: str | Path) -> int:
    if not stat.S_ISREG(state.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(state.st_mode)), "no file")
        raise RecordError(f"no regular file: {readable(path)} is {kind}")
    return state.st_size


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8 or UTF-16 by its byte-order mark, UTF-8 without one, else Latin-1 (a µ of Windows)."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.removeprefix(codecs.BOM_UTF8).decode("cp1252", errors="replace")


def readable(path: str | Path) -> str:
    r"""A path as text that can be written anywhere: bytes of its name that are not UTF-8 as ``\xe9``."""
    text = os.fspath(path)
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def any_case(path: str | Path) -> str:
    """A file, or the one whose name differs by its case alone: copies from old systems come as ``A.DAT`` for ``A.dat``."""
    text = os.fspath(path)
    if os.path.exists(text):
        return text
    folder, name = os.path.split(text)
    stem, suffix = os.path.splitext(name)
    names = (stem + suffix.upper(), stem + suffix.lower(), name.upper(), name.lower())
    others = (os.path.join(folder, other) for other in names)
    return next((other for other in others if os.path.exists(other)), text)
