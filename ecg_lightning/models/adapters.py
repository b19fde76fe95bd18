"""Low-rank adapters (LoRA): the weights of convolutions and linear layers stay, and a product of two small matrices is learnt.

Hu et al. 2021 (arXiv:2106.09685). The product is added to the weight itself, so that a network with adapters computes what
the plain network computes with the merged weights.
"""

from collections.abc import Mapping
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)
"""What can have an adapter."""
MARK = ".parametrizations.weight."
"""What the names of an adapted layer's tensors have between the layer's name and the tensor's."""


class LowRank(nn.Module):
    """Adds the product of two matrices to a weight; it is zero at first.

    Args:
        weight: (outputs, …) of the layer.
        rank: of the product, at most that of the weight.

    Attributes:
        up: (outputs, rank), zero at first.
        down: (rank, numbers of an output), random at first.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight.flatten(1).shape
        rank = min(rank, outputs, inputs)
        self.up = nn.Parameter(weight.new_zeros(outputs, rank))
        self.down = nn.Parameter(weight.new_empty(rank, inputs))
        nn.init.kaiming_uniform_(self.down, a=sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with the product added, in the weight's own precision."""
        with torch.autocast(weight.device.type, enabled=False):
            return added(weight, self.up, self.down)


def added(weight: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """Adds the product of `up` (outputs, rank) and `down` (rank, numbers of an output) to a weight (outputs, …)."""
    return weight + (up @ down).view_as(weight)


def adapt(group: nn.Module, rank: int) -> int:
    """Gives every convolution and linear layer of a layer group an adapter; returns how many there are."""
    layers = [module for module in group.modules() if isinstance(module, LAYERS)]
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))
    return len(layers)


def adapter_size(group: nn.Module) -> int:
    """Returns how many numbers the adapters of a layer group have; 0 where it has none."""
    adapters = [module for module in group.modules() if isinstance(module, LowRank)]
    return sum(weights.numel() for adapter in adapters for weights in adapter.parameters())


def freeze_all_but_adapters(group: nn.Module) -> None:
    """Freezes what is not an adapter in a layer group, the statistics of its normalisation too."""
    for module in group.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
        if not isinstance(module, LowRank):
            for weights in module.parameters(recurse=False):
                weights.requires_grad_(False)


def merged(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Returns the state of the plain network whose weights are those with the adapters' products added.

    Args:
        state: of a network with adapters; that of a plain network is returned as it is.
    """
    if not any(MARK in name for name in state):
        return state
    tensors: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer, mark, part = name.partition(MARK)
        if not mark:
            tensors[name] = tensor
        elif part == "original":
            tensors[f"{layer}.weight"] = added(tensor, *(state[f"{layer}{MARK}0.{each}"] for each in ("up", "down")))
    return tensors
