"""Processes that belong together: a child ends with its parent, and SIGTERM stops as Ctrl-C does."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(parent: int) -> None:
    """Lets the kernel end this process when its parent ends, however that was killed; it holds beyond an exec.

    Linux alone; elsewhere the prctl is not there, and nothing is done.

    Args:
        parent: number of the process that started this one. Where it has ended already, so does this one.
    """
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):
        pass
    if os.getppid() != parent:
        sys.exit("the process that started this one has ended")


@contextmanager
def stopped_by_terminate() -> Iterator[None]:
    """Within, SIGTERM (a batch system, ``kill``) raises KeyboardInterrupt, so that both ways to stop are one.

    Only the main thread may set handlers; in another one nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
