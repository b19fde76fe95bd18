import multiprocessing
import warnings
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import TrialState

from ecg_lightning.sweep.definition import load_sweep
from ecg_lightning.sweep.storage import open_storage, open_study
from ecg_lightning.sweep.table import rows
from ecg_lightning.sweep.trials import DIED, INTERRUPTED, Trials, attempt_of, index_of

Write = Callable[..., Path]


def join(file: Path, seed: int = 0, retries: int = 2) -> Trials:
    """One worker's view of the study in the journal beside the file."""
    sweep = load_sweep(file)
    storage = open_storage(str(file.with_suffix(".journal")))
    return Trials(sweep, open_study(sweep, storage), storage, seed, retries)


def run_all(file: Path) -> list[int]:
    """A worker that claims until nothing is left; returns what it ran."""
    trials, ran = join(file), []
    while (trial := trials.claim()) is not None:
        ran.append(trial.index)
        trials.finish(trial, float(trial.index))
    return ran


def test_workers_share_a_grid_and_run_each_point_once(sweep_file: Write) -> None:
    file = sweep_file(range(7))
    first, second = join(file), join(file)
    claimed = [worker.claim() for worker in (first, second, first, second, first, second, first)]
    assert [trial.values for trial in claimed if trial] == [{"x": x} for x in range(7)]
    assert first.claim() is None and second.claim() is None


def test_processes_that_start_together_run_each_point_once(sweep_file: Write) -> None:
    file = sweep_file(range(30))
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        ran = pool.map(run_all, [file] * 3, chunksize=1)
    assert sorted(index for part in ran for index in part) == list(range(30))
    assert join(file).done()


def test_run_cap_bounds_random_and_bayes_over_all_workers(sweep_file: Write) -> None:
    for method in ("random", "bayes"):
        file = sweep_file({"min": 0.0, "max": 1.0}, method=method, run_cap=5, name=method)
        assert run_all(file) == [0, 1, 2, 3, 4]
        assert run_all(file) == []


def test_bayes_finds_a_minimum_better_than_chance(sweep_file: Write) -> None:
    file = sweep_file(
        {"min": -10.0, "max": 10.0}, method="bayes", run_cap=40, metric={"name": "loss", "goal": "minimize"}
    )
    trials = join(file)
    while (trial := trials.claim()) is not None:
        trials.finish(trial, (float(trial.values["x"]) - 3) ** 2)  # type: ignore[arg-type]
    late = [t.values[0] for t in trials.results().values() if index_of(t) >= 20]
    assert sorted(late)[len(late) // 2] < 8  # the median of uniform draws is about 30


def test_a_sweep_without_run_cap_has_always_a_next_trial(sweep_file: Write) -> None:
    trials = join(sweep_file({"min": 0.0, "max": 1.0}, method="random"))
    for index in range(6):
        trial = trials.claim()
        assert trial is not None and trial.index == index
        trials.finish(trial, 0.0)
    assert not trials.done()


def test_a_grid_larger_than_one_lot_is_run_to_its_end(sweep_file: Write) -> None:
    assert run_all(sweep_file({"min": 1, "max": 130})) == list(range(130))


def test_an_interrupted_trial_is_tried_again_with_the_same_parameters(sweep_file: Write) -> None:
    for method in ("grid", "bayes"):
        trials = join(sweep_file({"min": 0, "max": 1000}, method=method, run_cap=2, name=method))
        first, second = trials.claim(), trials.claim()
        assert first and second
        trials.give_back(first, INTERRUPTED)
        again = trials.claim()
        assert again and (again.index, again.attempt, again.values) == (first.index, 1, first.values)
        trials.finish(again, 1.0)
        trials.finish(second, 1.0)
        assert trials.done()
        assert len(trials.latest()) == 2


def test_a_trial_whose_worker_dies_too_often_is_given_up(sweep_file: Write) -> None:
    trials = join(sweep_file([5]), retries=1)
    for attempt in range(2):
        trial = trials.claim()
        assert trial and trial.attempt == attempt
        trials.give_back(trial, DIED)
    assert trials.claim() is None
    assert trials.done()
    assert [row.state for row in rows(trials)] == ["died"]


def test_a_dead_trial_is_queued_again_by_one_of_two_watchers(sweep_file: Write) -> None:
    file = sweep_file([5])
    first, second = join(file), join(file)
    lost = first.claim()
    assert lost
    (trial,) = second.unfinished()
    first.give_back(trial, DIED)
    second.give_back(trial, DIED)
    assert [(index_of(t), attempt_of(t), t.state) for t in first.all()] == [
        (0, 0, TrialState.FAIL),
        (0, 1, TrialState.WAITING),
    ]


def test_a_worker_that_dies_between_ending_a_try_and_queueing_the_next_loses_nothing(sweep_file: Write) -> None:
    file = sweep_file([5])
    trials = join(file)
    trial = trials.claim()
    assert trial
    trials._end(trial.handle.number, DIED)  # … and not queued
    again = join(file).claim()
    assert again and (again.index, again.attempt) == (0, 1)


def test_a_trial_that_two_workers_queued_runs_once(sweep_file: Write) -> None:
    trials = join(sweep_file(range(3)))
    trials.queue(range(3))
    for index in range(3):  # another worker, whose view was older
        trials.study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.WAITING,
                system_attrs={"fixed_params": {"x": str(index)}},
                user_attrs={"index": index, "attempt": 0},
            )
        )
    ran = []
    while (trial := trials.claim()) is not None:
        ran.append(trial.index)
        trials.finish(trial, 0.0)
    assert ran == [0, 1, 2]
    assert len(trials.all()) == 3 and trials.done()


