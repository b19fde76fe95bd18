import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ecg_lightning.config import compose as config
from ecg_lightning.errors import UserError
from ecg_lightning.sweep.command import check_parameters, fill_command, fit_arguments
from ecg_lightning.sweep.definition import FIT_COMMAND, load_sweep

Write = Callable[..., Path]
FIT = ["${env}", "${interpreter}", "-m", "ecg_lightning", "fit", "--config", "default", "${args}"]


@pytest.mark.parametrize(
    ("macro", "words"),
    [
        ("${args}", ["--optim.lr=0.001", "--data.augment=false"]),
        ("${args_no_hyphens}", ["optim.lr=0.001", "data.augment=false"]),
        ("${args_no_equals}", ["--optim.lr", "0.001", "--data.augment", "false"]),
        ("${args_no_boolean_flags}", ["--optim.lr=0.001"]),
        ("${args_append_hydra}", ["+optim.lr=0.001", "+data.augment=false"]),
        ("${args_override_hydra}", ["++optim.lr=0.001", "++data.augment=false"]),
        ("${args_json}", ['{"optim.lr": 0.001, "data.augment": false}']),
    ],
)
def test_macros_of_the_arguments(macro: str, words: list[str], tmp_path: Path) -> None:
    assert fill_command(["run", macro], {"optim.lr": 0.001, "data.augment": False}, tmp_path) == ["run", *words]


def test_other_macros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_FOLDER", "/here")
    filled = fill_command(
        ["${env}", "${interpreter}", "data=${envvar:MY_FOLDER}/x", "${args_json_file}"], {"a": 1}, tmp_path
    )
    assert filled[:3] == ["/usr/bin/env", sys.executable, "data=/here/x"]
    assert json.loads(Path(filled[3]).read_text(encoding="utf-8")) == {"a": 1}


def test_a_command_without_arguments_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no .{args}"):
        fill_command(["python", "train.py"], {}, tmp_path)
    with pytest.raises(UserError, match=r"no macro .{arguments}"):
        fill_command(["python", "${arguments}", "${args}"], {}, tmp_path)


def test_the_arguments_of_fit_are_found() -> None:
    assert fit_arguments(FIT_COMMAND) == ["${args}"]
    assert fit_arguments(["/usr/bin/ecg-lightning", "fit", "a=1"]) == ["a=1"]
    assert fit_arguments(["python", "train.py", "fit"]) is None


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"optim.lrr": {"values": [1.0e-3]}}, "parameters.optim.lrr = 0.001.*Did you mean: 'lr'"),
        ({"optim": {"parameters": {"lrr": {"value": 1.0}}}}, "parameters.optim.lrr"),
        ({"optim.lr": {"values": [1.0e-3, "fast"]}}, "parameters.optim.lr = fast.*must be a number above 0"),
        ({"optin.lr": {"value": 1.0}}, "Did you mean: 'optim'"),
        ({"config": {"values": ["finetune/everything", "finetune/gradul"]}}, "Did you mean: 'finetune/gradual'"),
    ],
)
def test_a_parameter_that_is_no_key_of_the_experiment_is_answered_before_anything_runs(
    sweep_file: Write, parameters: dict[str, object], message: str
) -> None:
    sweep = load_sweep(sweep_file(parameters=parameters, command=FIT))
    with pytest.raises(UserError, match=f"(?s)study.yaml.*{message}"):
        check_parameters(sweep)


def test_a_mistake_of_the_command_is_not_blamed_on_a_parameter(sweep_file: Write) -> None:
    sweep = load_sweep(sweep_file(parameters={"optim.lr": {"value": 1.0e-3}}, command=[*FIT, "trainer.max_epoch=3"]))
    with pytest.raises(UserError, match=r"the command, before any parameter.*Did you mean: 'max_epochs'"):
        check_parameters(sweep)


def test_another_program_s_parameters_are_its_own(sweep_file: Write) -> None:
    check_parameters(load_sweep(sweep_file()))


def test_w_and_b_s_agent_passes_nested_parameters_as_one_value_and_they_mean_the_same() -> None:
    """Its `${args}` writes Python's text of a nested group: --optim={'lr': 1e-05, 'warmup': 0.1}."""
    nested = config.compose(["--config", "default", f"--optim={ {'lr': 1e-05, 'warmup': 0.1} }"])
    dotted = config.compose(["--config", "default", "--optim.lr=1e-05", "--optim.warmup=0.1"])
    assert nested == dotted
