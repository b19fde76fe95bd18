import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ecg_lightning.config.compose import conf_folder
from ecg_lightning.errors import UserError
from ecg_lightning.sweep.command import check_parameters, fill_command
from ecg_lightning.sweep.definition import load_sweep

SHIPPED = sorted((conf_folder() / "sweep").glob("*.yaml"))
Write = Callable[..., Path]


def test_a_grid_has_every_point_exactly_once(sweep_file: Write) -> None:
    parameters = {"a": {"values": [1, 2, 3]}, "b": {"values": ["x", "y"]}, "c": {"min": 0, "max": 1}, "d": {"value": 7}}
    sweep = load_sweep(sweep_file(parameters=parameters))
    assert sweep.size == 12
    points = [tuple(sweep.values(sweep.samples(index, 0)).values()) for index in range(12)]
    assert points == list(itertools.product([1, 2, 3], ["x", "y"], [0, 1], [7]))


def test_random_draws_depend_on_the_seed_and_the_index_alone(sweep_file: Write) -> None:
    sweep = load_sweep(sweep_file({"min": 0.0, "max": 1.0}, method="random", run_cap=3))
    draws = [sweep.samples(index, seed)["x"] for seed in (0, 1) for index in range(3)]
    assert len(set(draws)) == 6
    assert draws[:3] == [sweep.samples(index, 0)["x"] for index in range(3)]
    assert sweep.size == 3


def test_names_of_classes_come_before_their_arguments(sweep_file: Write) -> None:
    sweep = load_sweep(sweep_file(parameters={"model.depth": {"value": 34}, "model.name": {"value": "ResNet1dModule"}}))
    assert list(sweep.values(sweep.samples(0, 0))) == ["model.name", "model.depth"]


def test_the_name_is_given_or_the_file_s_or_its_stem(sweep_file: Write) -> None:
    assert load_sweep(sweep_file(name="lr")).name == "lr"
    assert load_sweep(sweep_file(name="lr"), "mine").name == "mine"


@pytest.mark.parametrize(
    ("entry", "stopping"),
    [
        ({"type": "hyperband", "min_iter": 3}, ("hyperband", 3, None, 3)),
        ({"type": "hyperband", "min_iter": 2, "eta": 2, "max_iter": 16}, ("hyperband", 2, 16, 2)),
        ({"type": "hyperband", "max_iter": 27, "s": 2}, ("hyperband", 3, 27, 3)),  # brackets at 27/9 and 27/3
        ({"type": "median", "min_iter": 5}, ("median", 5, None, 3)),
    ],
)
def test_early_termination_counts_epochs(
    sweep_file: Write, entry: dict[str, object], stopping: tuple[object, ...]
) -> None:
    rule = load_sweep(sweep_file(early_terminate=entry)).stopping
    assert rule is not None
    assert (rule.kind, rule.first, rule.last, rule.factor) == stopping


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"method": "annealing"}, "method='annealing' must be one of grid, random, bayes"),
        ({"metric": {"goal": "maximize"}}, "metric: name the logged number that decides"),
        ({"metric": {"name": "val/auroc", "goal": "max"}}, "metric.goal='max' must be one of minimize, maximize"),
        ({"runcap": 3}, "Did you mean: 'run_cap'"),
        ({"run_cap": 0}, "run_cap=0 must be a whole number from 1"),
        ({"parameters": {}}, "list at least one"),
        ({"parameters": {"x": {"min": 0.0, "max": 1.0}}}, "a grid needs a list of values"),
        (
            {"parameters": {"a.b": {"value": 1}, "a": {"parameters": {"b": {"value": 2}}}}},
            "a.b is in the file more than once",
        ),
        ({"early_terminate": {"type": "hyperband"}}, "give min_iter, or max_iter and s"),
        (
            {"early_terminate": {"type": "hyperband", "min_iter": 9, "max_iter": 3}},
            "max_iter 3 is before the first check",
        ),
        ({"command": "python train.py"}, "command must be a list of words"),
        ({"command": ["${program}", "${args}"]}, "has no key program"),
    ],
)
def test_a_mistake_in_the_file_names_file_and_key(sweep_file: Write, more: dict[str, object], message: str) -> None:
    file = sweep_file(**more)
    with pytest.raises(UserError) as caught:
        load_sweep(file)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_a_file_that_is_no_yaml_says_where(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("method: [grid\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"broken.yaml cannot be read as YAML.*line 2"):
        load_sweep(file)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_sweep_fits_its_experiment(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith("# ")
    check_parameters(load_sweep(file))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_sweep_passes_w_and_b_s_own_check(file: Path) -> None:
    sweeps = pytest.importorskip("sweeps", reason="W&B's checker, the package sweeps, is not installed")
    assert sweeps.schema_violations_from_proposed_config(yaml.safe_load(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_w_and_b_s_agent_would_run_the_same_command(file: Path, tmp_path: Path) -> None:
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    sweep = load_sweep(file)
    values = sweep.values({p.name: p.draw(0.4) for p in sweep.parameters})
    agent_words = utils.create_sweep_command_args({"args": {key: {"value": value} for key, value in values.items()}})
    command = utils.create_sweep_command(yaml.safe_load(file.read_text(encoding="utf-8"))["command"])
    expected = [word for part in command for word in (agent_words["args"] if part == "${args}" else [part])]
    words = fill_command(sweep.command, values, tmp_path)
    assert words[2:] == expected[2:]
    assert (expected[:2], words[:2]) == (["${env}", "${interpreter}"], ["/usr/bin/env", sys.executable])
