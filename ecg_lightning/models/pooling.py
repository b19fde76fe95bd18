"""Pooling over time, by name: from a feature map to one feature vector a recording.

A feature map is (batch, channels, time) or (batch, channels, 1, time); every pooling takes both.
"""

from math import gcd, sqrt
from typing import Literal

import torch
from torch import Tensor, nn

from ecg_lightning.models.layers import FeatureNorm

Pooling = Literal["mean", "max_mean", "attention", "normed_mean", "normed_attention"]
"""The last two standardise the features by batch normalisation: a probe must not depend on the scale of a frozen network."""


def pooling_layer(pooling: Pooling, channels: int) -> tuple[nn.Module, int]:
    """Returns the pooling of this name for a map of so many channels, and the length of the vectors it puts out."""
    if pooling == "normed_mean":
        return nn.Sequential(MeanPool(), FeatureNorm(channels, affine=False)), channels
    if pooling == "normed_attention":
        # not affine: what a bias before the second norm adds, that norm takes away, and its gradient would be noise
        norms = MapNorm(channels, affine=False), FeatureNorm(channels, affine=False)
        return nn.Sequential(norms[0], AttentionPool(channels), norms[1]), channels
    if pooling == "attention":
        return AttentionPool(channels), channels
    if pooling == "max_mean":
        return MaxMeanPool(), 2 * channels
    return MeanPool(), channels


class MapNorm(FeatureNorm):
    """Batch normalisation of a feature map over recordings and time: (batch, channels, [1,] time) → (batch, channels, time)."""

    def forward(self, input: Tensor) -> Tensor:
        """See the class."""
        return super().forward(input.flatten(2))


class MeanPool(nn.Module):
    """Mean over time: (batch, channels, [1,] time) → (batch, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x.mean(tuple(range(2, x.ndim)))


class MaxMeanPool(nn.Module):
    """Maximum and mean over time, side by side: (batch, channels, [1,] time) → (batch, 2 · channels)."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        time = tuple(range(2, x.ndim))
        return torch.cat([x.amax(time), x.mean(time)], dim=1)


class AttentionPool(nn.Module):
    """Mean over time with learned weights: (batch, channels, [1,] time) → (batch, channels).

    Each head compares its learned query with the feature vectors of all moments (scaled dot product, softmax over time)
    and averages its share of the channels with the resulting weights. The queries start at zero, so that the layer starts
    as the plain mean. Keys need no projection: it would only multiply the query.

    Args:
        channels: Channels of the map.
        heads: Queries; where `channels` is no multiple of it, their greatest common divisor.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(gcd(channels, heads), channels))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = x.flatten(2)
        heads, channels = self.query.shape
        weights = (self.query @ x / sqrt(channels)).softmax(dim=2)
        values = x.reshape(x.shape[0], heads, channels // heads, -1)
        return torch.einsum("bhct,bht->bhc", values, weights.to(values.dtype)).flatten(1)
