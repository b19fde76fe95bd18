"""The trials of a study: each index of a sweep is run once, by the worker that claims it first, and is never lost.

A trial of Optuna is one *try* of an index. After a try that was interrupted, or whose worker has died, there is another try
of the same index and parameters; after a try that failed by itself there is none.
"""

import random
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
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
"""The largest number of trials that are queued at a time, since a grid may have a million points."""
INTERRUPTED, DIED, SURPLUS = "interrupted", "died", "surplus"
"""Why a try ended without a result, in its attribute `ended`. After the first two reasons the index is tried again; a surplus
try was queued by two workers at the same time and never ran."""


@dataclass(frozen=True)
class Try:
    """A claimed trial.

    Attributes:
        index: which trial of the sweep it is; also the name of its folder.
        attempt: 0 for the first try of the index.
        values: the parameters of its run.
        handle: the trial of Optuna.
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
        """Returns every try of this sweep, except the surplus ones."""
        return [trial for trial in self._of_sweep() if trial.user_attrs.get("ended") != SURPLUS]

    def foreign(self) -> int:
        """Returns how many trials of the study are not of this sweep."""
        return len(self.study.get_trials(deepcopy=False)) - len(self._of_sweep())

    def _of_sweep(self) -> list[FrozenTrial]:
        """Returns the trials with entries that this sweep can have written; anybody who can write to the storage may add others."""
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
        """Returns the last try of each index, by index."""
        tries = sorted(self.all(), key=lambda trial: (index_of(trial), attempt_of(trial), -trial.number))
        return {index_of(trial): trial for trial in tries}

    def results(self) -> dict[int, FrozenTrial]:
        """Returns the trials that ran to their end, by index."""
        return {index: trial for index, trial in self.latest().items() if trial.state == TrialState.COMPLETE}

    def failed(self) -> list[int]:
        """Returns the indices of the trials that failed by themselves, or whose worker died too often."""
        unqueued, latest = self.unqueued(), self.latest()
        return [index for index, trial in latest.items() if trial.state == TrialState.FAIL and index not in unqueued]

    def best(self) -> FrozenTrial | None:
        """Returns the trial with the best value; None where no trial has finished."""
        better = max if self.sweep.goal == "maximize" else min
        return better(self.results().values(), key=_value, default=None)

    def target_reached(self) -> bool:
        """Returns whether a trial is as good as the sweep's `metric.target`."""
        best, target = self.best(), self.sweep.target
        return best is not None and target is not None and self.sweep.best([_value(best), target]) == _value(best)

    def unqueued(self) -> list[int]:
        """Returns the indices that must still be queued, at most one lot: never tried, or to be tried again."""
        latest = self.latest()
        deaths = Counter(index_of(trial) for trial in self.all() if _reason(trial) == DIED)
        again = [
            index
            for index, trial in latest.items()
            if _reason(trial) in (INTERRUPTED, DIED) and deaths[index] <= self._retries
        ]
        indices = count() if self.sweep.size is None else range(self.sweep.size)
        most = LOT if self.sweep.size is not None else min(LOT, len(again) + 1)  # one at a time where there is no end
        return [*again, *islice((index for index in indices if index not in latest), max(0, most - len(again)))]

    def queue(self, indices: Iterable[int]) -> None:
        """Queues a try of each index, except where another worker has queued it in the meantime.

        The number of a try follows from the trials in the study, so that two workers at the same time queue the same try; the
        second of the two is recognised as surplus when it is claimed.
        """
        latest = self.latest()
        for index in indices:
            last = latest.get(index)
            if last is not None and last.state != TrialState.FAIL:
                continue
            samples = self.sweep.samples(index, self._seed) | (last.params if last is not None else {})
            attempt = attempt_of(last) + 1 if last is not None else 0
            self.study.enqueue_trial(samples, user_attrs={"index": index, "attempt": attempt})

    def claim(self) -> Try | None:
        """Takes the next trial of the queue for this worker, and fills an empty queue; returns None where no trial is left."""
        trial = self._take()
        if trial is None and self.unqueued():
            time.sleep(random.uniform(0.0, 0.5))  # so that not all workers fill an empty queue
            trial = self._take()
            if trial is None:
                self.queue(self.unqueued())
                trial = self._take()
        return trial

    def _take(self) -> Try | None:
        queue = [trial for trial in self._of_sweep() if trial.state == TrialState.WAITING]
        for trial in sorted(queue, key=lambda trial: (-attempt_of(trial), trial.number)):  # later tries come first
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
            # A study object keeps the trials of its last `ask`; with a new object the sampler sees all trials.
            study = optuna.load_study(
                study_name=self.study.study_name, storage=self._storage, sampler=sampler(seed), pruner=self.study.pruner
            )
            handle = optuna.Trial(study, identifier)
            try:
                samples = {p.name: _suggest(handle, p.name, p.distribution()) for p in self.sweep.parameters}
            except ValueError as error:
                raise UserError(
                    f"The study '{self.study.study_name}' has trials that search other values ({error}). "
                    "Give this sweep another name with --name."
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
        """Ends a try whose worker has ended (`died`, `interrupted`) and queues the next try; one of several workers succeeds."""
        number = trial.handle.number if isinstance(trial, Try) else trial.number
        index = trial.index if isinstance(trial, Try) else index_of(trial)
        if self._end(number, reason) and index in self.unqueued():
            self.queue([index])

    def unfinished(self) -> list[FrozenTrial]:
        """Returns the tries that a worker runs, or ran until it died."""
        return [trial for trial in self.all() if trial.state == TrialState.RUNNING]

    def done(self) -> bool:
        """Returns whether no worker has anything left to do."""
        if self.target_reached():
            return not self.unfinished()
        return all(trial.state.is_finished() for trial in self.all()) and not self.unqueued()

    def _end(self, number: int, reason: str) -> bool:
        self._annotate(number, "ended", reason)
        return self._tell(number, TrialState.FAIL)

    def _tell(self, number: int, state: TrialState, value: float | None = None) -> bool:
        """Ends a try; returns False where another worker has ended it before."""
        try:
            self.study.tell(number, value, state)
        except (
            ValueError,
            UpdateFinishedTrialError,
        ):  # Optuna raises a ValueError where it knows that the try has ended
            return False
        return True

    def _annotate(self, number: int, key: str, value: Any) -> None:
        with suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(self._identifier(number), key, value)

    def _identifier(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)


def index_of(trial: FrozenTrial) -> int:
    """Returns the index of the sweep to which a try belongs."""
    return int(trial.user_attrs.get("index", trial.number))


def attempt_of(trial: FrozenTrial) -> int:
    """Returns the number of earlier tries of the same index."""
    return int(trial.user_attrs.get("attempt", 0))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {"": value}  # no parameter has an empty name


def _reason(trial: FrozenTrial) -> object:
    """Returns why a try ended without a result; None where it runs, or failed by itself."""
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
