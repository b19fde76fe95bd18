"""Fine-tuning: which checkpoint gives the weights, which layer groups are awake when, and at what share of the rate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from ecg_lightning.config.relations import check_schedule
from ecg_lightning.errors import UserError, suggest
from ecg_lightning.modules.optim import layer_rates
from ecg_lightning.ranges import Between, Epochs, Misfit, check_fields


@dataclass
class FineTune:
    """How a run starts from another run's weights.

    Attributes:
        checkpoint: a .ckpt or .safetensors file, a URL, or a published name; null starts from scratch.
        schedule: epoch -> layer groups that are awake from then on, or `all`: {0: [head], 2: [stage4, head], 4: all}.
        layer_decay: each layer group learns at this share of the rate of the next one; the head at the full rate.
        rates: a share of the rate for single layer groups, for example {stem: 0.01}; wins over layer_decay.
        reset_head: start the head fresh even for terms that the checkpoint knows.
    """

    checkpoint: str | None = None
    schedule: dict[Epochs, list[str] | str] = field(default_factory=lambda: {0: "all"})
    layer_decay: Annotated[float, Between(0, 1, above=True)] = 1.0
    rates: dict[str, Annotated[float, Between(0, 1000)]] = field(default_factory=dict)
    reset_head: bool = False

    def __post_init__(self) -> None:
        try:
            check_fields(self)
        except Misfit as error:
            raise UserError(f"finetune.{error}") from error
        check_schedule(vars(self))

    def check(self, groups: Sequence[str]) -> None:
        """Compares the names with a network's layer groups.

        Raises:
            UserError: for an unknown group.
        """
        named = [name for awake in self.schedule.values() if awake != "all" for name in _listed(awake)]
        for name in (*named, *self.rates):
            if name not in groups:
                hint = suggest(str(name), groups)
                raise UserError(
                    f"finetune: there is no layer group '{name}'. {hint}The network's: {', '.join(groups)}."
                )

    def freezes(self) -> bool:
        """Whether anything is ever frozen."""
        return any(awake != "all" for awake in self.schedule.values())

    def awake(self, epoch: int, groups: Sequence[str]) -> frozenset[str]:
        """The layer groups that learn in an epoch: a function of the epoch alone.

        >>> FineTune(schedule={0: ["head"], 4: "all"}).awake(3, ["stem", "head"])
        frozenset({'head'})
        """
        awake = self.schedule[max(begin for begin in self.schedule if begin <= epoch)]
        return frozenset(groups) if awake == "all" else frozenset(_listed(awake))

    def rates_of(self, groups: Sequence[str]) -> dict[str, float]:
        """The share of the learning rate of every layer group."""
        return layer_rates(list(groups), self.layer_decay) | self.rates


def _listed(awake: Any) -> list[str]:
    if isinstance(awake, str):
        return [awake]
    if isinstance(awake, list):
        return [str(name) for name in awake]
    raise UserError(f"finetune.schedule: {awake!r} is neither `all` nor a list of layer groups.")
