"""What the group `finetune` says of layer groups: the stages of its schedule, and the adapters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, TypeVar

from ecg_lightning.ranges import Between, Items, Misfit, fit

T = TypeVar("T")


@dataclass(frozen=True)
class Waiting:
    """An entry of a schedule that waits until the validation no longer improves; its epoch is the earliest.

    Attributes:
        groups: layer groups that are unfrozen from then on, or `all`.
        when: what it waits for.
        patience: validations without a better one, since the entry before began.
    """

    groups: list[str] | str
    when: Literal["plateau"]
    patience: Annotated[int, Between(1, 1000)] = 2


@dataclass(frozen=True)
class Adapter:
    """Which layers get low-rank adapters.

    Attributes:
        rank: of the product that is added to each weight.
        groups: layer groups whose layers get one; None for every group below the head.
    """

    rank: Annotated[int, Between(1, 1024)] = 8
    groups: Annotated[list[str], Items(1, distinct=True)] | None = None

    def adapted(self, groups: Sequence[str]) -> list[str]:
        """Returns the layer groups with adapters, of a network that has these."""
        return [name for name in groups if name not in ("head", "branch")] if self.groups is None else list(self.groups)


@dataclass(frozen=True)
class Stage:
    """One entry of a schedule.

    Attributes:
        epoch: at which it begins or, where it waits, the earliest.
        groups: that are unfrozen; None for all.
        patience: validations without a better one that it waits for; None where it begins at its epoch.
    """

    epoch: int
    groups: tuple[str, ...] | None
    patience: int | None = None

    def unfrozen(self, groups: Sequence[str]) -> frozenset[str]:
        """Returns the layer groups that learn, of a network that has these."""
        return frozenset(groups if self.groups is None else self.groups)


def stages_of(schedule: Mapping[int, Any]) -> list[Stage]:
    """Returns the entries of a schedule, in order.

    Raises:
        Misfit: where an entry is not one, or where the first one waits.
    """
    stages = [_stage(epoch, schedule[epoch]) for epoch in sorted(schedule)]
    if stages and stages[0].epoch == 0 and stages[0].patience is not None:
        raise Misfit("schedule.0", schedule[0], "the layer groups that learn first: it has nothing to wait for")
    return stages


def adapter_of(values: Mapping[str, Any] | None) -> Adapter | None:
    """Returns the adapters that are configured.

    Raises:
        Misfit: for a key or a value that they cannot have.
    """
    return None if values is None else _dataclass_of(Adapter, values, "adapter", "{rank: 8, groups: [stage3, stage4]}")


def _stage(epoch: int, entry: Any) -> Stage:
    if not isinstance(entry, Mapping):
        return Stage(epoch, _names(fit(entry, list[str] | str, f"schedule.{epoch}")))
    waiting = _dataclass_of(Waiting, entry, f"schedule.{epoch}", "{groups: [stage4, head], when: plateau, patience: 2}")
    return Stage(epoch, _names(waiting.groups), waiting.patience)


def _dataclass_of(kind: type[T], values: Mapping[str, Any], place: str, example: str) -> T:
    """Makes a dataclass of plain values; the message for a wrong key has an example."""
    hints = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    try:
        kind(**values)
    except TypeError:  # a key that is unknown or missing
        raise Misfit(place, dict(values), f"of the form {example}") from None
    return kind(**{key: fit(value, hints[key], f"{place}.{key}") for key, value in values.items()})


def _names(groups: list[str] | str) -> tuple[str, ...] | None:
    """Returns the names of layer groups, which may be one name, a list, or `all`; None for all."""
    if groups == "all":
        return None
    return (groups,) if isinstance(groups, str) else tuple(groups)
