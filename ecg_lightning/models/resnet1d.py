"""ResNet1d: residual networks over time, 18 to 101 layers, in EcgLib's form or a smaller one."""

from typing import Annotated, Literal

from torch import nn

from ecg_lightning.models.layers import FeatureNorm, conv_norm, halve_by_maximum, linear
from ecg_lightning.models.network import StagedNetwork
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.models.residual import Residual, Widths, basic, bottleneck, projection
from ecg_lightning.ranges import Between, Dropout, Kernel, checked

Block = Literal["bottleneck", "basic"]

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
    paper's basic blocks. The ResNet-18 that MERL pretrained (Liu et al. 2024, arXiv:2403.06659) has basic blocks, a stem
    kernel of 7, no pooling in the stem, a first stride of 1 and "mean": 3,851,397 parameters with 5 outputs.

    Args:
        depth: 18, 34, 50 or 101.
        leads: Leads of an input.
        outputs: Logits.
        widths: Channels of the four stages; a bottleneck block puts out four times as many.
        kernel_size: Kernel of the blocks, odd.
        stem_kernel: Kernel of the first convolution, odd.
        block: "bottleneck" (1, k, 1), "basic" (k, k), or None for the depth's default.
        first_stride: Stride of the first stage; the other three halve the time axis.
        stem_pool: Whether the stem ends with a pooling by maximum, which halves the time axis.
        pooling: "max_mean" with batch normalisation, as EcgLib, the plain "mean", or "attention".
        dropout: Probability before the head.

    Raises:
        ValueError: For an argument outside its range, or a block that the depth does not have.
    """

    reference = "He et al. 2016, arXiv:1512.03385; EcgLib"
    lead_weights = ("stem.0.weight",)

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
        stem_pool: bool = True,
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
                stage.append(Residual(body, projection(channels, out, stride if i == 0 else 1)))
                channels = out
            stages.append(nn.Sequential(*stage))
        pool, features = pooling_layer(pooling, channels)
        normed = pooling == "max_mean"
        stem = [*conv_norm(leads, widths[0], stem_kernel, 2), nn.ReLU(inplace=True)]
        if stem_pool:
            stem.append(halve_by_maximum())
        super().__init__(
            leads=leads,
            stem=nn.Sequential(*stem),
            stages=stages,
            pool=pool,
            norm=FeatureNorm(features) if normed else nn.Identity(),
            # EcgLib's head has no bias: the normalisation before it has one
            head=linear(features, outputs, bias=not normed),
            dropout=dropout,
            stride=(32 if stem_pool else 16) * first_stride,
        )
