"""Runs the trials of a sweep on this machine: one loop that starts, follows, stops and records them."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from optuna.exceptions import UpdateFinishedTrialError

from ecg_lightning.errors import UserError, suggest
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
"""Seconds that the storage may be away before the trials are given up."""


@dataclass
class Slot:
    """A trial that runs here."""

    trial: Try
    process: TrialProcess
    gpus: list[str]
    reported: dict[int, float] = field(default_factory=dict)
    pruned: bool = False
    beaten: float = field(default_factory=time.monotonic)
    beats: int = 1


class Interrupted(Exception):
    """Ctrl-C, or SIGTERM from a batch system."""


class Runner:
    """One worker process, with up to ``workers`` trials at a time.

    Args:
        say: called with one line for everything that happens.
        show: called about every second, for a live table.
    """

    def __init__(
        self,
        trials: Trials,
        launcher: Launcher,
        gpus: Gpus,
        worker: Worker,
        say: Callable[[str], None],
        show: Callable[[], None],
    ) -> None:
        self._trials = trials
        self._sweep = trials.sweep
        self._launcher = launcher
        self._gpus = gpus
        self._worker = worker
        self._watch = Watch(worker)
        self._say, self._show = say, show
        self._slots: list[Slot] = []
        self._looked = -math.inf
        self._away: float | None = None
        self._stop = 0

    def run(self) -> None:
        """Works until nothing is left to do for anybody.

        Raises:
            Interrupted: after Ctrl-C; the trials that ran were ended and queued again.
            UserError: where the metric is never logged, or the storage stays away.
        """
        with self._signals():
            try:
                while self._tick():
                    self._show()
                    time.sleep(TICK)
            finally:
                self._close()

    def _tick(self) -> bool:
        """One round; False when all is done."""
        if self._stop:
            raise Interrupted
        try:
            for slot in list(self._slots):
                self._follow(slot)
            if time.monotonic() - self._looked > LOOK:
                self._looked = time.monotonic()
                self._recover()
                self._fill()
                if not self._slots and self._trials.done():
                    return False
            self._away = None
        except StorageError as error:
            self._endure(error)
        return True

    def _follow(self, slot: Slot) -> None:
        status = slot.process.poll()  # before the metrics: what it wrote last must be read after its end
        try:
            self._beat(slot)
            self._report(slot)
        except UpdateFinishedTrialError:
            self._say(
                f"trial {slot.trial.index}: another worker took it over while this one could not reach the storage"
            )
            slot.process.kill()
            slot.process.wait()
            self._release(slot)
            return
        if status is not None:
            self._record(slot, status)
            self._release(slot)
        elif not slot.reported and slot.process.never_logs_metric() and not self._trials.results():
            raise UserError(self._no_metric(slot))

    def _beat(self, slot: Slot) -> None:
        if time.monotonic() - slot.beaten > self._worker.every:
            slot.trial.handle.set_user_attr(BEAT, self._worker.beat(slot.beats))
            slot.beaten = time.monotonic()
            slot.beats += 1

    def _report(self, slot: Slot) -> None:
        for epoch, value in slot.process.history().items():
            if epoch in slot.reported or slot.pruned:
                continue
            slot.trial.handle.report(value, epoch)
            slot.reported[epoch] = value
            if self._sweep.stopping is not None and slot.trial.handle.should_prune():
                slot.pruned = True
                slot.process.end()

    def _record(self, slot: Slot, status: int) -> None:
        """Writes down how a trial ended."""
        index, metric = slot.trial.index, self._sweep.metric
        best = self._sweep.best(slot.reported.values())
        if slot.pruned:
            self._trials.prune(slot.trial)
            self._say(f"trial {index}: stopped early after epoch {max(slot.reported)}")
        elif status == 0 and best is not None:
            self._trials.finish(slot.trial, best)
            self._say(f"trial {index}: {metric} {best:.4g} in {duration(time.monotonic() - slot.process.started)}")
        else:
            if status != 0:
                error = failure(status, slot.process.last_words())
            elif slot.reported:
                error = f"{metric} was NaN after every epoch"
            elif self._trials.results():
                error = self._no_metric(slot)
            else:
                raise UserError(self._no_metric(slot))
            self._trials.fail(slot.trial, error)
            self._say(f"trial {index}: failed. {error}. See {slot.process.folder / 'log.txt'}")

    def _no_metric(self, slot: Slot) -> str:
        logged = [name for name in slot.process.logged() if name.count("/") < 2]  # not those of single terms
        if not logged:
            return f"Trial {slot.trial.index} did not write {slot.process.folder / 'metrics.csv'}, the file that should contain {self._sweep.metric}."
        return (
            f"{self._sweep.file}: metric.name: the runs never log '{self._sweep.metric}'. {suggest(self._sweep.metric, logged)}"
            f"Trial {slot.trial.index} logs: {', '.join(logged)}."
        )

    def _release(self, slot: Slot) -> None:
        self._gpus.give_back(slot.gpus)
        self._slots.remove(slot)
        self._looked = -math.inf  # the next may start at once

    def _recover(self) -> None:
        """Queues again what others have left behind."""
        running_here = {slot.trial.handle.number for slot in self._slots}
        for trial in self._watch.dead(trial for trial in self._trials.unfinished() if trial.number not in running_here):
            self._say(
                f"trial {index_of(trial)}: its worker on {trial.user_attrs.get(BEAT, {}).get('host', 'unknown')} has died"
            )
            self._trials.give_back(trial, DIED)

    def _fill(self) -> None:
        """Starts trials while there are free slots, GPUs, and trials."""
        while len(self._slots) < self._launcher.workers and not self._trials.target_reached():
            gpus = self._gpus.take()
            if gpus is None:
                return
            slot = None
            try:
                trial = self._trials.claim()
                if trial is None:
                    return
                trial.handle.set_user_attr(BEAT, self._worker.beat(0))
                slot = Slot(trial, self._launcher.start(trial, self._gpus.environment(gpus)), gpus)
                self._slots.append(slot)
            finally:
                if slot is None:
                    self._gpus.give_back(gpus)

    def _endure(self, error: BaseException) -> None:
        """Lets the trials go on while the storage is away for a while."""
        now = time.monotonic()
        if self._away is None:
            self._away = now
            self._say(
                f"the storage cannot be reached ({' '.join(str(error).split())[:200]}); the running trials continue, and this worker tries again"
            )
        if now - self._away > OUTAGE:
            raise UserError(
                f"The storage could not be reached for {duration(OUTAGE)}. Start the sweep again once it is back."
            )
        time.sleep(2.0)

    def _close(self) -> None:
        """Ends what still runs, and queues it again for whoever comes next."""
        if self._slots:
            self._say(f"ending {len(self._slots)} running trials; they are queued again")
        for slot in self._slots:
            slot.process.end()
        deadline = time.monotonic() + 20.0
        for slot in self._slots:
            while slot.process.poll() is None and time.monotonic() < deadline and self._stop < 2:
                time.sleep(0.05)
            slot.process.wait(0.0)
            try:
                self._trials.give_back(slot.trial, INTERRUPTED)
            except StorageError:
                pass  # its heartbeat stops, so another worker will find it
            self._gpus.give_back(slot.gpus)
        self._slots.clear()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            self._stop += 1  # a second one does not wait

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
