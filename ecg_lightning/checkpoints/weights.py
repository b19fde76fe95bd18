"""A checkpoint's weights into a network: strict, the head apart, whose rows go by term."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from ecg_lightning.checkpoints.adapt import HEAD, with_branch, with_leads
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.errors import UserError
from ecg_lightning.models.metadata import BRANCH, SIGNAL, MetadataNetwork
from ecg_lightning.models.network import Network

HEAD_GROUP = ("pool.", "norm.", f"{SIGNAL}pool.", f"{SIGNAL}norm.", HEAD)
"""Where a network's state has the layer group `head`."""


class Transfer(NamedTuple):
    """What a network took from a checkpoint.

    Attributes:
        names: of the tensors that were copied whole.
        tensors: number of tensors that the network has.
        kept_terms: terms whose row of the head was copied.
        fresh_terms: terms whose row of the head is new.
        notes: what was brought to other leads or has a fresh branch, a sentence each.
    """

    names: frozenset[str]
    tensors: int
    kept_terms: list[str]
    fresh_terms: list[str]
    notes: tuple[str, ...] = ()

    @property
    def copied(self) -> int:
        """How many tensors were copied whole."""
        return len(self.names)

    def __str__(self) -> str:
        kept, terms = len(self.kept_terms), len(self.kept_terms) + len(self.fresh_terms)
        fresh = f"; fresh: {', '.join(self.fresh_terms)}" if self.fresh_terms else ""
        parts = [f"{self.copied}/{self.tensors} tensors", f"head: {kept} of {terms} terms kept{fresh}", *self.notes]
        return "; ".join(parts)


class Inputs(NamedTuple):
    """What a network sees.

    Attributes:
        leads: of the signal, in order.
        columns: of the patient data beside it.
    """

    leads: Sequence[str]
    columns: Sequence[str] = ()

    @classmethod
    def of(cls, card: Card) -> Self:
        """Returns what the network of a card sees."""
        return cls(card.input.leads, card.metadata.columns if card.metadata is not None else ())


def fits(network: Network, state: Mapping[str, Tensor]) -> bool:
    """Returns whether tensors have the names and the shapes of a network's."""
    expected = network.state_dict()
    return expected.keys() == state.keys() and all(state[name].shape == expected[name].shape for name in expected)


def check_fits(
    network: Network,
    state: Mapping[str, Tensor],
    where: str,
    other_head: bool = False,
    without: tuple[str, ...] = (),
) -> None:
    """Compares a checkpoint's tensors with those of a network, by name, shape and type.

    Args:
        network: takes the weights; it may be on the meta device.
        state: the checkpoint's tensors.
        where: the checkpoint, for the message.
        other_head: allows a head of another number of rows.
        without: beginnings of the names that are not compared.

    Raises:
        UserError: naming every tensor that is missing, unexpected, of another shape or of another type.
    """
    differing = differences(network, state, other_head, without)
    if differing:
        in_head = all(name.startswith(HEAD_GROUP) for names in differing.values() for name in names)
        advice = "\nOnly the head differs. finetune.reset_head=true starts with a fresh one." if in_head else ""
        raise UserError(
            f"The checkpoint {where} does not fit this network; is `model` the one it was trained with?\n"
            f"{listed(differing)}{advice}"
        )


def differences(
    network: Network, state: Mapping[str, Tensor], other_head: bool = False, without: tuple[str, ...] = ()
) -> dict[str, list[str]]:
    """Returns how a checkpoint's tensors differ from a network's, and the names of those that do; arguments as of `check_fits`."""
    expected, state = (_without(tensors, without) for tensors in (network.state_dict(), state))
    common_names = expected.keys() & state.keys()
    differing = {
        "missing": sorted(expected.keys() - state.keys()),
        "unexpected": sorted(state.keys() - expected.keys()),
        "of another shape": sorted(
            f"{name} {tuple(state[name].shape)} for {tuple(expected[name].shape)}"
            for name in common_names
            if state[name].shape[_first_dimension(name, other_head) :]
            != expected[name].shape[_first_dimension(name, other_head) :]
        ),
        "of another type": sorted(
            f"{name} {state[name].dtype} for {expected[name].dtype}"
            for name in common_names
            if state[name].dtype.is_floating_point != expected[name].dtype.is_floating_point
        ),
    }
    return {difference: names for difference, names in differing.items() if names}


