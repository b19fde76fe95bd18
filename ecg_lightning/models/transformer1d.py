"""Transformer1d: a transformer encoder over short patches of all leads."""

from math import log
from typing import Annotated

import torch
from torch import Tensor, nn

from ecg_lightning.models.layers import linear
from ecg_lightning.models.network import Network
from ecg_lightning.models.pooling import Pooling, pooling_layer
from ecg_lightning.ranges import Between, Dropout, Width, checked


class Transformer1d(Network):
    """Transformer encoder of Vaswani et al. (2017, arXiv:1706.03762) in the form of Dosovitskiy et al. (2021, arXiv:2010.11929).

    Input (batch, leads, samples) of any length from one patch up. A recording is cut into patches of all leads, the last
    one filled up with zeros; each becomes a vector by one matrix. Layers are pre-norm. Attention knows the distance of
    two patches (rotary positions, Su et al. 2021, arXiv:2104.09864) and not their places, so that no length is special.
    Touvron et al.'s (2021, arXiv:2012.12877) sizes are tiny (width 192, 3 heads: the default, 5,386,375 parameters with
    7 outputs) and small (width 384, 6 heads: 21,389,575).

    Args:
        leads: Leads of an input.
        outputs: Logits.
        width: Length of the vectors, a multiple of twice `heads`.
        layers: Attention layers.
        heads: Heads of each.
        patch: Samples of a patch.
        pooling: "mean", "max_mean" or "attention".
        dropout: Probability behind each attention and each of the two-layer networks that follow it.

    Raises:
        ValueError: For an argument outside its range, or a width that the heads do not divide.
    """

    reference = "Vaswani et al. 2017, arXiv:1706.03762"
    lead_weights = ("stem.weight",)

    @checked
    def __init__(
        self,
        leads: Annotated[int, Between(1, 12)] = 12,
        outputs: Annotated[int, Between(1, 10_000)] = 7,
        width: Width = 192,
        layers: Annotated[int, Between(1, 64)] = 12,
        heads: Annotated[int, Between(1, 64)] = 3,
        patch: Annotated[int, Between(1, 500)] = 20,
        pooling: Pooling = "mean",
        dropout: Dropout = 0.1,
    ) -> None:
        if width % (2 * heads):
            raise ValueError(f"width={width} must be a multiple of twice the heads: {2 * heads}")
        super().__init__(leads=leads, shortest=patch)
        self.patch = patch
        self.stem = nn.Conv1d(leads, width, patch, patch)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.pool, features = pooling_layer(pooling, width)
        self.norm = nn.LayerNorm(features)
        self.dropout = nn.Dropout(0.0)
        self.head = linear(features, outputs)

    def encode(self, x: Tensor) -> Tensor:
        """The feature map (batch, width, patches) of recordings (batch, leads, samples)."""
        x = self.stem(nn.functional.pad(x, (0, -x.shape[2] % self.patch))).mT
        for block in self.blocks:
            x = block(x)
        return x.mT

    def layer_groups(self) -> dict[str, nn.Module]:
        """Stem, blocks and head in order; every parameter and buffer is in exactly one of them."""
        blocks = {f"block{i}": block for i, block in enumerate(self.blocks, 1)}
        return {"stem": self.stem, **blocks, "head": self.head_layers()}


class Block(nn.Module):
    """Attention over time, then two layers for each moment, each added to its input; (batch, time, width) throughout.

    Args:
        width: Length of the vectors.
        heads: Attention heads.
        dropout: Probability behind either part.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def attention(self, x: Tensor) -> Tensor:
        """(batch, time, width) → (batch, time, width)."""
        batch, time, width = x.shape
        q, k, v = self.qkv(x).view(batch, time, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(rotate(q), rotate(k), v)
        joined: Tensor = self.join(y.transpose(1, 2).reshape(batch, time, width))
        return joined

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) → (batch, time, width)."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        x = x + self.dropout(self.mlp(self.norm2(x)))
        return x


def rotate(x: Tensor) -> Tensor:
    """Rotary positions: turns pairs of elements by angles that grow with time, the slower the later the pair.

    The scalar product of two turned vectors depends on the difference of their times alone.

    Args:
        x: (…, time, size), the size even; element k is paired with element k + size / 2.
    """
    time, half = x.shape[-2], x.shape[-1] // 2
    exact = torch.promote_types(x.dtype, torch.float32)
    rates = torch.exp(torch.arange(half, device=x.device, dtype=exact) * (-log(10_000) / half))
    angles = torch.arange(time, device=x.device, dtype=exact)[:, None] * rates
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
