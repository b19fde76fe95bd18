"""S4: a classifier of structured state-space layers over time, in plain torch.

A state-space layer is a linear system of N states a channel, x' = A x + B u, y = C x, discretised with a step of its own.
Its response to an impulse, the kernel, is computed for the length of the input, and the layer is a convolution with it.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from torch import Tensor, nn

from ecg_lightning.models.layers import linear
from ecg_lightning.models.network import Network
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.models.state_space import StateSpace
from ecg_lightning.ranges import Between, Dropout, Width, checked


class S4(Network):
    """State-space network of Mehari and Strodthoff (2023, arXiv:2308.15291), built of S4 layers (arXiv:2111.00396).

    Input (batch, leads, samples) of any length. With the published arguments, which are the defaults, and 71 outputs it
    has 2,183,239 parameters. The matrices A and B and the steps of the systems keep their start, as published, unless
    `train_dynamics` is set.

    Args:
        leads: Leads of an input.
        outputs: Logits.
        width: Channels.
        layers: State-space layers.
        state: States of each channel's system, an even number.
        kernel: "dplr", the full HiPPO matrix (normal plus low rank, S4), or "diagonal", its normal part alone (S4D).
        bidirectional: Whether a layer sees the whole recording; otherwise each moment sees what came before it.
        prenorm: Whether layer normalisation comes before a layer, rather than after it.
        train_dynamics: Whether A, B and the steps are trained, too, slowly and without weight decay.
        pooling: "mean", as published, "max_mean" or "attention".
        dropout: Probability of each channel, twice in each layer.

    Raises:
        ValueError: For an argument outside its range, such as an odd number of states.
    """

    reference = "Mehari & Strodthoff 2023, arXiv:2308.15291"
    published: ClassVar[Mapping[str, float]] = {"s4": 0.941}
    lead_weights = ("stem.weight",)

    @checked
    def __init__(
        self,
        leads: Annotated[int, Between(1, 12)] = 12,
        outputs: Annotated[int, Between(1, 10_000)] = 7,
        width: Width = 512,
        layers: Annotated[int, Between(1, 64)] = 4,
        state: Annotated[int, Between(2, 256)] = 8,
        kernel: Literal["dplr", "diagonal"] = "dplr",
        bidirectional: bool = True,
        prenorm: bool = False,
        train_dynamics: bool = False,
        pooling: Pooling = "mean",
        dropout: Dropout = 0.2,
    ) -> None:
        if state % 2:
            raise ValueError(f"state={state} must be an even number: states come in conjugate pairs")
        super().__init__(leads=leads, shortest=2)
        self.stem = nn.Linear(leads, width)
        self.blocks = nn.ModuleList(
            Block(
                StateSpace(width, state, bidirectional, low_rank=kernel == "dplr", train_dynamics=train_dynamics),
                width,
                prenorm,
                dropout,
            )
            for _ in range(layers)
        )
        self.pool, features = pooling_layer(pooling, width)
        self.norm = nn.Identity()
        self.dropout = nn.Dropout(0.0)
        self.head = linear(features, outputs)

    def encode(self, x: Tensor) -> Tensor:
        """The feature map (batch, width, samples) of recordings (batch, leads, samples)."""
        x = self.stem(x.mT)
        for block in self.blocks:
            x = block(x)
        return x.mT

    def layer_groups(self) -> dict[str, nn.Module]:
        """Stem, blocks and head in order; every parameter and buffer is in exactly one of them."""
        blocks = {f"block{i}": block for i, block in enumerate(self.blocks, 1)}
        return {"stem": self.stem, **blocks, "head": self.head_layers()}


class Block(nn.Module):
    """x + glu(linear(gelu(system(x)))), with layer normalisation before the system or after the sum.

    Args:
        system: (batch, width, time) → (batch, width, time).
        width: Channels.
        prenorm: Whether the normalisation comes first.
        dropout: Probability of a whole channel, behind the system and behind the gate.
    """

    def __init__(self, system: nn.Module, width: int, prenorm: bool, dropout: float) -> None:
        super().__init__()
        self.system = system
        self.mix = nn.Linear(width, 2 * width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout1d(dropout)
        self.prenorm = prenorm

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) → (batch, time, width)."""
        y = self.norm(x) if self.prenorm else x
        y = self.dropout(nn.functional.gelu(self.system(y.mT)))
        y = nn.functional.glu(self.mix(y.mT))
        x = x + self.dropout(y.mT).mT
        return x if self.prenorm else self.norm(x)
