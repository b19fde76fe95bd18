"""Transformer1d: positions, patches and counts."""

import pytest
import torch

from ecg_lightning.models.transformer1d import Transformer1d, rotate


def test_rotary_positions_depend_on_the_distance_alone() -> None:
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 8, dtype=torch.float64)
    scores = rotate(q.expand(9, 8)) @ rotate(k.expand(9, 8)).T
    torch.testing.assert_close(scores[1:, 1:], scores[:-1, :-1])
    torch.testing.assert_close(scores[0, 0], (q @ k.T)[0, 0])
    assert not torch.isclose(scores[0, 1], scores[0, 0])


def test_an_incomplete_patch_is_filled_with_zeros() -> None:
    torch.manual_seed(0)
    network = Transformer1d(width=48, layers=2).double().eval()
    x = torch.randn(2, 12, 333, dtype=torch.float64)
    assert torch.equal(network(x), network(torch.nn.functional.pad(x, (0, 7))))
    assert network.encode(x).shape == (2, 48, 17)


@pytest.mark.parametrize(("width", "heads", "layers"), [(192, 3, 12), (384, 6, 12)])
def test_parameters_by_hand(width: int, heads: int, layers: int) -> None:
    # a layer: two normalisations, queries, keys and values, their join, and two layers of four times the width
    layer = 2 * 2 * width + (3 * width**2 + 3 * width) + (width**2 + width) + (8 * width**2 + 5 * width)
    with torch.device("meta"):
        network = Transformer1d(width=width, heads=heads, layers=layers)
    count = sum(p.numel() for p in network.parameters())
    assert count == (12 * 20 * width + width) + layers * layer + 2 * width + 7 * width + 7
    assert f"{count:,}" in str(Transformer1d.__doc__)
