"""Patient data beside the signal: their numbers by hand."""

from math import nan

import torch

from ecg_lightning.models import ResNet1d
from ecg_lightning.models.metadata import MetadataNetwork


def network() -> MetadataNetwork:
    torch.manual_seed(0)
    signal = ResNet1d(18, outputs=2, widths=(4, 4, 8, 8), block="basic", pooling="mean")
    return MetadataNetwork(signal, [50.0, 0.25], [20.0, 0.5])


def test_columns_are_standardised_and_missing_ones_are_the_mean_with_an_indicator() -> None:
    seen = network().standardise(torch.tensor([[70.0, 1.0], [nan, 0.0], [40.0, nan]]))
    expected = [[1.0, 1.5, 0.0, 0.0], [0.0, -0.5, 1.0, 0.0], [-0.5, 0.0, 0.0, 1.0]]
    torch.testing.assert_close(seen, torch.tensor(expected))


def test_the_parameters_of_the_branch_are_those_of_a_hand_count() -> None:
    # four inputs, 32 units, 32 features; and 32 more columns of the head
    plain = ResNet1d(18, outputs=2, widths=(4, 4, 8, 8), block="basic", pooling="mean")
    counts = [sum(p.numel() for p in each.parameters()) for each in (network(), plain)]
    assert counts[0] - counts[1] == 4 * 32 + 32 + 32 * 32 + 32 + 2 * 32


def test_a_value_changes_its_own_recording_alone() -> None:
    x, people = torch.randn(3, 12, 200), torch.tensor([[70.0, 1.0], [30.0, 0.0], [nan, nan]])
    model = network().eval()
    with torch.no_grad():
        before = model(x, people)
        people[1, 0] = 90.0
        after = model(x, people)
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
    assert not torch.allclose(after[1], before[1])
