"""The trials of a study: each index of a sweep is run once, by whichever worker claims it, and is never lost.

A trial in Optuna's sense is one *try* of an index. A try that died with its machine, or was interrupted, is followed by
another of the same index and parameters; one that failed by itself is not.
"""

import random
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from ecg_lightning.errors import UserError
from ecg_lightning.sweep.definition import Sweep
from ecg_lightning.sweep.heartbeat import BEAT, is_beat
from ecg_lightning.sweep.parameters import Sample, Value
from ecg_lightning.sweep.storage import sampler

LOT = 50
"""Trials that are queued at a time: a grid of a million points need not be written down at once."""
INTERRUPTED, DIED, SURPLUS = "interrupted", "died", "surplus"
"""Why a try ended without a result, in its attribute ``ended``: to be tried again, the first two; the third was queued
twice by two workers and never ran."""


@dataclass(frozen=True)
class Try:
    """A claimed trial.

    Attributes:
        index: which trial of the sweep it is; also the name of its folder.
        attempt: 0 for the first try of the index.
        values: the parameters of its run.
        handle: Optuna's side of it.
    """

    index: int
    attempt: int
    values: dict[str, Value]
    handle: optuna.Trial


class Trials:
    """The trials of one sweep, shared with the other workers through the study's storage."""

    def __init__(
        self, sweep: Sweep, study: optuna.Study, storage: optuna.storages.BaseStorage, seed: int, retries: int
    ) -> None:
        self.sweep = sweep
        self.study = study
        self._storage = storage
        self._seed = seed
        self._retries = retries
        self._study_id = storage.get_study_id_from_name(study.study_name)

    def all(self) -> list[FrozenTrial]:
        """Every try of this sweep, except those that were queued twice."""
        return [trial for trial in self._of_sweep() if trial.user_attrs.get("ended") != SURPLUS]

    def strangers(self) -> int:
        """How many trials of the study no worker of this sweep has queued."""
        return len(self.study.get_trials(deepcopy=False)) - len(self._of_sweep())

    def _of_sweep(self) -> list[FrozenTrial]:
        """The trials whose entries are such as this sweep makes: whoever can write to the storage chooses no others."""
        parameters = {p.name: (p, p.distribution()) for p in self.sweep.parameters}

        def of_sweep(trial: FrozenTrial) -> bool:
            samples = [*_mapping(trial.system_attrs.get("fixed_params", {})).items(), *trial.params.items()]
            return (
                _is_count(trial.user_attrs.get("index", trial.number))
                and _is_count(trial.user_attrs.get("attempt", 0))
                and is_beat(trial.user_attrs.get(BEAT))
                and all(name in parameters and parameters[name][0].admits(sample) for name, sample in samples)
                and all(parameters[name][1] == distribution for name, distribution in trial.distributions.items())
            )

        return [trial for trial in self.study.get_trials(deepcopy=False) if of_sweep(trial)]

    def latest(self) -> dict[int, FrozenTrial]:
        """The last try of each index, by index."""
        tries = sorted(self.all(), key=lambda trial: (index_of(trial), attempt_of(trial), -trial.number))
        return {index_of(trial): trial for trial in tries}

    def results(self) -> dict[int, FrozenTrial]:
        """Those that ran to their end, by index."""
        return {index: trial for index, trial in self.latest().items() if trial.state == TrialState.COMPLETE}

    def failed(self) -> list[int]:
        """The indices of those that failed by themselves, or whose worker died too often."""
        missing = self.missing()
        return [
            index for index, trial in self.latest().items() if trial.state == TrialState.FAIL and index not in missing
        ]

    def best(self) -> FrozenTrial | None:
        """The trial with the best value."""
        better = max if self.sweep.goal == "maximize" else min
        return better(self.results().values(), key=_value, default=None)

    def target_reached(self) -> bool:
        """Whether a trial is as good as the sweep's ``metric.target``."""
        best, target = self.best(), self.sweep.target
        return best is not None and target is not None and self.sweep.best([_value(best), target]) == _value(best)

    def missing(self) -> list[int]:
        """Indices that must still be queued, at most one lot: never tried, or tried by a worker that ended."""
        latest, deaths = self.latest(), self._deaths()
        lost = [
            index
            for index, trial in latest.items()
            if _ended(trial) in (INTERRUPTED, DIED) and deaths[index] <= self._retries
        ]
        size, index = self.sweep.size, 0
        fresh: list[int] = []
        while len(fresh) + len(lost) < LOT and (size is None or index < size):
            if index not in latest:
                fresh.append(index)
                if size is None:  # one at a time where there is no end
                    break
            index += 1
        return lost + fresh

    def queue(self, indices: Iterable[int]) -> None:
        """Queues a try of each index, except where another worker has done so in the meantime.

        What a try is numbered follows from what is seen here, so that two workers that see the same queue the same
        try, and the second of the two is told apart when it is claimed.
        """
        latest = self.latest()
        for index in indices:
            last = latest.get(index)
            if last is not None and last.state != TrialState.FAIL:
                continue
            fixed = self.sweep.samples(index, self._seed) | (last.params if last is not None else {})
            attempt = attempt_of(last) + 1 if last is not None else 0
            self.study.enqueue_trial(fixed, user_attrs={"index": index, "attempt": attempt})

    def claim(self) -> Try | None:
        """Takes the next trial of the queue for this worker, filling the queue where it is empty; None if nothing is left."""
        trial = self._take()
        if trial is None and self.missing():
            time.sleep(random.uniform(0.0, 0.5))  # workers that find the queue empty together need not all fill it
            trial = self._take()
            if trial is None:
                self.queue(self.missing())
                trial = self._take()
        return trial

    def _take(self) -> Try | None:
        waiting = [trial for trial in self._of_sweep() if trial.state == TrialState.WAITING]
        for trial in sorted(
            waiting, key=lambda trial: (-attempt_of(trial), trial.number)
        ):  # what was begun comes first
            identifier = self._identifier(trial.number)
            try:
                if not self._storage.set_trial_state_values(identifier, TrialState.RUNNING):
                    continue
            except UpdateFinishedTrialError:
                continue
            if self._queued_before(trial):
                self._end(trial.number, SURPLUS)
                continue
            seed = zlib.crc32(f"{self._seed}/{index_of(trial)}".encode())
            # A study object remembers the trials it saw at its last `ask`; a fresh one lets the sampler see them all.
            study = optuna.load_study(
                study_name=self.study.study_name, storage=self._storage, sampler=sampler(seed), pruner=self.study.pruner
            )
            handle = optuna.Trial(study, identifier)
            try:
                samples = {p.name: _suggest(handle, p.name, p.distribution()) for p in self.sweep.parameters}
            except ValueError as error:
                raise UserError(
                    f"The study '{self.study.study_name}' has trials that search something else ({error}). "
                    "Give this sweep a name of its own with --name."
                ) from error
            return Try(index_of(trial), attempt_of(trial), self.sweep.values(samples), handle)
        return None

    def _queued_before(self, trial: FrozenTrial) -> bool:
        key = (index_of(trial), attempt_of(trial))
        return any(t.number < trial.number and (index_of(t), attempt_of(t)) == key for t in self.all())

    def finish(self, trial: Try, value: float) -> None:
        """Records a trial that ran to its end."""
        self._tell(trial.handle.number, TrialState.COMPLETE, value)

    def prune(self, trial: Try) -> None:
        """Records a trial that was stopped early."""
        self._tell(trial.handle.number, TrialState.PRUNED)

    def fail(self, trial: Try, error: str) -> None:
        """Records a trial that failed by itself."""
        self._annotate(trial.handle.number, "error", error)
        self._tell(trial.handle.number, TrialState.FAIL)

    def give_back(self, trial: Try | FrozenTrial, reason: str) -> None:
        """Ends a try whose worker ended (``died``, ``interrupted``) and queues the next; one of several workers succeeds."""
        number = trial.handle.number if isinstance(trial, Try) else trial.number
        index = trial.index if isinstance(trial, Try) else index_of(trial)
        if self._end(number, reason) and index in self.missing():
            self.queue([index])

    def unfinished(self) -> list[FrozenTrial]:
        """The tries that somebody works on, or did until now."""
        return [trial for trial in self.all() if trial.state == TrialState.RUNNING]

    def done(self) -> bool:
        """Whether nothing is left to do for anybody."""
        if self.target_reached():
            return not self.unfinished()
        active = any(trial.state in (TrialState.WAITING, TrialState.RUNNING) for trial in self.all())
        return not active and not self.missing()

    def _end(self, number: int, reason: str) -> bool:
        self._annotate(number, "ended", reason)
        return self._tell(number, TrialState.FAIL)

    def _tell(self, number: int, state: TrialState, value: float | None = None) -> bool:
        """Ends a try; False where another worker has ended it before."""
        try:
            self.study.tell(number, value, state)
        except (ValueError, UpdateFinishedTrialError):  # Optuna raises the first where it sees that the try has ended
            return False
        return True

    def _annotate(self, number: int, key: str, value: Any) -> None:
        with suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(self._identifier(number), key, value)

    def _identifier(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _deaths(self) -> Counter[int]:
        """How often the worker of each index has died."""
        return Counter(index_of(trial) for trial in self.all() if _ended(trial) == DIED)


def index_of(trial: FrozenTrial) -> int:
    """Which trial of the sweep a try belongs to."""
    return int(trial.user_attrs.get("index", trial.number))


def attempt_of(trial: FrozenTrial) -> int:
    """The number of tries of the same index before it."""
    return int(trial.user_attrs.get("attempt", 0))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {"": value}  # which no parameter is called


def _ended(trial: FrozenTrial) -> object:
    """Why a try ended without a result; None where it goes on, or ended by itself."""
    return trial.user_attrs.get("ended") if trial.state == TrialState.FAIL else None


def _value(trial: FrozenTrial) -> float:
    return float(trial.values[0])


def _suggest(handle: optuna.Trial, name: str, distribution: optuna.distributions.BaseDistribution) -> Sample:
    if isinstance(distribution, CategoricalDistribution):
        return str(handle.suggest_categorical(name, distribution.choices))
    if isinstance(distribution, IntDistribution):
        return handle.suggest_int(name, distribution.low, distribution.high)
    assert isinstance(distribution, FloatDistribution)
    return handle.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
