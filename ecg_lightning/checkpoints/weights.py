"""A checkpoint's weights into a network: strict, the head apart, whose rows go by term."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ecg_lightning.errors import UserError
from ecg_lightning.models.network import Network

HEAD = "head."
"""Where a network's state has its last layer, whose rows are the terms."""


class Taken(NamedTuple):
    """What a network took from a checkpoint.

    Attributes:
        tensors: how many were taken whole.
        of: how many the network has.
        kept: terms whose row of the head was taken.
        fresh: terms whose row is new.
    """

    tensors: int
    of: int
    kept: list[str]
    fresh: list[str]

    def __str__(self) -> str:
        new = f"; fresh: {', '.join(self.fresh)}" if self.fresh else ""
        return f"{self.tensors}/{self.of} tensors; head: {len(self.kept)} of {len(self.kept) + len(self.fresh)} terms kept{new}"


def check_fits(network: Network, state: Mapping[str, Tensor], where: str, other_head: bool = False) -> None:
    """Compares a checkpoint's tensors with those of a network, by name, shape and type.

    Args:
        network: takes the weights; it may be on the meta device.
        state: the checkpoint's tensors.
        where: the checkpoint, for the message.
        other_head: allows a head of another number of rows.

    Raises:
        UserError: naming every tensor that is missing, unexpected, of another shape or of another type.
    """
    expected = network.state_dict()
    shared = expected.keys() & state.keys()
    differences = {
        "missing": sorted(expected.keys() - state.keys()),
        "unexpected": sorted(state.keys() - expected.keys()),
        "of another shape": sorted(
            f"{name} {tuple(state[name].shape)} for {tuple(expected[name].shape)}"
            for name in shared
            if state[name].shape[_rows(name, other_head) :] != expected[name].shape[_rows(name, other_head) :]
        ),
        "of another type": sorted(
            f"{name} {state[name].dtype} for {expected[name].dtype}"
            for name in shared
            if state[name].dtype.is_floating_point != expected[name].dtype.is_floating_point
        ),
    }
    if any(differences.values()):
        lines = [
            f"  {what}: {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
            for what, names in differences.items()
            if names
        ]
        raise UserError(
            f"The checkpoint {where} does not fit this network; is `model` the one it was trained with?\n"
            + "\n".join(lines)
        )


def _rows(name: str, other_head: bool) -> int:
    """The first dimension that is compared: that after the rows of a head whose terms may be others."""
    return int(other_head and name.startswith(HEAD))


def take_weights(
    network: Network,
    terms: Sequence[str],
    state: Mapping[str, Tensor],
    known: Sequence[str],
    reset_head: bool = False,
    where: str = "",
) -> Taken:
    """Copies a checkpoint's weights into a network: all of them, but for the head, whose rows go by term.

    Args:
        network: takes the weights.
        terms: the terms that the network predicts, one a row of its head.
        state: the checkpoint's tensors.
        known: the terms that the checkpoint's head predicts.
        reset_head: leave every row of the head fresh.
        where: the checkpoint, for the message.

    Raises:
        UserError: naming every tensor that is missing, unexpected, of another shape or of another type.
    """
    check_fits(network, state, where, other_head=True)
    kept = [] if reset_head else [term for term in terms if term in known]
    tensors, taken = network.state_dict(), 0
    with torch.no_grad():
        for name, tensor in tensors.items():
            if not name.startswith(HEAD):
                tensor.copy_(state[name])
                taken += 1
                continue
            for term in kept:
                tensor[terms.index(term)] = state[name][known.index(term)]
            taken += len(kept) == len(terms) == len(known)
    return Taken(taken, len(tensors), kept, [term for term in terms if term not in kept])
