"""Runs the trials of a sweep on this machine: one loop that starts, follows, stops and records them."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from optuna.exceptions import UpdateFinishedTrialError

from ecg_lightning.errors import UserError, one_line
from ecg_lightning.sweep.gpus import Gpus
from ecg_lightning.sweep.heartbeat import BEAT, Watch, Worker
from ecg_lightning.sweep.launch import Launcher
from ecg_lightning.sweep.process import TrialProcess, duration, failure
from ecg_lightning.sweep.storage import StorageError
from ecg_lightning.sweep.trials import DIED, INTERRUPTED, Trials, Try, index_of

TICK = 0.3
"""Seconds between two looks at the trials of this machine."""
LOOK = 2.0
"""Seconds between two looks at the study."""
OUTAGE = 1800.0
"""Seconds without the storage after which the worker gives up."""


@dataclass
class Slot:
    """A trial that runs here.

    Attributes:
        values: the metric after each epoch that was reported to the study.
        pruned: whether the trial was stopped early.
        last_beat: time of the last beat, by this machine's clock.
        beats: the number of beats.
    """

    trial: Try
    process: TrialProcess
    gpus: list[str]
    values: dict[int, float] = field(default_factory=dict)
    pruned: bool = False
    last_beat: float = field(default_factory=time.monotonic)
    beats: int = 1


class Interrupted(Exception):
    """Ctrl-C, or SIGTERM from a batch system."""


@dataclass
class Runner:
    """One worker process, with as many trials at a time as the launcher has workers.

    Attributes:
        print_line: called with one line for every event.
        refresh: called about every second, for a live table.
    """

    trials: Trials
    launcher: Launcher
    gpus: Gpus
    worker: Worker
    print_line: Callable[[str], None]
    refresh: Callable[[], None]
    _slots: list[Slot] = field(default_factory=list, init=False)
    _last_look: float = field(default=-math.inf, init=False)
    _outage_start: float | None = field(default=None, init=False)
    _signals: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(self.worker)
        self._sweep = self.trials.sweep

    def run(self) -> None:
        """Works until no worker of the sweep has anything left to do.

        Raises:
            Interrupted: after Ctrl-C; the running trials were ended and queued again.
            UserError: where the metric is never logged, or the storage cannot be reached for a long time.
        """
        with self._counted_signals():
            try:
                while self._tick():
                    self.refresh()
                    time.sleep(TICK)
            finally:
                self._close()

    def _tick(self) -> bool:
        """Does one round; returns False when all is done."""
        try:
            for slot in list(self._slots):
                self._follow(slot)
            if self._signals:  # after a look at the trials, so that one which has just finished is kept
                raise Interrupted
            if time.monotonic() - self._last_look > LOOK:
                self._last_look = time.monotonic()
                self._recover()
                self._fill()
                if not self._slots and self.trials.done():
                    return False
            self._outage_start = None
        except StorageError as error:
            if self._signals:
                raise Interrupted from error
            self._wait_for_storage(error)
        return True

    def _follow(self, slot: Slot) -> None:
        status = slot.process.poll()  # before the metrics are read, so that its last row is read after its end
        try:
            self._beat(slot)
            self._report(slot)
        except UpdateFinishedTrialError:
            self.print_line(
                f"trial {slot.trial.index}: another worker runs it now, since this worker could not reach the storage"
            )
            slot.process.wait(0.0)
            self._release(slot)
            return
        if status is not None:
            self._record(slot, status)
            self._release(slot)
        elif not slot.values and slot.process.never_logs_metric() and not self.trials.results():
            raise UserError(self._without_metric(slot))

    def _beat(self, slot: Slot) -> None:
        if time.monotonic() - slot.last_beat > self.worker.every:
            slot.trial.handle.set_user_attr(BEAT, self.worker.beat(slot.beats))
            slot.last_beat = time.monotonic()
            slot.beats += 1

    def _report(self, slot: Slot) -> None:
        """Reports the epochs that are new to the study, and asks a trial to end where it is to be stopped early."""
        for epoch, value in slot.process.history().items():
            if epoch in slot.values or slot.pruned:
                continue
            slot.trial.handle.report(value, epoch)
            slot.values[epoch] = value
            if self._sweep.stopping is not None and slot.trial.handle.should_prune():
                slot.pruned = True
                slot.process.end()

    def _record(self, slot: Slot, status: int) -> None:
        """Records how a trial ended."""
        index, metric = slot.trial.index, self._sweep.metric
        best = self._sweep.best(slot.values.values())
        if slot.pruned:
            self.trials.prune(slot.trial)
            self.print_line(f"trial {index}: stopped early after epoch {max(slot.values)}")
        elif status == 0 and best is not None:
            self.trials.finish(slot.trial, best)
            self.print_line(
                f"trial {index}: {metric} {best:.4g} in {duration(time.monotonic() - slot.process.started)}"
            )
        else:
            if status != 0:
                error = failure(status, slot.process.last_line())
            elif slot.values:
                error = f"{metric} was NaN after every epoch"
            elif self.trials.results():
                error = self._without_metric(slot)
            else:
                raise UserError(self._without_metric(slot))
            self.trials.fail(slot.trial, error)
            self.print_line(f"trial {index}: failed. {error}. See {slot.process.folder / 'log.txt'}")

    def _without_metric(self, slot: Slot) -> str:
        return f"{self._sweep.file}: {slot.process.without_metric(f'trial {slot.trial.index}')}"

    def _release(self, slot: Slot) -> None:
        self.gpus.give_back(slot.gpus)
        self._slots.remove(slot)
        self._last_look = -math.inf  # so that the next trial starts at once

    def _recover(self) -> None:
        """Queues the trials of dead workers again."""
        numbers = {slot.trial.handle.number for slot in self._slots}
        for trial in self._watch.dead(trial for trial in self.trials.unfinished() if trial.number not in numbers):
            host = trial.user_attrs.get(BEAT, {}).get("host", "an unknown machine")
            self.print_line(f"trial {index_of(trial)}: its worker on {host} has died")
            self.trials.give_back(trial, DIED)

    def _fill(self) -> None:
        """Starts trials while there are free slots, GPUs, and trials."""
        while len(self._slots) < self.launcher.workers and not self.trials.target_reached():
            gpus, slot = self.gpus.take(), None
            if gpus is None:
                return
            try:
                trial = self.trials.claim()
                if trial is None:
                    return
                trial.handle.set_user_attr(BEAT, self.worker.beat(0))
                slot = Slot(trial, self.launcher.start(trial, self.gpus.environment(gpus)), gpus)
                self._slots.append(slot)
            finally:
                if slot is None:
                    self.gpus.give_back(gpus)

    def _wait_for_storage(self, error: BaseException) -> None:
        """Lets the trials run while the storage cannot be reached, for a limited time."""
        now = time.monotonic()
        if self._outage_start is None:
            self._outage_start = now
            self.print_line(
                f"the storage cannot be reached ({one_line(error, 200)}); the trials run on, and this worker tries again"
            )
        if now - self._outage_start > OUTAGE:
            raise UserError(
                f"The storage could not be reached for {duration(OUTAGE)}. Run the same command again when it works."
            )
        time.sleep(2.0)

    def _close(self) -> None:
        """Ends the running trials, and queues them again for the next worker."""
        if self._slots:
            self.print_line(f"ending {len(self._slots)} running trials; they are queued again")
        for slot in self._slots:
            slot.process.end()
        deadline = time.monotonic() + 20.0
        for slot in self._slots:
            while slot.process.poll() is None and time.monotonic() < deadline and self._signals < 2:
                time.sleep(0.05)
            slot.process.wait(0.0)
            with suppress(*StorageError):  # where it fails, the heartbeat stops, and another worker notices
                self.trials.give_back(slot.trial, INTERRUPTED)
            self.gpus.give_back(slot.gpus)
        self._slots.clear()

    @contextmanager
    def _counted_signals(self) -> Iterator[None]:
        """Counts SIGINT and SIGTERM in place of stopping: after the first, the trials end cleanly; the second does not wait."""

        def count(number: int, frame: FrameType | None) -> None:
            self._signals += 1

        previous = {number: signal.signal(number, count) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
