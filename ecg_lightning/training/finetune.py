"""Fine-tuning: which checkpoint gives the weights, when each layer group is frozen, and its learning-rate factor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from torch import nn

from ecg_lightning.config.finetuning import adapter_of, stages_of
from ecg_lightning.config.relations import check_schedule
from ecg_lightning.errors import UserError, suggest
from ecg_lightning.models.adapters import adapt
from ecg_lightning.modules.optim import decayed_factors
from ecg_lightning.ranges import Between, Epochs, Misfit, check_fields


@dataclass
class FineTune:
    """How a run starts from another run's weights.

    Attributes:
        checkpoint: a .ckpt or .safetensors file, a URL, a published name, or another project's `family:FILE`; null starts
            from scratch.
        schedule: epoch -> layer groups that are unfrozen from then on, or `all`: {0: [head], 2: [stage4, head], 4: all}. An
            entry {groups: all, when: plateau, patience: 2} begins at that epoch or later, after so many validations without a
            better one since the entry before it began.
        adapter: learn low-rank adapters (LoRA) in place of the weights of convolutions and linear layers, {rank: 8, groups:
            [stage3, stage4]}; without groups, of all below the head. Their other parameters stay as they are.
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
    schedule: dict[Epochs, list[str] | str | dict[str, Any]] = field(default_factory=lambda: {0: "all"})
    adapter: dict[str, Any] | None = None
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
        self.stages = stages_of(self.schedule)
        self.adapters = adapter_of(self.adapter)

    def check(self, groups: Sequence[str]) -> None:
        """Compares the names in the schedule, the factors and the adapters with a network's layer groups.

        Raises:
            UserError: for an unknown group.
        """
        scheduled = [name for stage in self.stages for name in stage.groups or ()]
        adapted = [] if self.adapters is None else self.adapters.groups or []
        for name in (*scheduled, *self.rates, *adapted):
            if name not in groups:
                hint = suggest(str(name), groups)
                raise UserError(
                    f"finetune: there is no layer group '{name}'. {hint}The network's: {', '.join(groups)}."
                )

    def freezes(self) -> bool:
        """Returns whether any parameter is ever frozen."""
        return self.adapters is not None or any(stage.groups is not None for stage in self.stages)

    def treats_groups_alike(self) -> bool:
        """Returns whether no layer group differs from another: none is frozen, and all have one learning-rate factor."""
        return not self.freezes() and self.layer_decay == 1 and not self.rates

    def waits(self) -> bool:
        """Returns whether an entry of the schedule waits for a plateau of the validation."""
        return any(stage.patience is not None for stage in self.stages)

    def adapt(self, groups: Mapping[str, nn.Module]) -> None:
        """Gives the layers of a network their adapters, where they are configured.

        Args:
            groups: the network's layer groups in order.

        Raises:
            UserError: where a named group has no layer that can have one.
        """
        if self.adapters is None:
            return
        names = self.adapters.adapted(list(groups))
        counts = {name: adapt(groups[name], self.adapters.rank) for name in names}
        if empty := [
            name for name in counts if not counts[name] and (self.adapters.groups or not any(counts.values()))
        ]:
            raise UserError(
                f"finetune.adapter: the layer group {' and '.join(empty)} has no convolution or linear layer. Choose among "
                f"{', '.join(groups)}."
            )

    def lr_factors(self, groups: Sequence[str]) -> dict[str, float]:
        """Returns the learning-rate factor of every layer group, given their names in order."""
        return decayed_factors(list(groups), self.layer_decay) | self.rates
