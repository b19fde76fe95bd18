"""Distinguishes a trial with a living worker from a trial whose worker was killed, alone or with its machine."""

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
"""Number of beats that may be missed in a row."""
GAP = 6.0
"""Seconds between two looks after which the watcher cannot know which workers were silent."""


@dataclass(frozen=True)
class Worker:
    """One process that works on a sweep.

    Attributes:
        host: name of the machine, for people.
        machine: identifies the booted kernel and the process namespace; empty where they cannot be read.
        pid: number of the process, unique within `machine` while the process lives.
        started: when the process started, in clock ticks since boot, since the kernel uses numbers of processes again.
        key: a unique text.
        every: seconds between two beats.
    """

    host: str
    machine: str
    pid: int
    started: str
    key: str
    every: float

    def beat(self, count: int) -> dict[str, Any]:
        """Returns the attribute's value at the `count`-th beat."""
        return asdict(self) | {"count": count}


def this_worker(every: float) -> Worker:
    """Returns the running process as a worker."""
    pid = os.getpid()
    return Worker(gethostname(), _machine(), pid, _start_of(pid), uuid4().hex, every)


def is_beat(value: object) -> bool:
    """Returns whether an attribute is a value of `Worker.beat`, or None."""
    texts, numbers = ("host", "machine", "started", "key"), ("pid", "every", "count")
    return value is None or (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in texts)
        and all(isinstance(value.get(name), int | float) for name in numbers)
    )


class Watch:
    """Finds trials whose worker has ended.

    A worker is dead when its beat has not changed for some time *of the watcher's clock*, so that the clocks of
    different machines need not agree; or, on the watcher's machine, when its process has ended.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._last_beats: dict[int, tuple[object, float]] = {}
        self._last_look = time.monotonic()

    def dead(self, running: Iterable[FrozenTrial]) -> list[FrozenTrial]:
        """Returns the running trials whose worker is dead."""
        now = time.monotonic()
        if now - self._last_look > max(2 * self._worker.every, GAP):
            self._last_beats.clear()  # the storage or this machine did not work: no beat could be read
        self._last_look = now
        dead_trials = []
        for trial in running:
            beat = trial.user_attrs.get(BEAT)
            if self._last_beats.get(trial.number, (None, 0.0))[0] != beat or trial.number not in self._last_beats:
                self._last_beats[trial.number] = (beat, now)
            every = beat["every"] if beat else self._worker.every
            silent = now - self._last_beats[trial.number][1] > PATIENCE * every
            if silent or (beat and self._has_ended(beat)):
                dead_trials.append(trial)
        return dead_trials

    def _has_ended(self, beat: dict[str, Any]) -> bool:
        machine = self._worker.machine
        return bool(machine) and beat["machine"] == machine and _start_of(beat["pid"]) != beat["started"]


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """Returns when a process started, in clock ticks since boot; empty where there is no such process (or no /proc)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
