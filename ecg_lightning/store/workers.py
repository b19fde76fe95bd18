"""Runs tasks in several processes, none of which outlives this one."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TypeVar

from ecg_lightning.errors import UserError
from ecg_lightning.processes import end_with_parent

T = TypeVar("T")


def run(tasks: Iterable[Callable[[], T]], workers: int, done: Callable[[T], None]) -> None:
    """Runs the tasks, in any order.

    Args:
        tasks: picklable; the next is queued when an earlier one ends, so that a million rows are not queued at once.
        workers: processes; 1 runs them here.
        done: called here with each result.

    Raises:
        UserError: where a worker was killed.
        KeyboardInterrupt: after Ctrl-C, or where the workers got SIGTERM, which a batch system sends to all processes.
    """
    if workers == 1:
        for task in tasks:
            done(task())
        return
    # Fork, where there is one, starts in milliseconds; the workers use numpy and scipy alone.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(workers, context, _begin, (os.getpid(),))
    earlier, children = set(multiprocessing.active_children()), set[BaseProcess]()

    def submitted() -> "Iterator[Future[T]]":
        for task in tasks:
            yield pool.submit(task)
            children.update(set(multiprocessing.active_children()) - earlier)

    try:
        for future in _bounded(submitted(), 2 * workers):
            done(future.result())
    except BrokenProcessPool as error:
        # An exit code is known only when the process has ended and the pool's own thread no longer waits for it.
        pool.shutdown(wait=True, cancel_futures=True)
        if {child.exitcode for child in children} <= {None, 0, -signal.SIGTERM}:
            raise KeyboardInterrupt from error
        raise UserError(
            "A packing process was killed, most likely for memory. Run the command again: it goes on from here; "
            "with data.pack_workers=1 it needs the least memory."
        ) from error
    except KeyboardInterrupt:
        for child in set(multiprocessing.active_children()) - earlier:
            child.kill()  # at once: an unfinished part counts as not packed
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(parent: int) -> None:
    """Begins a worker, which ignores Ctrl-C: the terminal sends it to all processes, and the parent answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(parent)


def _bounded(tasks: "Iterator[Future[T]]", limit: int) -> "Iterator[Future[T]]":
    """Submits tasks as earlier ones end."""
    pending: set[Future[T]] = set()
    for task in tasks:
        pending.add(task)
        if len(pending) >= limit:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from done
    yield from wait(pending).done
