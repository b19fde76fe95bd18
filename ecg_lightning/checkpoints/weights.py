"""A checkpoint's weights into a network: strict, the head apart, whose rows go by term."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ecg_lightning.errors import UserError
from ecg_lightning.models.network import Network


class Taken(NamedTuple):
    """What a network took from a checkpoint."""

    tensors: int
    of: int
    kept: list[str]
    fresh: list[str]

    def __str__(self) -> str:
        new = f"; fresh: {', '.join(self.fresh)}" if self.fresh else ""
        return f"{self.tensors}/{self.of} tensors; head: {len(self.kept)} of {len(self.kept) + len(self.fresh)} terms kept{new}"


def take_weights(
    network: Network, terms: Sequence[str], state: Mapping[str, Tensor], known: Sequence[str], reset_head: bool = False
) -> Taken:
    """Copies a checkpoint's weights into a network: all of them, but for the head, whose rows go by term.

    Args:
        network: takes the weights.
        terms: the terms that the network predicts, one a row of its head.
        state: the checkpoint's tensors.
        known: the terms that the checkpoint's head predicts.
        reset_head: leave every row of the head fresh.

    Raises:
        UserError: naming every tensor that is missing, unexpected or of another shape.
    """
    own = network.state_dict()
    head = {name for name in own if name.startswith("head.")}
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    differing = [
        f"{name} {tuple(state[name].shape)} for {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if state[name].shape != own[name].shape and not (name in head and state[name].shape[1:] == own[name].shape[1:])
    ]
    if missing or extra or differing:
        said = [("missing", missing), ("unexpected", extra), ("of another shape", sorted(differing))]
        lines = [
            f"  {what}: {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
            for what, names in said
            if names
        ]
        raise UserError(
            "The checkpoint does not fit this network; is `model` the one it was trained with?\n" + "\n".join(lines)
        )
    kept = [] if reset_head else [term for term in terms if term in known]
    taken = 0
    with torch.no_grad():
        for name, tensor in own.items():
            if name not in head:
                tensor.copy_(state[name])
                taken += 1
                continue
            for term in kept:
                tensor[terms.index(term)] = state[name][known.index(term)]
            taken += len(kept) == len(terms) == len(known)
    return Taken(taken, len(own), kept, [term for term in terms if term not in kept])
