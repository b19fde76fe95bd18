"""A source's files while it is packed: which were there at the beginning, and whether an error means that one has gone.

A recording that was missing or broken from the start is set aside. One that cannot be read any more, since the disk or
the network has a bad hour, must not be: the store would lack it for ever.
"""

import errno
import os
import re
from collections.abc import Iterable

from ecg_lightning.errors import UserError

ABSENT = "absent"
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_TROUBLE = {
    errno.EIO, errno.ESTALE, errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EBUSY,
    errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN,
    errno.ENETUNREACH, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOLCK,
}  # fmt: skip
"""Errors of a machine or a network; what a broken file causes has other numbers, or none."""
_there: frozenset[str] = frozenset()


def look_at(files: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
    """Size and time of every file, or ``absent``.

    Raises:
        UserError: where the disk or the network fails.
    """
    found = {}
    for file in files:
        path = os.fspath(file)
        try:
            stat = os.stat(path)
            found[path] = f"{stat.st_size}:{stat.st_mtime_ns}"
        except OSError as error:
            if error.errno in _TROUBLE:
                raise UserError(f"{path} cannot be looked at ({error.strerror}). Run the command again.") from error
            found[path] = ABSENT
    return found


def watch(files: Iterable[str]) -> None:
    """Tells this process which files were there."""
    global _there
    _there = frozenset(map(os.path.normpath, files))


def check_lost(error: BaseException, file: str) -> None:
    """Ends the job where a recording could not be read for a reason that is not its own.

    Args:
        error: what its reader raised.
        file: the recording's, for the message.

    Raises:
        UserError: which file it is, and how to go on.
    """
    cause: BaseException | None = error
    while cause is not None:
        reason = "memory ran out" if isinstance(cause, MemoryError) else _trouble(cause)
        if reason:
            raise UserError(
                f"{file} was there and cannot be read now: {reason}. Run the command again: it goes on from the finished "
                "parts (with data.pack_workers=1 it needs least memory). If it is this one file alone, remove it; then it "
                "is set aside."
            ) from error
        cause = cause.__cause__ or cause.__context__


def _trouble(error: BaseException) -> str:
    """What keeps a file that was there from being read; "" where nothing does."""
    if not isinstance(error, OSError) or error.errno is None:
        return ""
    gone = error.errno in (errno.ENOENT, errno.ENOTDIR) and _was_there(error)
    return error.strerror or str(error) if gone or error.errno in _TROUBLE | _FORBIDDEN else ""


def _was_there(error: OSError) -> bool:
    """Whether the missing file was there; of one that nobody looked at, whether the whole source has gone."""
    named = re.search(r"name = '(.+?)'", str(error))  # HDF5 has it in the text alone
    path = error.filename or (named and named.group(1))
    if path and os.path.normpath(os.fspath(path)) in _there:
        return True
    return bool(_there) and not os.path.exists(next(iter(_there)))
