"""A source's files while it is packed: which were there at the beginning, and whether an error means that one has gone.

A recording that was missing or broken from the start is set aside. A recording whose file was there and cannot be read now,
since the disk or the network fails, must end the job: otherwise the store would lack it for ever.
"""

import errno
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ecg_lightning.errors import UserError

ABSENT = "absent"
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_TROUBLE = {
    errno.EIO, errno.ESTALE, errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EBUSY,
    errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN,
    errno.ENETUNREACH, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOLCK,
}  # fmt: skip
"""Errors of a machine or a network; what a broken file causes has other numbers, or none."""


def look_at(files: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
    """Returns size and time of every file, or `absent`.

    Raises:
        UserError: where the disk or the network fails.
    """
    states = {}
    for file in files:
        path = os.fspath(file)
        try:
            stat = os.stat(path)
            states[path] = f"{stat.st_size}:{stat.st_mtime_ns}"
        except OSError as error:
            if error.errno in _TROUBLE:
                raise UserError(f"{path} cannot be looked at ({error.strerror}). Run the command again.") from error
            states[path] = ABSENT
    return states


@dataclass(frozen=True)
class SourceFiles:
    """The files that were there when packing began, as a list on the disk.

    The list of a large archive is too large to be sent to a worker with every part. A worker reads it where a file is missing.

    Attributes:
        path: the list.
    """

    path: Path

    def write(self, files: Iterable[str]) -> None:
        """Writes the list."""
        self.path.write_bytes(b"\0".join(os.fsencode(os.path.normpath(file)) for file in files))
        _read.cache_clear()  # the list may replace one of the same path

    def check_lost(self, error: BaseException, file: str) -> None:
        """Ends the job where a recording could not be read for a reason that does not lie in its file.

        Args:
            error: the exception of its reader.
            file: the recording's file, for the message.

        Raises:
            UserError: which file it is, and how to go on.
        """
        cause: BaseException | None = error
        while cause is not None:
            reason = "memory ran out" if isinstance(cause, MemoryError) else self._trouble(cause)
            if reason:
                raise UserError(
                    f"{file} was there and cannot be read now: {reason}. Run the command again: it goes on from the finished "
                    "parts (with data.pack_workers=1 it needs least memory). If only this one file fails, remove it; then "
                    "its recording is set aside."
                ) from error
            cause = cause.__cause__ or cause.__context__

    def _trouble(self, error: BaseException) -> str:
        """Why a file that was there cannot be read; "" where the error says nothing of the kind."""
        if not isinstance(error, OSError) or error.errno is None:
            return ""
        has_vanished = error.errno in (errno.ENOENT, errno.ENOTDIR) and self._was_there(error)
        return error.strerror or str(error) if has_vanished or error.errno in _TROUBLE | _FORBIDDEN else ""

    def _was_there(self, error: OSError) -> bool:
        """Whether the missing file was there; of a file that is not in the list, whether the whole source has gone."""
        name = re.search(r"name = '(.+?)'", str(error))  # HDF5 has it in the text alone
        path = error.filename or (name and name.group(1))
        files = _read(self.path)
        if path and os.fsencode(os.path.normpath(os.fspath(path))) in files:
            return True
        return bool(files) and not os.path.exists(next(iter(files)))


@lru_cache(maxsize=1)
def _read(path: Path) -> frozenset[bytes]:
    return frozenset(filter(None, path.read_bytes().split(b"\0")))
