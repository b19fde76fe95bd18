"""Stops a training or a test by Ctrl-C or SIGTERM, and all of its processes with it."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import lightning.pytorch as pl

GRACE = 10.0
"""Seconds that a process has to finish its logger and end by itself, before it is ended."""
STOPPED = 130
"""Exit status of a run that was stopped."""


@contextmanager
def stoppable(trainer: pl.Trainer) -> Iterator[None]:
    """Turns Ctrl-C and SIGTERM into a KeyboardInterrupt: Lightning would end with status 1 and no message, or not end.

    Lightning (2.6.6) stops at SIGTERM while it trains alone; what it is told while it tests is forgotten.
    """
    in_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    watch = _Watch(trainer) if in_main and trainer.world_size > 1 else None
    if in_main:
        signal.signal(signal.SIGTERM, _interrupt)
    if watch is not None:
        watch.begin()
    try:
        yield
    except BaseException as error:
        stopped = watch is not None and watch.stopped.is_set()
        interrupted = isinstance(error, SystemExit) and trainer.interrupted
        if not (stopped or interrupted or _lost_loader(error)):
            raise
        raise KeyboardInterrupt from error
    finally:
        if watch is not None:
            watch.end()
        if in_main:
            for number, handler in before.items():  # Lightning ignores Ctrl-C from then on
                signal.signal(number, handler)


class _Watch(threading.Thread):
    """Ends all processes of a training at once when one of them gets a signal to stop.

    A process that waits for the other ones in a collective operation cannot react: Python runs a signal's handler only
    when that operation returns, and Lightning's handler starts a further one (2.6.6; both processes then hang). The signal
    itself writes to the socket that this thread reads. Nothing is lost: checkpoints are those of whole epochs.
    """

    def __init__(self, trainer: pl.Trainer) -> None:
        super().__init__(daemon=True, name="stop-all-processes")
        self.trainer, self.stopped = trainer, threading.Event()
        self.reading, self.writing = socket.socketpair()
        self.writing.setblocking(False)

    def begin(self) -> None:
        """Starts to listen."""
        self.before = signal.set_wakeup_fd(self.writing.fileno())
        self.start()

    def end(self) -> None:
        """Stops listening; a stop that has begun goes on to its end."""
        signal.set_wakeup_fd(self.before)
        self.writing.close()

    def run(self) -> None:
        """Waits for a signal, then ends the other processes, and this one if it does not end by itself."""
        while received := self.reading.recv(64):
            if {signal.SIGINT, signal.SIGTERM}.intersection(received):
                break
        else:
            return
        self.stopped.set()
        if self.trainer.global_rank:
            os._exit(STOPPED)  # the first process writes all files
        watched = getattr(self.trainer.strategy.launcher, "procs", [])
        processes = list(watched)
        watched.clear()  # Lightning watches this list, and would kill this process without a message
        for process in processes:
            process.kill()
            process.wait()
        time.sleep(GRACE)
        print("\nStopped.", file=sys.stderr, flush=True)
        os._exit(STOPPED)


def _lost_loader(error: BaseException) -> bool:
    """Says whether a loader process was told to end; a batch system tells all processes of a run at once."""
    return isinstance(error, RuntimeError) and "is killed by signal: Terminated" in str(error)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
