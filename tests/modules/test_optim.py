"""Rates, parameter groups and schedules by hand calculation."""

import pytest
import torch
from torch import nn

from ecg_lightning.errors import UserError
from ecg_lightning.modules.optim import Optim, decayed_factors, parameter_groups


def groups() -> dict[str, nn.Module]:
    return {"stem": nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3)), "head": nn.Linear(3, 2)}


def test_weights_decay_and_vectors_do_not_and_every_layer_group_has_its_rate() -> None:
    param_groups = parameter_groups(groups(), {"stem": 0.1}, lr=0.01, weight_decay=0.3)
    summary = [(g["lr"], g["weight_decay"], [tuple(p.shape) for p in g["params"]]) for g in param_groups]
    assert summary == [
        (0.001, 0.3, [(3, 2, 3)]), (0.001, 0.0, [(3,), (3,), (3,)]), (0.01, 0.3, [(2, 3)]), (0.01, 0.0, [(2,)]),
    ]  # fmt: skip


def test_a_module_with_a_factor_learns_at_its_share_and_does_not_decay() -> None:
    slow = nn.Linear(3, 2)
    slow.lr_factor = 0.1
    network = {"stem": nn.Sequential(nn.Linear(2, 3), slow)}
    optimizer_groups = parameter_groups(network, {"stem": 0.5}, lr=0.02, weight_decay=0.3)
    assert [(g["lr"], g["weight_decay"], [tuple(p.shape) for p in g["params"]]) for g in optimizer_groups] == [
        (0.01, 0.3, [(3, 2)]), (0.01, 0.0, [(3,)]), (pytest.approx(0.001), 0.0, [(2, 3), (2,)]),
    ]  # fmt: skip


def test_every_parameter_is_in_one_group_frozen_or_not() -> None:
    network = groups()
    network["stem"].requires_grad_(False)
    parameters = [p for g in parameter_groups(network, {}, 0.1, 0.0) for p in g["params"]]
    assert {id(p) for p in parameters} == {id(p) for m in network.values() for p in m.parameters()}
    assert len(parameters) == 6


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine() -> None:
    optim = Optim(warmup=0.2)
    assert optim.schedule_at(0, 100) == pytest.approx(0.04)
    assert optim.schedule_at(10, 100) == pytest.approx(0.52)
    assert optim.schedule_at(20, 100) == pytest.approx(1.0)
    assert optim.schedule_at(60, 100) == pytest.approx(0.5)
    assert optim.schedule_at(100, 100) == pytest.approx(0.0)
    assert Optim(warmup=0.0, schedule="constant").schedule_at(77, 100) == 1.0


def test_a_cosine_run_ends_near_zero_each_group_at_its_share() -> None:
    configuration = Optim(lr=1.0, warmup=0.5).configure(groups(), {"stem": 0.1}, steps=10, monitor="val/auroc")
    optimizer, scheduler = configuration["optimizer"], configuration["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(10):
        optimizer.step()
        scheduler.step()
        rates.append([g["lr"] for g in optimizer.param_groups])
    assert rates[4] == pytest.approx([0.1, 0.1, 1.0, 1.0])
    assert rates[-1] == pytest.approx([0.0] * 4)
    assert configuration["lr_scheduler"]["interval"] == "step"


@pytest.mark.parametrize(("monitor", "mode"), [("val/auroc", "max"), ("val/loss", "min")])
def test_plateau_watches_validation(monitor: str, mode: str) -> None:
    configuration = Optim(schedule="plateau", plateau_patience=0).configure(groups(), {}, 10, monitor)
    scheduler = configuration["lr_scheduler"]["scheduler"]
    assert isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
    assert (scheduler.mode, configuration["lr_scheduler"]["monitor"]) == (mode, monitor)


def test_layer_rates_by_hand() -> None:
    assert decayed_factors(["a", "b", "c"], 0.75) == {"a": 0.5625, "b": 0.75, "c": 1.0}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "adamv"}, "optim.optimizer='adamv' must be one of adamw, adam, sgd"),
        ({"schedule": "cos"}, "must be one of cosine, plateau, constant"),
        ({"positive_weight": "yes"}, "must be one of balanced, sqrt, none"),
        ({"lr": 0.0}, "optim.lr=0.0 must be a number above 0"),
        ({"warmup": 1.0}, "optim.warmup=1.0 must be a number from 0 and below 1"),
    ],
)
def test_mistakes_list_the_choices(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Optim(**values)  # type: ignore[arg-type]