def test_a_worker_that_is_late_to_fill_the_queue_adds_nothing(sweep_file: Write) -> None:
    file = sweep_file(range(3))
    first, second = join(file), join(file)
    trial = second.unqueued()
    first.queue(first.unqueued())
    second.queue(trial)
    assert [(index_of(t), attempt_of(t)) for t in first.all()] == [(0, 0), (1, 0), (2, 0)]


def test_a_failed_trial_keeps_its_error_and_is_not_tried_again(sweep_file: Write) -> None:
    trials = join(sweep_file([5]))
    trial = trials.claim()
    assert trial
    trials.fail(trial, "ValueError: no")
    assert trials.claim() is None and trials.done()
    (row,) = rows(trials)
    assert (row.state, row.error, row.value) == ("failed", "ValueError: no", None)
    assert trials.best() is None


def test_the_best_follows_the_goal(sweep_file: Write) -> None:
    for goal, best in (("maximize", 2), ("minimize", 0)):
        file = sweep_file(range(3), metric={"name": "m", "goal": goal}, name=goal)
        run_all(file)
        best_trial = join(file).best()
        assert best_trial and index_of(best_trial) == best


def test_a_target_ends_the_sweep(sweep_file: Write) -> None:
    trials = join(sweep_file(range(9), metric={"name": "m", "goal": "maximize", "target": 1.0}))
    for _ in range(2):
        assert not trials.target_reached()
        trial = trials.claim()
        assert trial
        trials.finish(trial, float(trial.index))
    assert trials.target_reached() and trials.done()


def test_raising_run_cap_later_adds_trials(sweep_file: Write) -> None:
    space = {"min": 0.0, "max": 1.0}
    assert run_all(sweep_file(space, method="random", run_cap=2)) == [0, 1]
    assert run_all(sweep_file(space, method="random", run_cap=4)) == [2, 3]


def test_nan_does_not_stop_a_pruned_trial_from_being_recorded(sweep_file: Write) -> None:
    trials = join(sweep_file([1]))
    trial = trials.claim()
    assert trial
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trial.handle.report(0.7, 1)
        trial.handle.report(float("nan"), 2)
        trials.prune(trial)
    assert [(row.state, row.value) for row in rows(trials)] == [("stopped", 0.7)]
