"""Patient data beside the signal: their numbers by hand."""

from collections.abc import Callable
from math import nan

import pytest
import torch
from torch import nn

from ecg_lightning.checkpoints.weights import Inputs, take_weights
from ecg_lightning.errors import UserError
from ecg_lightning.models import ResNet1d
from ecg_lightning.models.metadata import MetadataNetwork
from ecg_lightning.models.network import Network
from ecg_lightning.records import LEADS
from models.variants import signal


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


PEOPLE = torch.tensor([[60.0, 1.0], [float("nan"), 0.0], [30.0, float("nan")]])
"""Age and sex of three recordings."""


def test_patient_data_beside_any_network(build: Callable[..., Network]) -> None:
    plain = build(outputs=3)
    features = plain.feature_size
    network = MetadataNetwork(plain, [50.0, 0.5], [20.0, 0.5])
    groups = network.layer_groups()
    assert next(iter(groups)) == "stem" and [*groups][-2:] == ["branch", "head"]
    for tensors in (nn.Module.parameters, nn.Module.buffers):
        grouped = [tensor.data_ptr() for group in groups.values() for tensor in tensors(group)]
        assert len(grouped) == len({*grouped}) and {*grouped} == {t.data_ptr() for t in tensors(network)}
    with torch.no_grad():
        for p in network.parameters():  # a weight that begins at zero would stop the gradient on its way
            p += 0.01
    network(signal(3), PEOPLE).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.branch.parameters())
    network.eval()
    with torch.no_grad():
        vectors = network.features(signal(3), PEOPLE)
        assert vectors.shape == (3, network.feature_size) == (3, features + 32)
        torch.testing.assert_close(vectors[:, :features], network.signal.features(signal(3)))
        torch.testing.assert_close(vectors[:, features:], network.branch(network.standardise(PEOPLE)))
        torch.testing.assert_close(network.head(vectors), network(signal(3), PEOPLE))
    network.reset_head(5)
    assert network(signal(3), PEOPLE).shape == (3, 5)
    with pytest.raises(ValueError, match=r"expects patient data \(3, 2\) beside the signals, got nothing"):
        network(signal(3))


def test_a_network_starts_with_a_branch_from_one_without(build: Callable[..., Network]) -> None:
    old = build(outputs=3).eval()
    state, terms = {name: tensor.clone() for name, tensor in old.state_dict().items()}, ["A", "B", "C"]
    with torch.no_grad():
        expected = old(signal(3))
    network = MetadataNetwork(build(outputs=3), [50.0, 0.5], [20.0, 0.5]).eval()
    both, alone = Inputs(LEADS, ["age", "sex"]), Inputs(LEADS)
    transfer = take_weights(network, terms, state, terms, inputs=both, state_inputs=alone)
    total = len(network.state_dict())
    assert total == len(state) + 4
    assert transfer.copied == total - 4 - 1 and transfer.notes == ("branch for age, sex: fresh",)
    with torch.no_grad():
        torch.testing.assert_close(network(signal(3), PEOPLE), expected)
    with pytest.raises(UserError, match="was trained with patient data beside the signal"):
        take_weights(build(outputs=3), terms, network.state_dict(), terms, inputs=alone, state_inputs=both)
    del state[next(iter(state))]
    with pytest.raises(UserError, match="missing: signal"):
        take_weights(network, terms, state, terms, inputs=both, state_inputs=alone)


@pytest.mark.filterwarnings("ignore:The tensor attributes .*_flat_weights:UserWarning")
@pytest.mark.parametrize("build", ["resnet18_small", "lstm"], indirect=True)
def test_patient_data_are_exported(build: Callable[..., Network]) -> None:
    network = MetadataNetwork(build(), [50.0, 0.5], [20.0, 0.5]).eval()
    batch = torch.export.Dim("batch", min=1)
    x = signal(2, samples=64)
    program = torch.export.export(network, (x, PEOPLE[:2]), dynamic_shapes=({0: batch}, {0: batch}))
    with torch.no_grad():
        x = signal(3, samples=64)
        torch.testing.assert_close(program.module()(x, PEOPLE), network(x, PEOPLE))
