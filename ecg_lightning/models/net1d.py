"""Net1D: grouped residual convolutions with squeeze-and-excitation, the network of ECGFounder."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ecg_lightning.models.layers import linear
from ecg_lightning.models.network import StagedNetwork
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.ranges import Between, Dropout, Items, Width, checked


class Net1D(StagedNetwork):
    """Network of Hong et al. (2020, "HOLMES", arXiv:2008.04063), which ECGFounder pretrained (arXiv:2410.04133).

    Input: (batch, leads, samples); ECGFounder reads 12 leads at 500 Hz for 10 s. Every convolution pads its input with
    zeros so that a stride of 2 halves the time axis, rounded up: any length of at least 128 samples is read.
    The defaults are ECGFounder's and have 30,752,646 parameters with 150 outputs. Its own files count 30,819,014 in 509
    tensors: they also hold batch normalisations, which its forward pass never uses.

    Args:
        leads: Leads of an input.
        outputs: Logits.
        widths: Channels of the stages; each stage halves the time axis.
        blocks: Blocks of each stage.
        stem_width: Channels of the stem.
        kernel_size: Kernel of the stem and of the blocks, even or odd.
        group_width: Channels of one group of the blocks' middle convolution.
        batch_norm: Whether batch normalisation precedes each activation. ECGFounder has none.
        pooling: "mean", as ECGFounder, "max_mean" or "attention".
        dropout: Probability before the head.

    Raises:
        ValueError: For an argument outside its range, or widths that do not fit the blocks or the groups.
    """

    reference = "Hong et al. 2020, arXiv:2008.04063"
    published: ClassVar[Mapping[str, float]] = {"net1d": 0.929}
    lead_weights = ("stem.0.weight",)

    @checked
    def __init__(
        self,
        leads: Annotated[int, Between(1, 12)] = 12,
        outputs: Annotated[int, Between(1, 10_000)] = 7,
        widths: Annotated[Sequence[Width], Items(1, 8)] = (64, 160, 160, 400, 400, 1024, 1024),
        blocks: Annotated[Sequence[Annotated[int, Between(1, 64)]], Items(1, 8)] = (2, 2, 2, 3, 3, 4, 4),
        stem_width: Width = 64,
        kernel_size: Annotated[int, Between(1, 255)] = 16,
        group_width: Width = 16,
        batch_norm: bool = False,
        pooling: Pooling = "mean",
        dropout: Dropout = 0.0,
    ) -> None:
        if len(widths) != len(blocks):
            raise ValueError(f"Net1D needs as many blocks as widths, got {len(blocks)} blocks and {len(widths)} widths")
        if any(width % group_width for width in widths):
            raise ValueError(f"Net1D's widths={list(widths)} must be multiples of group_width={group_width}")
        if list(widths) != sorted(widths) or widths[0] < stem_width:
            raise ValueError(
                f"Net1D's widths={list(widths)} must not decrease, nor begin below stem_width={stem_width}"
            )

        channels = stem_width
        stages = []
        for i, (width, depth) in enumerate(zip(widths, blocks, strict=True)):
            stage = []
            for j in range(depth):
                # the stem ends with the activation that the first block would begin with
                before = nn.Identity() if i == j == 0 else norm_swish(channels, batch_norm)
                stride = 2 if j == 0 else 1
                stage.append(Net1DBlock(before, channels, width, kernel_size, stride, width // group_width, batch_norm))
                channels = width
            stages.append(nn.Sequential(*stage))
        pool, features = pooling_layer(pooling, channels)
        super().__init__(
            leads=leads,
            stem=nn.Sequential(SameConv1d(leads, stem_width, kernel_size, 2), norm_swish(stem_width, batch_norm)),
            stages=stages,
            pool=pool,
            norm=nn.Identity(),
            head=linear(features, outputs),
            dropout=dropout,
            # padding makes one step of any length; two seconds at 100 Hz are 200 samples
            stride=128,
        )


class Net1DBlock(nn.Module):
    """Pointwise, grouped and pointwise convolution, each channel weighted by squeeze-and-excitation, and a shortcut.

    The shortcut has no parameters: its time axis is halved by maximum, and its channels are padded with zeros.

    Args:
        before: Normalisation and activation of the input.
        channels: Channels of the input.
        out: Channels of the output, no fewer.
        kernel: Kernel of the grouped convolution.
        stride: Stride of the grouped convolution, 1 or 2.
        groups: Groups of the grouped convolution.
        batch_norm: Whether batch normalisation precedes each activation.
    """

    def __init__(
        self, before: nn.Module, channels: int, out: int, kernel: int, stride: int, groups: int, batch_norm: bool
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            before,
            SameConv1d(channels, out, 1),
            norm_swish(out, batch_norm),
            SameConv1d(out, out, kernel, stride, groups),
            norm_swish(out, batch_norm),
            SameConv1d(out, out, 1),
        )
        self.excitation = nn.Sequential(nn.Linear(out, out // 2), nn.SiLU(), nn.Linear(out // 2, out), nn.Sigmoid())
        self.stride = stride
        missing = out - channels
        self.missing = (missing // 2, missing - missing // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, 1, time) → (batch, out, 1, time / stride, rounded up)."""
        y: Tensor = self.body(x)
        y = y * self.excitation(y.mean((2, 3)))[:, :, None, None]
        if self.stride == 2:
            # the zero is the partner of a last sample that has none, as in the reference
            x = nn.functional.max_pool2d(nn.functional.pad(x, (0, 1)), (1, 2))
        if any(self.missing):
            x = nn.functional.pad(x, (0, 0, 0, 0, *self.missing))
        return y + x


class SameConv1d(nn.Conv1d):
    """Convolution over time with bias whose output has time / stride steps, rounded up.

    An even kernel needs an odd number of zeros around the recording: the odd one goes to its end, as in the reference.

    Args:
        channels: Channels of the input.
        out: Channels of the output.
        kernel: Its size, even or odd.
        stride: Step over time, 1 or 2.
        groups: Groups of channels that are convolved apart.
    """

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, stride, groups=groups)

    def forward(self, input: Tensor) -> Tensor:
        """(batch, channels, 1, time) → (batch, out, 1, time / stride, rounded up)."""
        kernel = self.kernel_size[0]
        if kernel % 2 == 0:
            input = nn.functional.pad(input, (0, 1))
        # flattened first: the gradient then has the weight's own strides, which data-parallel training asks for
        weight = self.weight.flatten(1).view(self.out_channels, -1, 1, kernel)
        y: Tensor = torch.conv2d(
            input, weight, self.bias, (1, *self.stride), (0, (kernel - 1) // 2), groups=self.groups
        )
        return y


def norm_swish(channels: int, batch_norm: bool) -> nn.Module:
    """Batch normalisation, where asked for, and x · sigmoid(x)."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.SiLU()) if batch_norm else nn.SiLU()
