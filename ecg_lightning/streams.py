"""Standard output and error that never end a training: their reader may go away, and their encoding may lack a letter."""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Lasting(io.FileIO):
    """One of the standard streams; what can no longer be written is dropped, and `lost` says why.

    Args:
        descriptor: 1 or 2.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.lost: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes, or drops; returns how many bytes are done with."""
        try:
            return super().write(data) or 0
        except BlockingIOError:  # a full pipe that does not wait: the buffer tries again
            raise
        except OSError as error:
            if error.errno != errno.EPIPE:  # `… | head` has read what it wanted
                self.lost = error
            return memoryview(data).nbytes


def open_streams() -> list[Lasting]:
    """Puts streams that last in the places of stdout and stderr.

    A descriptor that was closed before the program began is opened on nothing: else the next file that is opened, a
    checkpoint perhaps, would get its number, and what is printed.

    Returns:
        What lies under stdout, then under stderr.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # the lowest number that is free is this one
            os.open(os.devnull, os.O_RDWR)
    (sys.stdout, out), (sys.stderr, err) = _opened(1, sys.stdout), _opened(2, sys.stderr)
    return [out, err]


def _opened(descriptor: int, before: TextIO | None) -> tuple[TextIO, Lasting]:
    if before is not None:
        before.flush()
    raw = Lasting(descriptor)
    encoding = "utf-8" if before is None else before.encoding
    text = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",  # a letter that the encoding lacks is written as its number
        line_buffering=descriptor == 2 or raw.isatty(),
    )
    return text, raw
