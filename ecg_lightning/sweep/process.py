"""A trial's process: started apart from the terminal, watched through its metrics file, ended cleanly."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# A trial ends with its worker, so that no orphan holds a GPU or writes into a folder that a second try already uses.
# SIGUSR2 announces a pre-emption to the worker alone.
_START = """
import os, signal, sys
from ecg_lightning.processes import end_with_parent
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
end_with_parent(int(sys.argv[1]))
os.execvp(sys.argv[2], sys.argv[2:])
"""
GRACE = 30.0
"""Seconds between asking a trial to end and killing it."""


class TrialProcess:
    """A running trial.

    Args:
        command: its words.
        folder: its run folder; what it prints goes into ``log.txt`` there.
        environment: set over this process's own.
        metric: the column of ``metrics.csv`` to follow.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], metric: str) -> None:
        self.folder = folder
        self.metric = metric
        self.started = time.monotonic()
        self._asked: float | None = None
        self._state: tuple[int, int] | None = None
        self._rows: list[dict[str, str]] = []
        with (folder / "log.txt").open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-c", _START, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment}, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._child.pid

    def poll(self) -> int | None:
        """The exit status, or None while it runs; kills one that was asked to end and did not."""
        status = self._child.poll()
        if status is None and self._asked is not None and time.monotonic() - self._asked > GRACE:
            self.kill()
        return status

    def end(self) -> None:
        """Asks it to end, as a batch system would: it may finish its step and write what it has to."""
        if self._asked is None:
            self._asked = time.monotonic()
            self._child.terminate()

    def kill(self) -> None:
        """Ends it and whatever it started, at once."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def wait(self, seconds: float | None = None) -> None:
        """Waits for its end, and kills it when that takes longer."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self._child.wait()

    def history(self) -> dict[int, float]:
        """The metric after each epoch that has logged it, {1: 0.71, 2: 0.74}."""
        values: dict[int, float] = {}
        for row in self._read():
            text = row.get(self.metric)
            if text:
                epoch = row.get("epoch")
                values[int(float(epoch)) + 1 if epoch else len(values) + 1] = float(text)
        return values

    def logged(self) -> list[str]:
        """The numbers that the run has logged so far."""
        return [key for row in self._read()[:1] for key in row if key]

    def never_logs_metric(self) -> bool:
        """Whether numbers of the metric's kind (``val/…``) are logged, and the metric is not among them."""
        kind, slash, _ = self.metric.partition("/")
        rows = self._read()
        alike = {key for row in rows for key, text in row.items() if key and key.startswith(kind + slash) and text}
        return bool(slash) and bool(alike) and all(self.metric not in row for row in rows)

    def last_words(self) -> str:
        """The line of its log that says why it failed."""
        try:
            text = (self.folder / "log.txt").read_bytes()[-8000:].decode("utf-8", "replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:500] if lines else ""

    def _read(self) -> list[dict[str, str]]:
        """The whole rows of ``metrics.csv``; the file is read anew only when it has changed."""
        file = self.folder / "metrics.csv"
        try:
            now = file.stat()
            state = (now.st_mtime_ns, now.st_size)
            if state != self._state:
                text = file.read_text(encoding="utf-8")
                whole = text[: text.rfind("\n") + 1]  # the last row may be half written
                self._rows = list(csv.DictReader(whole.splitlines()))
                self._state = state
        except FileNotFoundError:
            return []
        return self._rows


def failure(status: int, words: str) -> str:
    """Why a trial failed, in one line.

    >>> failure(1, "ValueError: lr must be positive")
    'ValueError: lr must be positive (exit status 1)'
    >>> failure(-9, "epoch 3")
    'killed by SIGKILL, perhaps for want of memory; its last line: epoch 3'
    """
    if status >= 0:
        return f"{words or 'no output'} (exit status {status})"
    why = ", perhaps for want of memory" if status == -signal.SIGKILL else ""
    return f"killed by {signal.Signals(-status).name}{why}; its last line: {words or 'none'}"


def duration(seconds: float) -> str:
    """A time span for people.

    >>> [duration(s) for s in (4.2, 75, 3720, 90000)]
    ['4 s', '1 min 15 s', '1 h 02 min', '25 h 00 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
