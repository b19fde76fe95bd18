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
    """Lets the kernel kill this process when its parent ends, for whatever reason; this stays so after an exec.

    It needs Linux; other systems have no prctl, and nothing is done.

    Args:
        parent: number of the process that started this one. If it has ended already, this process ends at once.
    """
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):
        pass
    if os.getppid() != parent:
        sys.exit("the process that started this one has ended")


def stoppable(work: Callable[[], int]) -> int:
    """Runs work that Ctrl-C, or SIGTERM from a batch system, may stop, and that goes on where it stopped when it is run again.

    Only the main thread may set handlers; in any other thread SIGTERM is not handled.

    Returns:
        The exit status: that of the work, or 130 where it was stopped.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    in_main = threading.current_thread() is threading.main_thread()
    previous_handler = signal.signal(signal.SIGTERM, stop) if in_main else None
    try:
        return work()
    except KeyboardInterrupt:
        print("\necg_lightning: stopped. Run the same command again to go on from here.", file=sys.stderr)
        return 130
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, previous_handler)
