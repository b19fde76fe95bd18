"""Fine-tuning: which checkpoint gives the weights, when each layer group is frozen, and its learning-rate factor."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from ecg_lightning.config.relations import check_schedule
from ecg_lightning.errors import UserError, suggest
from ecg_lightning.modules.optim import decayed_factors
from ecg_lightning.ranges import Between, Epochs, Misfit, check_fields


@dataclass
class FineTune:
    """How a run starts from another run's weights.

    Attributes:
        checkpoint: a .ckpt or .safetensors file, a URL, a published name, or another project's `family:FILE`; null starts
            from scratch.
        schedule: epoch -> layer groups that are unfrozen from then on, or `all`: {0: [head], 2: [stage4, head], 4: all}.
        layer_decay: the learning-rate factor of each layer group is this times that of the next one; the head has 1.
        rates: learning-rate factors of single layer groups, for example {stem: 0.01}; they win over layer_decay.
        reset_head: start the head from random weights, also for terms that the checkpoint has; only then may it have another
            pooling.
        cache: compute what the frozen layers put out once, and train the head on that: the same network in a fraction of the
            time. Everything but the head must stay frozen, and nothing random may come before it (no data.augment).
        allow_rate: start from a checkpoint that expects another sampling rate.
        allow_preprocess: start from another project's weights that expect other filters or another normalisation.
    """

    checkpoint: str | None = None
    schedule: dict[Epochs, list[str] | str] = field(default_factory=lambda: {0: "all"})
    layer_decay: Annotated[float, Between(0, 1, above=True)] = 1.0
    rates: dict[str, Annotated[float, Between(0, 1000)]] = field(default_factory=dict)
    reset_head: bool = False
    cache: bool = False
    allow_rate: bool = False
    allow_preprocess: bool = False

    def __post_init__(self) -> None:
        try:
            check_fields(self)
        except Misfit as error:
            raise UserError(f"finetune.{error}") from error
        check_schedule(vars(self))

    def check(self, groups: Sequence[str]) -> None:
        """Compares the names in the schedule and the factors with a network's layer groups.

        Raises:
            UserError: for an unknown group.
        """
        scheduled = [name for entry in self.schedule.values() if entry != "all" for name in _group_names(entry)]
        for name in (*scheduled, *self.rates):
            if name not in groups:
                hint = suggest(str(name), groups)
                raise UserError(
                    f"finetune: there is no layer group '{name}'. {hint}The network's: {', '.join(groups)}."
                )

    def freezes(self) -> bool:
        """Returns whether any layer group is ever frozen."""
        return any(entry != "all" for entry in self.schedule.values())

    def unfrozen(self, epoch: int, groups: Sequence[str]) -> frozenset[str]:
        """Returns the layer groups that learn in an epoch: a function of the epoch alone.

        >>> FineTune(schedule={0: ["head"], 4: "all"}).unfrozen(3, ["stem", "head"])
        frozenset({'head'})
        """
        entry = self.schedule[max(begin for begin in self.schedule if begin <= epoch)]
        return frozenset(groups) if entry == "all" else frozenset(_group_names(entry))

    def lr_factors(self, groups: Sequence[str]) -> dict[str, float]:
        """Returns the learning-rate factor of every layer group, given their names in order."""
        return decayed_factors(list(groups), self.layer_decay) | self.rates


def _group_names(entry: Any) -> list[str]:
    """Returns an entry of the schedule as a list of names: it may be one name, or a list."""
    if isinstance(entry, str):
        return [entry]
    if isinstance(entry, list):
        return [str(name) for name in entry]
    raise UserError(f"finetune.schedule: {entry!r} must be `all` or a list of layer groups.")