def listed(differing: Mapping[str, list[str]]) -> str:
    """Writes what `differences` returns: a line each, with the first names."""
    return "\n".join(
        f"  {difference}: {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
        for difference, names in differing.items()
    )


def check_head(state: Mapping[str, Tensor], terms: Sequence[str], where: str) -> None:
    """Compares the rows of a checkpoint's head with the terms of its card.

    Raises:
        UserError: where it has not one row for each.
    """
    for name, tensor in state.items():
        if name.startswith(HEAD) and tensor.shape[:1] != (len(terms),):
            raise UserError(
                f"{where} contradicts itself: its card names {len(terms)} terms, and the shape of its tensor {name} is "
                f"{tuple(tensor.shape)}. It was damaged, or its card was changed."
            )


def _without(tensors: Mapping[str, Tensor], beginnings: tuple[str, ...]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(beginnings)}


def _head_shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Returns the shapes in the layer group `head`, without the number of terms."""
    return {
        name: tuple(tensor.shape[_first_dimension(name, other_head=True) :])
        for name, tensor in tensors.items()
        if name.startswith(HEAD_GROUP)
    }


def _first_dimension(name: str, other_head: bool) -> int:
    """Returns the first dimension that is compared: 1 for a head that may have another number of rows."""
    return int(other_head and name.startswith(HEAD))


def take_weights(
    network: Network,
    terms: Sequence[str],
    state: Mapping[str, Tensor],
    state_terms: Sequence[str],
    reset_head: bool = False,
    where: str = "",
    inputs: Inputs | None = None,
    state_inputs: Inputs | None = None,
) -> Transfer:
    """Copies a checkpoint's weights into a network: the rows of the head by term, the columns of the first layer by lead.

    Args:
        network: takes the weights.
        terms: the terms that the network predicts, one a row of its head.
        state: the checkpoint's tensors.
        state_terms: the terms that the checkpoint's head predicts, one a row of it.
        reset_head: leave every row of the head fresh; where its pooling is another one, all of the head's layers.
        where: the checkpoint, for the message.
        inputs: what the network sees; None where it is what the checkpoint saw.
        state_inputs: what the checkpoint saw.

    Raises:
        UserError: naming every tensor that is missing, unexpected, of another shape or of another type; where the checkpoint
            has a branch for patient data and the network has none; or where the
            checkpoint's head has not one row for each of its terms.
    """
    notes: list[str] = []
    partial: set[str] = set()
    if inputs is not None and state_inputs is not None:
        same_columns = list(inputs.columns) == list(state_inputs.columns)
        state = with_branch(network, state, same_columns, where)
        if isinstance(network, MetadataNetwork) and not same_columns:
            partial |= {name for name in network.state_dict() if name.startswith(BRANCH) or name == f"{HEAD}weight"}
            notes.append(f"branch for {', '.join(inputs.columns)}: fresh")
        if list(inputs.leads) != list(state_inputs.leads):
            state, note = with_leads(network, state, list(inputs.leads), list(state_inputs.leads))
            partial |= {*network.lead_weights}
            notes += [note] if note else []
    check_head(state, state_terms, where)
    tensors, copied = network.state_dict(), set[str]()
    fresh = HEAD_GROUP if reset_head and _head_shapes(state) != _head_shapes(tensors) else ()
    check_fits(network, state, where, other_head=True, without=fresh)
    row_of = {term: row for row, term in enumerate(state_terms)}
    kept_terms = [] if reset_head else [term for term in terms if term in row_of]
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name.startswith(fresh):
                continue
            if not name.startswith(HEAD):
                tensor.copy_(state[name])
                copied.add(name)
                continue
            for term in kept_terms:
                tensor[terms.index(term)] = state[name][row_of[term]]
            if len(kept_terms) == len(terms) == len(state_terms):
                copied.add(name)
    fresh_terms = [term for term in terms if term not in kept_terms]
    return Transfer(frozenset(copied - partial), len(tensors), kept_terms, fresh_terms, tuple(notes))
