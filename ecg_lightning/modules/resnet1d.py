"""ResNet1d in training."""

from collections.abc import Sequence
from typing import Annotated, Literal

from ecg_lightning.models.resnet1d import Block, Pooling, ResNet1d, Widths
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.ranges import Between, Dropout, Kernel, checked


class ResNet1dModule(ECGModule):
    """ResNet1d in training.

    Args:
        terms: the terms that the network predicts.
        leads: number of leads of the input.
        depth: 18, 34, 50 or 101 layers.
        widths: channels of the four stages; a bottleneck block puts out four times as many.
        kernel_size: kernel of the blocks, odd.
        stem_kernel: kernel of the first convolution, odd.
        block: bottleneck, basic, or null for the depth's default.
        first_stride: stride of the first stage; the other three halve the time axis.
        pooling: max_mean (with batch normalisation, as EcgLib) or mean.
        dropout: probability before the head.
    """

    @checked
    def __init__(
        self,
        *,
        terms: Sequence[str],
        leads: Annotated[int, Between(1, 12)] = 12,
        depth: Literal[18, 34, 50, 101] = 18,
        widths: Widths | None = None,
        kernel_size: Kernel = 3,
        stem_kernel: Kernel = 3,
        block: Block | None = None,
        first_stride: Annotated[int, Between(1, 16)] = 2,
        pooling: Pooling = "max_mean",
        dropout: Dropout = 0.5,
    ) -> None:
        network = ResNet1d(
            depth=depth, leads=leads, outputs=len(terms), widths=widths or (64, 128, 256, 512), kernel_size=kernel_size,
            stem_kernel=stem_kernel, block=block, first_stride=first_stride, pooling=pooling, dropout=dropout,
        )  # fmt: skip
        super().__init__(network, terms)
