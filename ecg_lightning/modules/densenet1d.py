"""DenseNet1d in training."""

from collections.abc import Sequence
from typing import Annotated, Literal

from ecg_lightning.models.densenet1d import DenseNet1d
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.ranges import Between, Dropout, Kernel, Width, checked


class DenseNet1dModule(ECGModule):
    """DenseNet1d in training.

    Args:
        terms: the terms that the network predicts.
        leads: number of leads of the input.
        depth: 121 or 201 layers.
        growth_rate: channels that each layer adds.
        stem_width: channels of the stem.
        bottleneck: a layer first narrows its input to bottleneck · growth_rate channels.
        kernel_size: kernel of the layers, odd.
        stem_kernel: kernel of the first convolution, odd.
        dropout: probability before the head.
    """

    @checked
    def __init__(
        self,
        *,
        terms: Sequence[str],
        leads: Annotated[int, Between(1, 12)] = 12,
        depth: Literal[121, 201] = 121,
        growth_rate: Annotated[int, Between(1, 1024)] = 32,
        stem_width: Width = 64,
        bottleneck: Annotated[int, Between(1, 64)] = 4,
        kernel_size: Kernel = 3,
        stem_kernel: Kernel = 7,
        dropout: Dropout = 0.0,
    ) -> None:
        network = DenseNet1d(
            depth=depth, leads=leads, outputs=len(terms), growth_rate=growth_rate, stem_width=stem_width,
            bottleneck=bottleneck, kernel_size=kernel_size, stem_kernel=stem_kernel, dropout=dropout,
        )  # fmt: skip
        super().__init__(network, terms)
