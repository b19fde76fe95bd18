import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from optuna.trial import FrozenTrial

from ecg_lightning.sweep import heartbeat
from ecg_lightning.sweep.heartbeat import BEAT, Watch, Worker, this_worker

HERE = this_worker(every=10.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that the test sets."""
    settable = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: settable.now)
    return settable


def trial(beat: object) -> FrozenTrial:
    return SimpleNamespace(number=3, user_attrs={} if beat is None else {BEAT: beat})  # type: ignore[return-value]


def elsewhere(count: int) -> dict[str, object]:
    return Worker("node7", "another kernel", 1, "1", "k", every=10.0).beat(count)


def dead_after(clock: SimpleNamespace, watch: Watch, beat: object, seconds: int) -> bool:
    """Looks every five seconds; whether the trial was found dead."""
    for _ in range(seconds // 5):
        clock.now += 5
        if watch.dead([trial(beat)]):
            return True
    return False


def test_a_worker_elsewhere_is_dead_after_four_missed_beats(clock: SimpleNamespace) -> None:
    watch = Watch(HERE)
    assert not dead_after(clock, watch, elsewhere(1), 40)
    assert not dead_after(clock, watch, elsewhere(2), 40)
    assert dead_after(clock, watch, elsewhere(2), 10)


def test_a_trial_that_was_claimed_and_never_begun_is_found_too(clock: SimpleNamespace) -> None:
    assert dead_after(clock, Watch(HERE), None, 60)


def test_an_outage_of_the_storage_kills_nobody(clock: SimpleNamespace) -> None:
    watch = Watch(HERE)
    assert not dead_after(clock, watch, elsewhere(1), 30)
    clock.now += 3600
    assert not dead_after(clock, watch, elsewhere(1), 40)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_process_of_this_machine_is_known_to_be_gone_at_once() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = heartbeat._start_of(child.pid)
    beat = Worker("here", HERE.machine, child.pid, started, "k", every=10.0).beat(1)
    watch = Watch(HERE)
    assert watch.dead([trial(beat)]) == []
    child.communicate(b"\n")
    assert len(watch.dead([trial(beat)])) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_number_that_another_process_has_taken_over_is_not_the_worker() -> None:
    beat = Worker("here", HERE.machine, os.getpid(), "12", "k", every=10.0).beat(1)
    assert len(Watch(HERE).dead([trial(beat)])) == 1
    assert Watch(HERE).dead([trial(HERE.beat(1))]) == []
