"""Standard output and error that never end a training, even where their reader has ended or their encoding lacks a letter."""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.progress import Progress


class TolerantStream(io.FileIO):
    """A standard stream that drops what it can no longer write; `write_error` then says why.

    Args:
        descriptor: 1 (stdout) or 2 (stderr).
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.write_error: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes the bytes or drops them; returns how many bytes need not be written again."""
        try:
            return super().write(data) or 0
        except BlockingIOError:  # the pipe is full and does not block: the buffer tries again
            raise
        except OSError as error:
            if error.errno != errno.EPIPE:  # EPIPE: the reader, such as `head`, has ended
                self.write_error = error
            return memoryview(data).nbytes


def open_streams() -> list[TolerantStream]:
    """Replaces stdout and stderr by streams that never fail.

    A descriptor that was closed before the program began is opened on the null device. Otherwise the next file that is
    opened, for example a checkpoint, would get its number, and would receive the printed text.

    Returns:
        The stream below stdout, and the stream below stderr.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # os.open takes the lowest free number, which is this one
            os.open(os.devnull, os.O_RDWR)
    (sys.stdout, out), (sys.stderr, err) = _text_stream(1, sys.stdout), _text_stream(2, sys.stderr)
    return [out, err]


def _text_stream(descriptor: int, replaced: TextIO | None) -> tuple[TextIO, TolerantStream]:
    """Returns the text stream that replaces another one, and the byte stream below it."""
    if replaced is not None:
        replaced.flush()
    raw = TolerantStream(descriptor)
    encoding = "utf-8" if replaced is None else replaced.encoding
    text = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",  # a letter that the encoding lacks is written as its number
        line_buffering=descriptor == 2 or raw.isatty(),
    )
    return text, raw


def progress_bar(shown: bool = True) -> "Progress":
    """Makes the bar, on stderr, of work that is counted; in a file or a pipe nothing of it stays."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=not sys.stderr.isatty(), disable=not shown)
