"""The layers networks are made of; between them a signal is (batch, channels, 1, time).

The fourth axis lets the processor keep the channels last in memory, where a training step takes about four fifths
of the time that torch's own one-dimensional layers need. Weights have their one-dimensional shapes.
"""

import torch
from torch import Tensor, nn


def as_map(x: Tensor) -> Tensor:
    """(batch, channels, time) → (batch, channels, 1, time), in the memory order that the device is fastest with."""
    order = torch.channels_last if x.device.type == "cpu" else torch.contiguous_format
    return x.unsqueeze(2).contiguous(memory_format=order)


class Conv1d(nn.Conv1d):
    """Convolution over time that keeps the length, up to the stride.

    Args:
        channels: Channels of the input.
        out: Channels of the output.
        kernel: Its size, odd: an even one would shift and shorten the signal.
        stride: Step over time.
        bias: Whether it has one.

    Raises:
        ValueError: For an even kernel.
    """

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, bias: bool = False) -> None:
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"a kernel size must be odd and positive, got {kernel}")
        super().__init__(channels, out, kernel, stride, kernel // 2, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(batch, channels, 1, time) → (batch, out, 1, time / stride)."""
        # flattened first: the gradient then has the weight's own strides, which data-parallel training asks for
        weight = self.weight.flatten(1).view(self.out_channels, self.in_channels, 1, -1)
        return nn.functional.conv2d(input, weight, self.bias, (1, *self.stride), (0, self.kernel_size[0] // 2))


class FeatureNorm(nn.BatchNorm1d):
    """Batch normalisation of feature vectors (batch, features); a batch of one recording is taken as in evaluation.

    One recording has no variance over the batch, and torch's own layer refuses it: training would end where the last
    batch of an epoch holds a single recording.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(batch, features) → (batch, features)."""
        if self.training and input.shape[0] == 1:
            return nn.functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


def conv_norm(channels: int, out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution without bias and its batch normalisation."""
    return [Conv1d(channels, out, kernel, stride), nn.BatchNorm2d(out)]


def norm_relu(channels: int) -> list[nn.Module]:
    """Batch normalisation and ReLU."""
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


def halve_by_maximum() -> nn.Module:
    """The pooling that ends a stem: every second maximum of three samples."""
    return nn.MaxPool2d((1, 3), (1, 2), (0, 1))


def linear(features: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A head whose bias, if it has one, starts at zero."""
    layer = nn.Linear(features, outputs, bias=bias)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
