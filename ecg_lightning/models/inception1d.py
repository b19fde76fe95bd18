"""Inception1d: the PTB-XL benchmark's InceptionTime, convolutions of three lengths side by side."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ecg_lightning.models.head import hidden_layer
from ecg_lightning.models.layers import Conv1d, conv_norm, linear
from ecg_lightning.models.network import StagedNetwork
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.ranges import Between, Dropout, Width, checked


class Inception1d(StagedNetwork):
    """InceptionTime of Ismail Fawaz et al. (2020, arXiv:1909.04939).

    Input: (batch, leads, samples) of at least 32 samples; no layer shortens the time axis. The defaults are the network
    that Strodthoff et al. (2020, arXiv:2004.13701) trained on PTB-XL at 100 Hz, layer for layer: 516,167 parameters with
    71 outputs. Three blocks and their shortcut form a layer group: the first is the `stem`.

    Args:
        depth: Blocks, a multiple of three.
        leads: Leads of an input.
        outputs: Logits.
        width: Channels of each of a block's four branches.
        bottleneck: Channels to which a block narrows its input before the long convolutions.
        kernel_size: The longest kernel, odd; the other two have about a half and a quarter of it, odd as well.
        hidden: Units of a hidden layer between the pooling and the head; None for none.
        pooling: "max_mean", as the benchmark, "mean" or "attention".
        dropout: Probability before the head; half of it before the hidden layer.

    Raises:
        ValueError: For an argument outside its range, or a depth that is no multiple of three.
    """

    reference = "Ismail Fawaz et al. 2020, arXiv:1909.04939"
    published: ClassVar[Mapping[str, float]] = {"inception1d": 0.925}
    lead_weights = ("stem.blocks.0.bottleneck.weight", "stem.blocks.0.maximum.1.weight", "stem.shortcut.0.weight")

    @checked
    def __init__(
        self,
        depth: Annotated[int, Between(3, 30)] = 6,
        leads: Annotated[int, Between(1, 12)] = 12,
        outputs: Annotated[int, Between(1, 10_000)] = 7,
        width: Width = 32,
        bottleneck: Width = 32,
        kernel_size: Annotated[int, Between(9, 255, odd=True)] = 39,
        hidden: Width | None = 128,
        pooling: Pooling = "max_mean",
        dropout: Dropout = 0.5,
    ) -> None:
        if depth % 3:
            raise ValueError(
                f"Inception1d has a shortcut over every three blocks: depth={depth} must be a multiple of 3"
            )
        # 39, 19, 9: the benchmark asks for 40, 20 and 10 and takes one off each even kernel
        kernels = [kernel_size, *(odd_below((kernel_size + 1) // share) for share in (2, 4))]
        channels = leads
        triples = []
        for _ in range(depth // 3):
            triples.append(InceptionTriple(channels, width, bottleneck, kernels))
            channels = 4 * width
        pool, features = pooling_layer(pooling, channels)
        norm, features = hidden_layer(features, hidden, dropout)
        super().__init__(
            leads=leads,
            stem=triples[0],
            stages=triples[1:],
            pool=pool,
            norm=norm,
            head=linear(features, outputs),
            dropout=dropout,
            stride=32,
        )
        for module in (*self.stem.modules(), *self.stages.modules()):
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight)


class InceptionTriple(nn.Module):
    """relu(three blocks(x) + projection(x)).

    Args:
        channels: Channels of the input; the output has `4 * width`.
        width: Channels of each branch.
        bottleneck: Channels to which a block narrows its input.
        kernels: Lengths of the convolutions.
    """

    def __init__(self, channels: int, width: int, bottleneck: int, kernels: list[int]) -> None:
        super().__init__()
        sizes = (channels, 4 * width, 4 * width)
        self.blocks = nn.Sequential(*(InceptionBlock(size, width, bottleneck, kernels) for size in sizes))
        self.shortcut = nn.Sequential(*conv_norm(channels, 4 * width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, 1, time) → (batch, 4 · width, 1, time)."""
        return torch.relu(self.blocks(x) + self.shortcut(x))


class InceptionBlock(nn.Module):
    """Convolutions of several lengths over a narrowed input, and one over its local maximum, side by side.

    Args:
        channels: Channels of the input.
        width: Channels of each branch.
        bottleneck: Channels to which the input is narrowed.
        kernels: Lengths of the convolutions.
    """

    def __init__(self, channels: int, width: int, bottleneck: int, kernels: list[int]) -> None:
        super().__init__()
        self.bottleneck = Conv1d(channels, bottleneck, 1)
        self.convolutions = nn.ModuleList(Conv1d(bottleneck, width, kernel) for kernel in kernels)
        self.maximum = nn.Sequential(nn.MaxPool2d((1, 3), 1, (0, 1)), Conv1d(channels, width, 1))
        self.norm = nn.Sequential(nn.BatchNorm2d((len(kernels) + 1) * width), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, 1, time) → (batch, (kernels + 1) · width, 1, time)."""
        narrow = self.bottleneck(x)
        branches = [convolution(narrow) for convolution in self.convolutions]
        y: Tensor = self.norm(torch.cat([*branches, self.maximum(x)], dim=1))
        return y


def odd_below(size: int) -> int:
    """The size itself where it is odd, else one less."""
    return size if size % 2 else size - 1
