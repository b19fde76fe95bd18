"""The process of a trial: it is separate from the terminal, followed through its metrics file, and ended cleanly."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ecg_lightning.errors import suggest

# A trial ends with its worker; otherwise it would go on to use a GPU, and a folder that a second try already writes into.
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
        command: the words of its command line.
        folder: its run folder; its output goes into `log.txt` there.
        environment: variables that are added to those of this process.
        metric: the column of `metrics.csv` to follow.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], metric: str) -> None:
        self.folder = folder
        self.metric = metric
        self.started = time.monotonic()
        self._end_time: float | None = None
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
        """Returns the exit status, or None while it runs; kills a process that was asked to end and did not."""
        status = self._child.poll()
        if status is None and self._end_time is not None and time.monotonic() - self._end_time > GRACE:
            self.kill()
        return status

    def end(self) -> None:
        """Asks it to end, as a batch system would: it may finish its step and write its checkpoint."""
        if self._end_time is None:
            self._end_time = time.monotonic()
            self._child.terminate()

    def kill(self) -> None:
        """Ends it and every process that it started, at once."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def wait(self, seconds: float | None = None) -> None:
        """Waits for its end, and kills it where that takes longer than a number of seconds."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self._child.wait()

    def history(self) -> dict[int, float]:
        """Returns the metric after each epoch that has logged it, {1: 0.71, 2: 0.74}."""
        values: dict[int, float] = {}
        for row in self._read():
            text = row.get(self.metric)
            if text:
                epoch = row.get("epoch")
                values[int(float(epoch)) + 1 if epoch else len(values) + 1] = float(text)
        return values

    def never_logs_metric(self) -> bool:
        """Returns whether numbers of the metric's kind (`val/…`) are logged, and the metric is not among them."""
        kind, slash, _ = self.metric.partition("/")
        rows = self._read()
        of_kind = {key for row in rows for key, text in row.items() if key and key.startswith(kind + slash) and text}
        return bool(slash) and bool(of_kind) and all(self.metric not in row for row in rows)

    def without_metric(self, name: str) -> str:
        """Returns the message for a trial that ends without a value of the metric, with the numbers that it logs."""
        numbers = [
            key for row in self._read()[:1] for key in row if key and key.count("/") < 2
        ]  # not those of single terms
        logged = f"It logs: {', '.join(numbers)}." if numbers else "It did not write metrics.csv into its run_dir."
        return f"metric.name: {name} never logged '{self.metric}'. {suggest(self.metric, numbers)}{logged}"

    def last_line(self) -> str:
        """Returns the last line of its log, which says why it failed."""
        try:
            text = (self.folder / "log.txt").read_bytes()[-8000:].decode("utf-8", "replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:500] if lines else ""

    def _read(self) -> list[dict[str, str]]:
        """Returns the whole rows of `metrics.csv`; the file is read again only when it has changed."""
        file = self.folder / "metrics.csv"
        try:
            status = file.stat()
            state = (status.st_mtime_ns, status.st_size)
            if state != self._state:
                text = file.read_text(encoding="utf-8")
                lines = text[: text.rfind("\n") + 1].splitlines()  # the last row may be unfinished
                self._rows, self._state = list(csv.DictReader(lines)), state
        except FileNotFoundError:
            return []
        return self._rows


def failure(status: int, last_line: str) -> str:
    """Returns why a trial failed, in one line.

    >>> failure(1, "ValueError: lr must be positive")
    'ValueError: lr must be positive (exit status 1)'
    >>> failure(-9, "epoch 3")
    'killed by SIGKILL, perhaps because the memory was full; its last line: epoch 3'
    """
    if status >= 0:
        return f"{last_line or 'no output'} (exit status {status})"
    reason = ", perhaps because the memory was full" if status == -signal.SIGKILL else ""
    return f"killed by {signal.Signals(-status).name}{reason}; its last line: {last_line or 'none'}"


def duration(seconds: float) -> str:
    """Returns a time span as people write it.

    >>> [duration(s) for s in (4.2, 75, 3720, 90000)]
    ['4 s', '1 min 15 s', '1 h 02 min', '25 h 00 min']
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
