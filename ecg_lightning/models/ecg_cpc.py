"""ECG-CPC's network: convolutions over a few samples, and causal state-space layers on top of them."""

from typing import Annotated

from torch import Tensor, nn

from ecg_lightning.models.layers import linear
from ecg_lightning.models.network import Network
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.models.s4 import Block
from ecg_lightning.models.state_space import StateSpace
from ecg_lightning.ranges import Between, Dropout, Width, checked


class ECGCPC(Network):
    """Encoder of Al-Masud et al. (2026, arXiv:2509.25095), with a linear head on the mean over time.

    Input (batch, leads, samples) of any length; the first convolution halves the time axis. With the published arguments,
    which are the defaults, and 71 outputs it has 2,969,159 parameters. Its reference is the code of
    github.com/AI4HealthUOL/ecg-fm-benchmarking (`clinical_ts/ts`, `config_cpc_ecg_s4_heedb.yaml`).

    Args:
        leads: leads of an input.
        outputs: logits.
        width: channels.
        convolutions: convolutions before the state-space layers; the first sees 3 samples, the others one.
        layers: state-space layers.
        state: states of each channel's system, an even number.
        bidirectional: whether a layer sees the whole recording, unlike the published one.
        train_dynamics: whether the systems' A, B and steps are trained, too.
        pooling: "mean", "max_mean" or "attention".
        dropout: probability of each channel, twice in each state-space layer.

    Raises:
        ValueError: for an argument outside its range, such as an odd number of states.
    """

    reference = "Al-Masud et al. 2026, arXiv:2509.25095"
    lead_weights = ("stem.0.0.weight",)

    @checked
    def __init__(
        self,
        leads: Annotated[int, Between(1, 12)] = 12,
        outputs: Annotated[int, Between(1, 10_000)] = 7,
        width: Width = 512,
        convolutions: Annotated[int, Between(1, 16)] = 4,
        layers: Annotated[int, Between(1, 64)] = 4,
        state: Annotated[int, Between(2, 256)] = 8,
        bidirectional: bool = False,
        train_dynamics: bool = False,
        pooling: Pooling = "mean",
        dropout: Dropout = 0.2,
    ) -> None:
        if state % 2:
            raise ValueError(f"state={state} must be an even number: states come in conjugate pairs")
        super().__init__(leads=leads, shortest=2)
        self.stem = nn.Sequential(
            convolution(leads, width, 3, 2), *(convolution(width, width, 1, 1) for _ in range(convolutions - 1))
        )
        self.blocks = nn.ModuleList(
            Block(
                StateSpace(width, state, bidirectional, low_rank=True, train_dynamics=train_dynamics),
                width,
                prenorm=False,
                dropout=dropout,
            )
            for _ in range(layers)
        )
        self.pool, features = pooling_layer(pooling, width)
        self.norm = nn.Identity()
        self.dropout = nn.Dropout(0.0)
        self.head = linear(features, outputs)

    def encode(self, x: Tensor) -> Tensor:
        """The feature map (batch, width, samples / 2, rounded up) of recordings (batch, leads, samples)."""
        x = self.stem(x).mT
        for block in self.blocks:
            x = block(x)
        return x.mT

    def layer_groups(self) -> dict[str, nn.Module]:
        """Stem, blocks and head in order; every parameter and buffer is in exactly one of them."""
        blocks = {f"block{i}": block for i, block in enumerate(self.blocks, 1)}
        return {"stem": self.stem, **blocks, "head": self.head_layers()}


def convolution(channels: int, width: int, kernel: int, stride: int) -> nn.Module:
    """Convolution over time, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv1d(channels, width, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm1d(width), nn.ReLU()
    )
