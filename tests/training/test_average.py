"""The moving average of the weights: its numbers by hand, in the network's place while it is validated."""

from typing import Any, cast

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn

from ecg_lightning.errors import UserError
from ecg_lightning.modules.optim import Optim
from ecg_lightning.training.callbacks.average import TRAINED, Average


class Steps:
    """As much of a Trainer as the callback asks for."""

    global_step = 0


class Tiny(pl.LightningModule):
    """One weight, one frozen weight, and batch normalisation."""

    def __init__(self, kind: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0], dtype=kind))
        self.frozen = nn.Parameter(torch.tensor([1 / 3], dtype=kind), requires_grad=False)
        self.norm = nn.BatchNorm1d(1)


def train(average: Average, module: Tiny, weights: list[float], trainer: Any) -> None:
    for weight in weights:
        with torch.no_grad():
            module.weight.fill_(weight)
        module.norm.running_mean.fill_(10 * weight)
        module.norm.num_batches_tracked.add_(1)
        trainer.global_step += 1
        for _ in range(2):  # the second batch of two makes no step of its own
            average.on_train_batch_end(trainer, module, None, None, 0)


def started(decay: float, module: Tiny) -> tuple[Average, Any]:
    average, trainer = Average(decay), cast(Any, Steps())
    average.on_fit_start(trainer, module)
    average.on_train_start(trainer, module)
    return average, trainer


def values(state: dict[str, Tensor]) -> tuple[float, float, int]:
    return float(state["weight"]), float(state["norm.running_mean"]), int(state["norm.num_batches_tracked"])


def test_the_average_by_hand_with_statistics_and_counters() -> None:
    module = Tiny()
    average, trainer = started(0.25, module)
    before = module.frozen.clone()
    train(average, module, [2.0, 4.0], trainer)
    # decays 2/11, then 3/12: the second is that of the configuration
    first, mean = 2 / 11 + 2 * 9 / 11, 20 * 9 / 11
    checkpoint: dict[str, Any] = {"state_dict": module.state_dict()}
    average.on_save_checkpoint(trainer, module, checkpoint)
    expected = (first * 0.25 + 4 * 0.75, mean * 0.25 + 40 * 0.75, 2)
    assert values(checkpoint["state_dict"]) == pytest.approx(expected)
    assert torch.equal(checkpoint["state_dict"]["frozen"], before)  # to the last bit
    assert values(checkpoint[TRAINED]) == (4.0, 40.0, 2)


def test_the_average_is_validated_and_the_training_goes_on_with_the_weights() -> None:
    module = Tiny()
    average, trainer = started(0.5, module)
    train(average, module, [3.0], trainer)
    average.on_validation_start(trainer, module)
    assert values(module.state_dict())[0] == pytest.approx(2 / 11 + 3 * 9 / 11)
    average.on_validation_end(trainer, module)
    assert values(module.state_dict()) == (3.0, 30.0, 1)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_resumed_average_goes_on_with_both(kind: torch.dtype) -> None:
    whole = Tiny(kind)
    average, trainer = started(0.9, whole)
    train(average, whole, [1.5, 1.25], trainer)
    checkpoint: dict[str, Any] = {"state_dict": {key: tensor.clone() for key, tensor in whole.state_dict().items()}}
    average.on_save_checkpoint(trainer, whole, checkpoint)
    assert checkpoint["state_dict"]["weight"].dtype == torch.float32
    saved = {key: {name: tensor.clone() for name, tensor in state.items()} for key, state in checkpoint.items()}
    resumed = Tiny(kind)
    resumed.load_state_dict(saved["state_dict"])  # as Lightning does
    other = Average(0.9)
    other.on_load_checkpoint(trainer, resumed, saved)
    other.on_fit_start(trainer, resumed)
    later = cast(Any, Steps())
    later.global_step = trainer.global_step
    other.on_train_start(later, resumed)
    for each, module, steps in ((average, whole, trainer), (other, resumed, later)):
        train(each, module, [1.75], steps)
    ends = []
    for each, module in ((average, whole), (other, resumed)):
        end: dict[str, Any] = {"state_dict": module.state_dict()}
        each.on_save_checkpoint(trainer, module, end)
        ends.append(end)
    for key in ("state_dict", TRAINED):
        assert all(torch.equal(ends[0][key][name], ends[1][key][name]) for name in ends[0][key])


@pytest.mark.parametrize("decay", [0.0, 1.0, -1.0, 2.0])
def test_a_decay_outside_of_0_to_1_is_refused(decay: float) -> None:
    with pytest.raises(UserError, match=rf"optim.ema={decay} must be a number above 0 and below 1"):
        Optim(ema=decay)
