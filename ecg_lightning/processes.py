"""Processes that belong together: a child ends with its parent, and SIGTERM stops as Ctrl-C does."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
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


def stoppable(work: Callable[[], int]) -> int:
    """Runs work that may be stopped at any moment and goes on when it is done again: by Ctrl-C, or by SIGTERM as by a batch system.

    Only the main thread may set handlers; in another one SIGTERM is not looked for.

    Returns:
        The exit status: that of the work, or 130 where it was stopped.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if in_main else None
    try:
        return work()
    except KeyboardInterrupt:
        print("\necg_lightning: stopped. The same command goes on.", file=sys.stderr)
        return 130
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, before)
