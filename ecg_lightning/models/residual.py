"""Residual blocks, which ResNet1d and XResNet1d are made of."""

from collections.abc import Sequence
from typing import Annotated

from torch import Tensor, nn

from ecg_lightning.models.layers import conv_norm
from ecg_lightning.ranges import Items, Width

Widths = Annotated[Sequence[Width], Items(4, 4)]
"""Channels of the four stages."""


class Residual(nn.Module):
    """relu(body(x) + shortcut(x)).

    Args:
        body: (batch, channels, 1, time) → (batch, out, 1, time / stride).
        shortcut: The same shapes.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, 1, time) → (batch, out, 1, time / stride)."""
        # in place: the backward pass needs neither operand, and memory is what a step waits for
        y: Tensor = self.body(x)
        return y.add_(self.shortcut(x)).relu_()


def basic(channels: int, width: int, stride: int, kernel: int) -> tuple[nn.Sequential, int]:
    """Two convolutions of the kernel; returns them and their output channels."""
    first, second = conv_norm(channels, width, kernel, stride), conv_norm(width, width, kernel)
    return nn.Sequential(*first, nn.ReLU(inplace=True), *second), width


def bottleneck(channels: int, width: int, stride: int, kernel: int) -> tuple[nn.Sequential, int]:
    """Narrow, convolve, widen to four times the width; returns the layers and their output channels."""
    layers = [
        *conv_norm(channels, width, 1),
        nn.ReLU(inplace=True),
        *conv_norm(width, width, kernel, stride),
        nn.ReLU(inplace=True),
        *conv_norm(width, 4 * width, 1),
    ]
    return nn.Sequential(*layers), 4 * width


def projection(channels: int, out: int, stride: int) -> nn.Module:
    """A block's shortcut: the input itself, or a pointwise convolution where the shape changes."""
    if stride == 1 and channels == out:
        return nn.Identity()
    return nn.Sequential(*conv_norm(channels, out, 1, stride))
