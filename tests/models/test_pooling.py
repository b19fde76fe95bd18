"""Poolings by hand calculation, on maps of either shape."""

from typing import get_args

import pytest
import torch

from ecg_lightning.models.layers import FeatureNorm
from ecg_lightning.models.pooling import AttentionPool, Pooling, pooling_layer


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_both_shapes_of_a_map(pooling: Pooling) -> None:
    torch.manual_seed(0)
    pool, features = pooling_layer(pooling, 6)
    x = torch.randn(2, 6, 7)
    torch.testing.assert_close(pool(x), pool(x.unsqueeze(2)))
    assert pool(x).shape == (2, features)
    assert torch.equal(pool(x)[:, -6:], x.mean(2)) or pooling == "attention" or pooling.startswith("normed")


def test_attention_starts_as_the_mean() -> None:
    x = torch.randn(3, 8, 11)
    torch.testing.assert_close(AttentionPool(8)(x), x.mean(2))


@pytest.mark.parametrize("pooling", ["normed_mean", "normed_attention"])
def test_normed_features_do_not_depend_on_the_scale_of_the_map(pooling: Pooling) -> None:
    torch.manual_seed(0)
    pool, _ = pooling_layer(pooling, 6)
    x = torch.randn(50, 6, 7)
    features = pool(x)
    torch.testing.assert_close(features.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(features.std(0, correction=0), torch.ones(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(pool(3 * x - 1), features, atol=1e-3, rtol=0)


def test_attention_by_hand() -> None:
    pool = AttentionPool(4, heads=2)
    with torch.no_grad():
        pool.query.copy_(torch.tensor([[2.0, 0, 0, 0], [0, 0, 0, 2.0]]))
    x = torch.tensor([[[0.0, 1.0], [5.0, 7.0], [1.0, 3.0], [2.0, 0.0]]])
    # scores are q x / sqrt(4): 0 and 1 for the first head, 2 and 0 for the second
    first = 1 / (1 + torch.e)
    second = torch.e**2 / (torch.e**2 + 1)
    expected = [1 - first, 5 * first + 7 * (1 - first), second + 3 * (1 - second), 2 * second]
    torch.testing.assert_close(pool(x), torch.tensor([expected]))


@pytest.mark.parametrize(("channels", "heads"), [(512, 4), (6, 2), (7, 1)])
def test_heads_divide_the_channels(channels: int, heads: int) -> None:
    assert AttentionPool(channels).query.shape == (heads, channels)


def test_one_recording_is_normalised_as_in_evaluation() -> None:
    norm = FeatureNorm(3)
    norm(torch.randn(5, 3))
    before = norm.running_mean.clone()
    x = torch.randn(1, 3)
    in_training = norm(x)
    assert torch.equal(norm.running_mean, before)
    torch.testing.assert_close(in_training, norm.eval()(x))
