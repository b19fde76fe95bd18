"""DenseNet1d: densely connected networks over time with 121 or 201 layers, equal to EcgLib's."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ecg_lightning.models.layers import Conv1d, halve_by_maximum, linear, norm_relu
from ecg_lightning.models.network import StagedNetwork
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.ranges import Between, Dropout, Kernel, Width, checked

# Layers in each of the four dense blocks
STAGES = {121: (6, 12, 24, 16), 201: (6, 12, 48, 32)}


class DenseNet1d(StagedNetwork):
    """Densely connected network of Huang et al. (2017, arXiv:1608.06993) with one-dimensional convolutions.

    The defaults are EcgLib 1.1.1's networks, layer for layer.

    Args:
        depth: 121 or 201.
        leads: Leads of an input.
        outputs: Logits.
        growth_rate: Channels that each layer adds.
        stem_width: Channels of the stem.
        bottleneck: A layer first narrows its input to `bottleneck * growth_rate` channels.
        kernel_size: Kernel of the layers, odd.
        stem_kernel: Kernel of the first convolution, odd.
        pooling: "mean", as EcgLib, "max_mean" or "attention".
        dropout: Probability before the head.

    Raises:
        ValueError: For an argument outside its range, such as another depth or an even kernel.
    """

    reference = "Huang et al. 2017, arXiv:1608.06993; EcgLib"
    lead_weights = ("stem.0.weight",)

    @checked
    def __init__(
        self,
        depth: Literal[121, 201] = 121,
        leads: Annotated[int, Between(1, 12)] = 12,
        outputs: Annotated[int, Between(1, 10_000)] = 7,
        growth_rate: Annotated[int, Between(1, 1024)] = 32,
        stem_width: Width = 64,
        bottleneck: Annotated[int, Between(1, 64)] = 4,
        kernel_size: Kernel = 3,
        stem_kernel: Kernel = 7,
        pooling: Pooling = "mean",
        dropout: Dropout = 0.0,
    ) -> None:
        channels = stem_width
        stages = []
        for i, layers in enumerate(STAGES[depth]):
            block = DenseBlock(layers, channels, growth_rate, bottleneck * growth_rate, kernel_size)
            channels += layers * growth_rate
            if i < 3:
                stages.append(nn.Sequential(block, transition(channels)))
                channels //= 2
            else:
                stages.append(nn.Sequential(block, *norm_relu(channels)))
        pool, features = pooling_layer(pooling, channels)
        stem = Conv1d(leads, stem_width, stem_kernel, 2, bias=True)
        super().__init__(
            leads=leads,
            stem=nn.Sequential(stem, *norm_relu(stem_width), halve_by_maximum()),
            stages=stages,
            pool=pool,
            norm=nn.Identity(),
            head=linear(features, outputs),
            dropout=dropout,
            stride=32,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight)


class DenseBlock(nn.Module):
    """Layers that each see what all the earlier ones put out.

    Args:
        layers: How many.
        channels: Channels of the input; the output has `layers * growth_rate` more.
        growth_rate: Channels that each layer adds.
        width: Channels that a layer first narrows its input to.
        kernel_size: Kernel of the layers.
    """

    def __init__(self, layers: int, channels: int, growth_rate: int, width: int, kernel_size: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                *norm_relu(size),
                Conv1d(size, width, 1, bias=True),
                *norm_relu(width),
                Conv1d(width, growth_rate, kernel_size, bias=True),
            )
            for size in range(channels, channels + layers * growth_rate, growth_rate)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, 1, time) → (batch, channels + layers * growth_rate, 1, time)."""
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x


def transition(channels: int) -> nn.Module:
    """Halve the channels and the time axis."""
    # pooled before the pointwise convolution: both are linear, so they commute, and this order does half the work
    return nn.Sequential(*norm_relu(channels), nn.AvgPool2d((1, 2)), Conv1d(channels, channels // 2, 1, bias=True))
