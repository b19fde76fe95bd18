"""A bound on the time that one file takes, in any thread: a damaged file may lead its reader in circles."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ecg_lightning.records.record import RecordError

SECONDS = 60.0
"""For one file. The slowest sound file of ten seconds takes a quarter of a second."""


class _TimeIsUp(BaseException):
    """Ends a reader; no `except Exception` within it can swallow it."""


@contextmanager
def time_limit(seconds: float = SECONDS) -> Iterator[None]:
    """Ends the block after some seconds.

    Raises:
        RecordError: "too slow".
    """
    thread, lock = threading.get_ident(), threading.Lock()
    is_over = False

    def interrupt(exception: type[BaseException] | None) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), None if exception is None else ctypes.py_object(exception)
        )

    def at_the_end() -> None:
        with lock:
            if not is_over:
                interrupt(_TimeIsUp)

    timer = threading.Timer(seconds, at_the_end)
    timer.start()
    try:
        try:
            yield
        finally:
            with lock:
                is_over = True
            timer.cancel()
            interrupt(None)  # one that is on its way, and would arrive outside of the block
    except _TimeIsUp:
        raise RecordError(f"too slow: not read within {seconds:g} s; the file is most likely damaged") from None
