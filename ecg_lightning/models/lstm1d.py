"""LSTM1d: the PTB-XL benchmark's recurrent networks, in one or both directions."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from ecg_lightning.models.head import hidden_layer
from ecg_lightning.models.layers import linear
from ecg_lightning.models.network import Network
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.ranges import Between, Dropout, Width, checked


class LSTM1d(Network):
    """Long short-term memory of Hochreiter and Schmidhuber (1997), sample by sample.

    Input: (batch, leads, samples) of at least 32 samples. The defaults are the network that Strodthoff et al. (2020,
    arXiv:2004.13701) trained on PTB-XL at 100 Hz: 912,199 parameters with 71 outputs, or 2,339,143 in both directions.
    Each recurrent layer is a layer group; the first is the `stem`.

    Args:
        layers: Recurrent layers.
        leads: Leads of an input.
        outputs: Logits.
        width: Units of a layer in each direction.
        bidirectional: Whether each layer also reads the recording backwards.
        hidden: Units of a hidden layer between the pooling and the head; None for none.
        pooling: "mean_max_last", as the benchmark, "mean", "max_mean" or "attention".
        dropout: Probability before the head; half of it before the hidden layer.

    Raises:
        ValueError: For an argument outside its range.
    """

    reference = "Hochreiter and Schmidhuber 1997"
    published: ClassVar[Mapping[str, float]] = {"lstm1d": 0.907, "lstm1d_bidirectional": 0.914}
    lead_weights = ("layers.0.weight_ih_l0", "layers.0.weight_ih_l0_reverse")

    @checked
    def __init__(
        self,
        layers: Annotated[int, Between(1, 16)] = 2,
        leads: Annotated[int, Between(1, 12)] = 12,
        outputs: Annotated[int, Between(1, 10_000)] = 7,
        width: Width = 256,
        bidirectional: bool = False,
        hidden: Width | None = 128,
        pooling: Pooling | Literal["mean_max_last"] = "mean_max_last",
        dropout: Dropout = 0.5,
    ) -> None:
        super().__init__(leads=leads, shortest=32)
        channels = 2 * width if bidirectional else width
        sizes = [leads, *[channels] * (layers - 1)]
        self.layers = nn.ModuleList(
            nn.LSTM(size, width, batch_first=True, bidirectional=bidirectional) for size in sizes
        )
        if pooling == "mean_max_last":
            self.pool, features = MeanMaxLastPool(bidirectional), 3 * channels
        else:
            self.pool, features = pooling_layer(pooling, channels)
        self.norm, features = hidden_layer(features, hidden, dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = linear(features, outputs)

    def encode(self, x: Tensor) -> Tensor:
        """The feature map (batch, channels, samples) of recordings (batch, leads, samples)."""
        x = x.transpose(1, 2)
        with torch.autocast("cpu", enabled=False):  # many processors have no recurrent layer in half precision
            for layer in self.layers:
                x = layer(x)[0]
        return x.transpose(1, 2)

    def layer_groups(self) -> dict[str, nn.Module]:
        """The recurrent layers and the head in order."""
        stem, *stages = self.layers
        return {"stem": stem} | {f"stage{i}": stage for i, stage in enumerate(stages, 1)} | {"head": self.head_layers()}


class MeanMaxLastPool(nn.Module):
    """Mean, maximum and last state side by side: (batch, channels, time) → (batch, 3 · channels).

    Args:
        bidirectional: Whether the second half of the channels was read backwards. Its last state is the first in time.
            The benchmark's code takes the last in time here too, a state that has read a single sample.
    """

    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        self.bidirectional = bidirectional

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        last = x[:, :, -1]
        if self.bidirectional:
            half = x.shape[1] // 2
            last = torch.cat([last[:, :half], x[:, half:, 0]], dim=1)
        return torch.cat([x.mean(2), x.amax(2), last], dim=1)
