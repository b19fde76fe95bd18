"""Schedules that wait for a plateau: when they go on, what a checkpoint keeps, and what cannot be."""

import math
from typing import Any

import pytest

from ecg_lightning.config.compose import compose
from ecg_lightning.config.finetuning import stages_of
from ecg_lightning.config.schema import check
from ecg_lightning.errors import UserError
from ecg_lightning.models.resnet1d import ResNet1d
from ecg_lightning.modules.optim import Optim
from ecg_lightning.training.arguments import check_arguments
from ecg_lightning.training.finetune import FineTune
from ecg_lightning.training.group_table import group_table
from ecg_lightning.training.progress import Progress

GROUPS = ["stem", "stage1", "stage2", "stage3", "stage4", "head"]
WAITING = {
    0: ["head"],
    1: {"groups": ["stage4", "head"], "when": "plateau"},
    3: {"groups": "all", "when": "plateau", "patience": 1},
}


def numbers(progress: Progress, values: list[float], first: int = 0) -> list[int]:
    """The stage of each epoch, which ends with a validation of that value."""
    stages = []
    for epoch, value in enumerate(values, first):
        progress.start_epoch(epoch)
        progress.start_epoch(epoch)  # as at the start of a training
        stages.append(progress.number)
        progress.add_validation(value)
    return stages


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0, 0, 0, 0, 0]),
        ([0.5, 0.4, 0.3, 0.9, 0.9, 0.1], [0, 0, 0, 1, 1, 2]),  # equal is not better; the new stage compares anew
        ([0.5, 0.4, 0.6, 0.5, 0.5, 0.7, 0.7, 0.7], [0, 0, 0, 0, 0, 1, 1, 2]),
        ([math.nan, math.nan, 0.5, 0.5], [0, 0, 1, 1]),
    ],
)
def test_a_stage_begins_after_validations_without_a_better_one(values: list[float], expected: list[int]) -> None:
    assert numbers(Progress(stages_of(WAITING)), values) == expected


def test_an_entry_with_an_epoch_alone_begins_there_and_ends_the_waiting() -> None:
    schedule: dict[int, Any] = {0: ["head"], 1: {"groups": ["stage4"], "when": "plateau", "patience": 9}, 3: "all"}
    assert numbers(Progress(stages_of(schedule)), [0.1] * 5) == [0, 0, 0, 2, 2]
    plain = Progress(stages_of({0: ["head"], 2: ["stage4", "head"], 4: "all"}))
    assert numbers(plain, [0.1] * 5) == [0, 0, 1, 1, 2]
    assert plain.state() == {}  # a function of the epoch


@pytest.mark.parametrize("cut", range(7))
def test_a_state_goes_on_as_if_it_had_not_been_cut(cut: int) -> None:
    values = [0.5, 0.4, 0.3, 0.9, 0.8, 0.8, 0.1]
    whole, first, second = (Progress(stages_of(WAITING)) for _ in range(3))
    expected = numbers(whole, values)
    before = numbers(first, values[:cut])
    second.load(first.state())
    assert before + numbers(second, values[cut:], cut) == expected
    assert second.state() == whole.state()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("finetune.adapter={rank: 0}", "finetune.adapter.rank=0 must be a whole number from 1 to 1024"),
        (
            "finetune.adapter={ranks: 4}",
            r"finetune.adapter=.* must be of the form {rank: 8, groups: \[stage3, stage4\]}",
        ),
        ("finetune.adapter={groups: []}", r"finetune.adapter.groups=\[\] must be a list of at least one item"),
        ("finetune.schedule={0: {groups: all, when: plateau}}", "finetune.schedule.0=.* it has nothing to wait for"),
        ("finetune.schedule={0: [head], 1: {groups: all}}", r"finetune.schedule.1=.* must be of the form {groups: "),
        ("finetune.schedule={0: [head], 1: {groups: all, when: later}}", "schedule.1.when='later' must be plateau"),
        (
            "finetune.schedule={0: [head], 1: {groups: all, when: plateau, patience: 0}}",
            "schedule.1.patience=0 must be a whole number from 1",
        ),
        ("optim.ema=1", "optim.ema=1 must be a number above 0 and below 1, or null"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_imported(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(compose(["--config", "default", word]))


def test_unknown_groups_and_groups_without_a_layer_are_named() -> None:
    for values in (
        {"adapter": {"groups": ["stage9"]}},
        {"schedule": {0: "all", 2: {"groups": ["stage9"], "when": "plateau"}}},
    ):
        with pytest.raises(UserError, match=r"there is no layer group 'stage9'. Did you mean: 'stage4'"):
            FineTune(**values).check(GROUPS)  # type: ignore[arg-type]
    network = ResNet1d(18, outputs=3, widths=(4, 4, 8, 8), block="basic", pooling="mean")
    groups = network.layer_groups() | {"stage1": network.dropout}
    with pytest.raises(
        UserError, match=r"the layer group stage1 has no convolution or linear layer. Choose among stem"
    ):
        FineTune(adapter={"groups": ["stage1", "stage2"]}).adapt(groups)
    with pytest.raises(UserError, match=r"finetune.adapter trains in them. Set finetune.cache=false"):
        FineTune(schedule={0: ["head"]}, cache=True, adapter={})


def test_a_plateau_needs_validation() -> None:
    with pytest.raises(
        UserError, match=r"`when: plateau` in finetune.schedule compares epochs by their validation, and there is none"
    ):
        check_arguments({"limit_val_batches": 0}, Optim(), freezes=True, waits=True)


def test_the_table_of_the_layer_groups() -> None:
    network = ResNet1d(18, outputs=3, widths=(4, 4, 8, 8), block="basic", pooling="mean")
    copied = [name for name in network.state_dict() if not name.startswith("head.")]
    finetune = FineTune(
        schedule={0: ["head"], 1: ["stage4", "head"], 3: {"groups": ["stage3", "stage4", "head"], "when": "plateau"}},
        layer_decay=0.5,
        adapter={"rank": 2, "groups": ["stage4"]},
    )
    finetune.adapt(network.layer_groups())
    assert group_table(network, finetune, copied).splitlines() == TABLE.strip("\n").splitlines()
    columns = group_table(network, FineTune(layer_decay=0.5), None).splitlines()[0].split("  ")
    assert [column.strip() for column in columns if column] == [
        "group",
        "parameters",
        "in adapters",
        "learning-rate factor",
        "frozen until",
    ]


TABLE = """
group   parameters  in adapters  tensors taken  learning-rate factor  frozen until
stem           152                         6/6               0.03125  the end
stage1         248                       30/30                0.0625  the end
stage2         248                       30/30                 0.125  the end
stage3         784                       30/30                  0.25  a plateau, epoch 3 or later
stage4         912          288          30/30                   0.5  epoch 1
head            27                         0/2                     1  -
"""
