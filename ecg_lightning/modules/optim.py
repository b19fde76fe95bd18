"""Optimizer and schedule: parameter groups with a learning-rate factor for each layer group, warm-up, cosine or plateau."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import Annotated, Any, Literal

import torch
from torch import nn

from ecg_lightning.errors import UserError
from ecg_lightning.ranges import Between, Epochs, Misfit, check_fields

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


@dataclass
class Optim:
    """How a network is trained: loss weights, optimizer, schedule and stopping.

    Attributes:
        lr: peak learning rate of the head; other layer groups may have a factor of it (finetune.rates).
        optimizer: adamw, adam or sgd.
        weight_decay: on weights; never on biases and normalisation.
        schedule: cosine (to zero over all steps), plateau (divided by ten when validation AUROC no longer rises) or constant.
        warmup: share of all steps over which the learning rate rises from lr/25 to lr.
        plateau_patience: validations without a better one before `plateau` lowers the learning rate.
        patience: validations without a better one before training stops; null never stops early.
        positive_weight: balanced (negatives/positives), sqrt (its square root) or none.
        max_positive_weight: upper limit of that weight, for terms with very few positives.
        ema: validate and publish an exponential moving average of the weights; how much of it stays at each step, for example
            0.999. null takes the weights of the last step.
    """

    lr: Annotated[float, Between(0, 10, above=True)] = 2e-3
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    weight_decay: Annotated[float, Between(0, 10)] = 0.01
    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    warmup: Annotated[float, Between(0, 1, below=True)] = 0.3
    plateau_patience: Epochs = 3
    patience: Epochs | None = None
    positive_weight: Literal["balanced", "sqrt", "none"] = "sqrt"
    max_positive_weight: Annotated[float, Between(1, 1e6)] = 20.0
    ema: Annotated[float, Between(0, 1, above=True, below=True)] | None = None

    def __post_init__(self) -> None:
        try:
            check_fields(self)
        except Misfit as error:
            raise UserError(f"optim.{error}") from error

    def depends_on_length(self) -> bool:
        """Returns whether the learning rate at a step depends on how many steps the whole run has."""
        return self.schedule == "cosine" or (self.schedule == "constant" and self.warmup > 0)

    def schedule_at(self, step: int, steps: float) -> float:
        """Returns the learning rate at a step, divided by the peak: linear warm-up, then a half cosine to zero (or 1)."""
        rise = round(self.warmup * steps) if self.warmup else 0  # a run without an end may have no warm-up
        if step < rise:
            return 1 / 25 + (1 - 1 / 25) * step / rise
        if self.schedule != "cosine":
            return 1.0
        return 0.5 * (1 + cos(pi * min(1.0, (step - rise) / max(1, steps - rise))))

    def configure(
        self,
        groups: Mapping[str, nn.Module],
        lr_factors: Mapping[str, float],
        steps: float,
        monitor: str,
        fused: bool = True,
        every: int = 1,
    ) -> Any:
        """Makes what `LightningModule.configure_optimizers` returns: the optimizer and its schedule.

        Args:
            groups: the network's layer groups in order.
            lr_factors: the learning-rate factor of each layer group; 1 where it has none.
            steps: optimizer steps of the whole run.
            monitor: the validation metric that `plateau` watches.
            fused: whether one kernel does the whole step; not possible with gradient clipping in mixed precision.
            every: epochs from one validation to the next.
        """
        optimized = parameter_groups(groups, lr_factors, self.lr, self.weight_decay)
        smallest = max(torch.finfo(p.dtype).tiny for group in optimized for p in group["params"])
        # The optimizers' own 1e-8 is zero in float16, and the first step would divide by it.
        stable = {} if self.optimizer == "sgd" else {"eps": max(1e-8, smallest)}
        optimizer = OPTIMIZERS[self.optimizer](optimized, lr=self.lr, fused=fused, **stable)
        if self.schedule == "plateau":
            mode: Literal["min", "max"] = "min" if "loss" in monitor else "max"
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode, patience=self.plateau_patience)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": plateau, "monitor": monitor, "frequency": every, "strict": False},
            }
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.schedule_at(step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def parameter_groups(
    groups: Mapping[str, nn.Module], lr_factors: Mapping[str, float], lr: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Returns two optimizer groups for each layer group: weights, which decay; biases and normalisation, which do not.

    Parameters of a module that has an attribute `lr_factor`, such as the dynamics of a state-space layer, form a third
    group: it has that factor on the layer group's learning rate, and no weight decay.
    """
    optimized = []
    for name, group in groups.items():
        lr_of_group = lr * lr_factors.get(name, 1.0)
        factors = {module: getattr(module, "lr_factor", None) for module in group.modules()}
        slow = {p: factor for module, factor in factors.items() if factor for p in module.parameters()}
        parameters = [p for p in group.parameters() if p not in slow]
        for decays in (True, False):
            of_kind = [p for p in parameters if (p.ndim > 1) == decays]
            if of_kind:
                decay = weight_decay if decays else 0.0
                optimized.append({"params": of_kind, "lr": lr_of_group, "weight_decay": decay})
        for factor in sorted(set(slow.values())):
            of_kind = [p for p in slow if slow[p] == factor]
            optimized.append({"params": of_kind, "lr": lr_of_group * factor, "weight_decay": 0.0})
    return optimized


def decayed_factors(names: list[str], decay: float) -> dict[str, float]:
    """Returns learning-rate factors: 1 for the last group (the head), and for each earlier one `decay` times the next.

    >>> decayed_factors(["stem", "stage1", "head"], 0.5)
    {'stem': 0.25, 'stage1': 0.5, 'head': 1.0}
    """
    return {name: decay ** (len(names) - 1 - k) for k, name in enumerate(names)}
