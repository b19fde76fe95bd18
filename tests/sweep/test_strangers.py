"""What somebody else has written into a sweep's storage chooses nothing that the sweep's own file does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from ecg_lightning.commands.sweep import sweep as run
from ecg_lightning.errors import UserError
from ecg_lightning.sweep.definition import load_sweep
from ecg_lightning.sweep.storage import open_storage, open_study
from ecg_lightning.sweep.table import as_csv
from ecg_lightning.sweep.trials import Trials

Write = Callable[..., Path]

BEAT = {"host": "h", "machine": "m", "pid": 1, "started": "1", "key": "k", "every": 1.0, "count": 0}
FORGED: dict[str, dict[str, Any]] = {
    "another key": {"system_attrs": {"fixed_params": {"x": "1", "model.name": "os.system"}}},
    "another value": {"system_attrs": {"fixed_params": {"x": "$(touch /tmp/x)"}}},
    "no mapping": {"system_attrs": {"fixed_params": ["x"]}},
    "another parameter": {"params": {"y": 0.5}, "distributions": {"y": FloatDistribution(0, 1)}},
    "a path for an index": {"user_attrs": {"index": "../../elsewhere"}},
    "an index below 0": {"user_attrs": {"index": -1}},
    "no number of a try": {"user_attrs": {"attempt": "many"}},
    "a path for a process": {"user_attrs": {"beat": BEAT | {"pid": "../../tmp/x"}}},
    "half a beat": {"user_attrs": {"beat": {"every": 1.0}}},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_forged_trial_is_left_out(forged: dict[str, Any], sweep_file: Write, tmp_path: Path) -> None:
    sweep, journal = load_sweep(sweep_file([0, 1])), tmp_path / "s" / "study.journal"
    storage = open_storage(str(journal))
    study = open_study(sweep, storage)
    study.add_trial(create_trial(state=TrialState.WAITING, **forged))
    study.add_trial(create_trial(state=TrialState.RUNNING, **forged))
    study.add_trial(create_trial(state=TrialState.COMPLETE, value=99.0, **forged))
    trials = Trials(sweep, study, storage, 0, 2)
    assert (trials.foreign(), trials.all(), trials.best()) == (3, [], None)
    claimed = [trials.claim(), trials.claim(), trials.claim()]
    assert [trial and trial.values for trial in claimed] == [{"x": 0}, {"x": 1}, None]
    assert "99" not in as_csv(trials)


@pytest.mark.parametrize("distribution", [CategoricalDistribution(["7", "8"]), FloatDistribution(0, 10)])
def test_a_study_with_another_range_of_a_parameter_is_refused(
    distribution: BaseDistribution, sweep_file: Write, tmp_path: Path
) -> None:
    sweep, storage = load_sweep(sweep_file([0, 1])), open_storage(str(tmp_path / "study.journal"))
    study = open_study(sweep, storage)
    value: Any = "7" if isinstance(distribution, CategoricalDistribution) else 7.0
    study.add_trial(
        create_trial(state=TrialState.COMPLETE, value=99.0, params={"x": value}, distributions={"x": distribution})
    )
    trials = Trials(sweep, study, storage, 0, 2)
    assert trials.best() is None
    with pytest.raises(UserError, match="has trials that search other values"):
        trials.claim()


def test_the_command_says_how_many_it_left_out(
    sweep_file: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = sweep_file([2]), tmp_path / "s"
    study = open_study(load_sweep(file), open_storage(str(folder / "study.journal")))
    study.add_trial(create_trial(state=TrialState.WAITING, **FORGED["another key"]))
    assert run([str(file), "--dir", str(folder), "--best", str(tmp_path / "best.yaml")]) == 0
    assert "1 trials of the study are not of this sweep" in capsys.readouterr().out
    assert "os.system" not in (folder / "000" / "arguments.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("identity", ["not JSON", "[1]", 7, None])
def test_a_study_of_another_program_is_refused(identity: object, sweep_file: Write, tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "study.journal"))
    optuna.create_study(storage=storage, study_name="study", direction="maximize").set_user_attr("identity", identity)
    with pytest.raises(UserError, match="was not created by `sweep`"):
        open_study(load_sweep(sweep_file()), storage)
