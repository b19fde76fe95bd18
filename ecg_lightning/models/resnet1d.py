"""ResNet1d: residual networks over time, 18 to 101 layers, in EcgLib's form or a smaller one."""

from collections.abc import Sequence
from typing import Annotated, Literal

from torch import Tensor, nn

from ecg_lightning.models.layers import FeatureNorm, conv_norm, halve_by_maximum, linear
from ecg_lightning.models.network import StagedNetwork
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.ranges import Between, Dropout, Items, Kernel, Width, checked

Block = Literal["bottleneck", "basic"]
Widths = Annotated[Sequence[Width], Items(4, 4)]

# Blocks in each stage. A depth's first row is its default; EcgLib's 18 layers are bottlenecks.
STAGES: dict[tuple[int, Block], tuple[int, ...]] = {
    (18, "bottleneck"): (1, 2, 2, 1),
    (18, "basic"): (2, 2, 2, 2),
    (34, "basic"): (3, 4, 6, 3),
    (50, "bottleneck"): (3, 4, 6, 3),
    (101, "bottleneck"): (3, 4, 23, 3),
}


class ResNet1d(StagedNetwork):
    """Residual network of He et al. (2016, arXiv:1512.03385) with one-dimensional convolutions.

    The defaults of depths 18, 50 and 101 are EcgLib 1.1.1's networks, layer for layer; 34, which EcgLib lacks, has the
    paper's basic blocks.

    Args:
        depth: 18, 34, 50 or 101.
        leads: Leads of an input.
        outputs: Logits.
        widths: Channels of the four stages; a bottleneck block puts out four times as many.
        kernel_size: Kernel of the blocks, odd.
        stem_kernel: Kernel of the first convolution, odd.
        block: "bottleneck" (1, k, 1), "basic" (k, k), or None for the depth's default.
        first_stride: Stride of the first stage; the other three halve the time axis.
        pooling: "max_mean" with batch normalisation, as EcgLib, the plain "mean", or "attention".
        dropout: Probability before the head.

    Raises:
        ValueError: For an argument outside its range, or a block that the depth does not have.
    """

    @checked
    def __init__(
        self,
        depth: Literal[18, 34, 50, 101] = 18,
        leads: Annotated[int, Between(1, 12)] = 12,
        outputs: Annotated[int, Between(1, 10_000)] = 7,
        widths: Widths = (64, 128, 256, 512),
        kernel_size: Kernel = 3,
        stem_kernel: Kernel = 3,
        block: Block | None = None,
        first_stride: Annotated[int, Between(1, 16)] = 2,
        pooling: Pooling = "max_mean",
        dropout: Dropout = 0.5,
    ) -> None:
        kinds = [kind for layers, kind in STAGES if layers == depth and block in (None, kind)]
        if not kinds:
            choices = ", ".join(f"{d} {b}" for d, b in STAGES)
            raise ValueError(f"ResNet1d has no depth {depth} with block {block}; choose one of: {choices}")

        body_layers = bottleneck if kinds[0] == "bottleneck" else basic
        channels = widths[0]
        stages = []
        for blocks, width, stride in zip(STAGES[depth, kinds[0]], widths, (first_stride, 2, 2, 2), strict=True):
            stage = []
            for i in range(blocks):
                body, out = body_layers(channels, width, stride if i == 0 else 1, kernel_size)
                stage.append(Residual(body, channels, out, stride if i == 0 else 1))
                channels = out
            stages.append(nn.Sequential(*stage))
        pool, features = pooling_layer(pooling, channels)
        normed = pooling == "max_mean"
        super().__init__(
            leads=leads,
            stem=nn.Sequential(*conv_norm(leads, widths[0], stem_kernel, 2), nn.ReLU(inplace=True), halve_by_maximum()),
            stages=stages,
            pool=pool,
            norm=FeatureNorm(features) if normed else nn.Identity(),
            # EcgLib's head has no bias: the normalisation before it has one
            head=linear(features, outputs, bias=not normed),
            dropout=dropout,
            stride=32 * first_stride,
        )


class Residual(nn.Module):
    """relu(body(x) + shortcut(x)); the shortcut is a projection where the shape changes.

    Args:
        body: The convolutions.
        channels: Channels of the input.
        out: Channels of the body's output.
        stride: Stride of the body.
    """

    def __init__(self, body: nn.Module, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = body
        same = stride == 1 and channels == out
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm(channels, out, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, 1, time) → (batch, out, 1, time / stride)."""
        # in place: the backward pass needs neither operand, and memory is what a step waits for
        y: Tensor = self.body(x)
        return y.add_(self.shortcut(x)).relu_()


def basic(channels: int, width: int, stride: int, kernel: int) -> tuple[nn.Module, int]:
    """Two convolutions of the kernel; returns them and their output channels."""
    first, second = conv_norm(channels, width, kernel, stride), conv_norm(width, width, kernel)
    return nn.Sequential(*first, nn.ReLU(inplace=True), *second), width


def bottleneck(channels: int, width: int, stride: int, kernel: int) -> tuple[nn.Module, int]:
    """Narrow, convolve, widen to four times the width; returns the layers and their output channels."""
    layers = [
        *conv_norm(channels, width, 1),
        nn.ReLU(inplace=True),
        *conv_norm(width, width, kernel, stride),
        nn.ReLU(inplace=True),
        *conv_norm(width, 4 * width, 1),
    ]
    return nn.Sequential(*layers), 4 * width
