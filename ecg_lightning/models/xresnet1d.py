"""XResNet1d: the PTB-XL benchmark's residual networks with three convolutions in the stem and averaged shortcuts."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from torch import nn

from ecg_lightning.models.head import hidden_layer
from ecg_lightning.models.layers import conv_norm, halve_by_maximum, linear
from ecg_lightning.models.network import StagedNetwork
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.models.residual import Residual, Widths, basic, bottleneck
from ecg_lightning.ranges import Between, Dropout, Items, Kernel, Width, checked

# Blocks in each stage
STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class XResNet1d(StagedNetwork):
    """Residual network of He et al. (2019, "Bag of tricks", arXiv:1812.01187) with one-dimensional convolutions.

    Input: (batch, leads, samples) of at least 32 samples. The defaults are the networks that Strodthoff et al. (2020,
    arXiv:2004.13701) trained on PTB-XL at 100 Hz, layer for layer. With 71 outputs they have 373,447 (18), 703,175 (34),
    962,503 (50) and 1,880,775 (101) parameters. The last normalisation of each block begins at zero, so that the block
    begins as its shortcut.

    Args:
        depth: 18 or 34 (basic blocks), 50 or 101 (bottleneck blocks).
        leads: Leads of an input.
        outputs: Logits.
        widths: Channels of the four stages; a bottleneck block puts out four times as many.
        stem_widths: Channels of the stem's three convolutions.
        kernel_size: Kernel of the blocks, odd.
        stem_kernel: Kernel of the stem, odd.
        hidden: Units of a hidden layer between the pooling and the head; None for none.
        pooling: "max_mean", as the benchmark, "mean" or "attention".
        dropout: Probability before the head; half of it before the hidden layer.

    Raises:
        ValueError: For an argument outside its range.
    """

    reference = "He et al. 2019, arXiv:1812.01187"
    published: ClassVar[Mapping[str, float]] = {"xresnet1d101": 0.925}
    lead_weights = ("stem.0.weight",)

    @checked
    def __init__(
        self,
        depth: Literal[18, 34, 50, 101] = 101,
        leads: Annotated[int, Between(1, 12)] = 12,
        outputs: Annotated[int, Between(1, 10_000)] = 7,
        widths: Widths = (64, 64, 64, 64),
        stem_widths: Annotated[Sequence[Width], Items(3, 3)] = (32, 32, 64),
        kernel_size: Kernel = 5,
        stem_kernel: Kernel = 5,
        hidden: Width | None = 128,
        pooling: Pooling = "max_mean",
        dropout: Dropout = 0.5,
    ) -> None:
        channels = leads
        stem: list[nn.Module] = []
        for width, stride in zip(stem_widths, (2, 1, 1), strict=True):
            stem += [*conv_norm(channels, width, stem_kernel, stride), nn.ReLU(inplace=True)]
            channels = width

        body_layers = basic if depth in (18, 34) else bottleneck
        stages = []
        for blocks, width, stride in zip(STAGES[depth], widths, (1, 2, 2, 2), strict=True):
            stage = []
            for i in range(blocks):
                step = stride if i == 0 else 1
                body, out = body_layers(channels, width, step, kernel_size)
                nn.init.zeros_(body.get_parameter(f"{len(body) - 1}.weight"))
                stage.append(Residual(body, averaged_shortcut(channels, out, step)))
                channels = out
            stages.append(nn.Sequential(*stage))

        pool, features = pooling_layer(pooling, channels)
        norm, features = hidden_layer(features, hidden, dropout)
        super().__init__(
            leads=leads,
            stem=nn.Sequential(*stem, halve_by_maximum()),
            stages=stages,
            pool=pool,
            norm=norm,
            head=linear(features, outputs),
            dropout=dropout,
            stride=32,
        )
        for module in (*self.stem.modules(), *self.stages.modules()):
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight)


def averaged_shortcut(channels: int, out: int, stride: int) -> nn.Module:
    """Halves the time axis by averaging, then changes the channels, each only where the shape asks for it."""
    layers: list[nn.Module] = []
    if stride != 1:
        layers.append(nn.AvgPool2d((1, 2), ceil_mode=True))
    if channels != out:
        layers += conv_norm(channels, out, 1)
    return nn.Sequential(*layers)
