"""Tells a trial whose worker is alive from one that was killed with its machine."""

import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from socket import gethostname
from typing import Any
from uuid import uuid4

from optuna.trial import FrozenTrial

BEAT = "beat"
"""The attribute of a trial that its worker keeps changing."""
PATIENCE = 4
"""Beats that may be missed in a row."""
GAP = 6.0
"""Seconds between two looks after which the watcher cannot say who was silent."""


@dataclass(frozen=True)
class Worker:
    """One process that works on a sweep.

    Attributes:
        host: for people.
        machine: identifies the booted kernel and the process namespace, where that can be known.
        pid: of the process, unique within ``machine`` while it lives.
        started: when the process started, in the kernel's ticks, since numbers of processes are used again.
        key: unique.
        every: seconds between two beats.
    """

    host: str
    machine: str
    pid: int
    started: str
    key: str
    every: float

    def beat(self, count: int) -> dict[str, Any]:
        """The attribute's value at the ``count``-th beat."""
        return asdict(self) | {"count": count}


def this_worker(every: float) -> Worker:
    """The running process as a worker."""
    pid = os.getpid()
    return Worker(gethostname(), _machine(), pid, _start_of(pid), uuid4().hex, every)


def is_beat(value: object) -> bool:
    """Whether an attribute is what `Worker.beat` makes, or there is none."""
    texts, numbers = ("host", "machine", "started", "key"), ("pid", "every", "count")
    return value is None or (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in texts)
        and all(isinstance(value.get(name), int | float) for name in numbers)
    )


class Watch:
    """Finds trials whose worker has ended.

    A worker is dead when its beat has not changed for some time *of the watcher's own clock*, so that clocks of
    different machines need not agree; or, on the watcher's own machine, when its process is not there.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._seen: dict[int, tuple[object, float]] = {}
        self._looked = time.monotonic()

    def dead(self, running: Iterable[FrozenTrial]) -> list[FrozenTrial]:
        """Those of the running trials that nobody works on any more."""
        now = time.monotonic()
        if now - self._looked > max(2 * self._worker.every, GAP):
            self._seen.clear()  # the storage or this machine was away: the others could not be heard
        self._looked = now
        abandoned = []
        for trial in running:
            beat = trial.user_attrs.get(BEAT)
            if self._seen.get(trial.number, (None, 0.0))[0] != beat or trial.number not in self._seen:
                self._seen[trial.number] = (beat, now)
            every = beat["every"] if beat else self._worker.every
            silent = now - self._seen[trial.number][1] > PATIENCE * every
            if silent or (beat and self._gone(beat)):
                abandoned.append(trial)
        return abandoned

    def _gone(self, beat: dict[str, Any]) -> bool:
        machine = self._worker.machine
        return bool(machine) and beat["machine"] == machine and _start_of(beat["pid"]) != beat["started"]


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty where there is no such process (or no /proc)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
