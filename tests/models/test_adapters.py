"""Low-rank adapters: the network with merged weights is the network with adapters, for every architecture."""

from typing import Any

import pytest
import torch
from torch import nn

from ecg_lightning import models
from ecg_lightning.models.adapters import LAYERS, adapt, adapter_size, freeze_all_but_adapters, merged
from ecg_lightning.models.resnet1d import ResNet1d
from models.variants import EXPORTED, VARIANTS, signal


@pytest.mark.parametrize("variant", EXPORTED)
def test_merged_weights_give_the_same_outputs(variant: str) -> None:
    torch.manual_seed(0)
    name, options = VARIANTS[variant]
    kinds: Any = getattr(models, name)
    plain, network = (kinds(leads=12, outputs=3, **options).eval() for _ in range(2))
    network.load_state_dict(plain.state_dict())
    x = signal(1)
    with torch.no_grad():
        before = network(x)
        assert sum(adapt(group, 3) for group in network.layer_groups().values()) > 0
        torch.testing.assert_close(network(x), before)  # the adapters are zero at first
        for key, tensor in network.state_dict().items():
            if key.endswith(".up"):
                tensor.normal_(std=0.02)
        state = merged(network.state_dict())
        assert state.keys() == plain.state_dict().keys()
        plain.load_state_dict(state)
        assert not torch.allclose(network(x), before, atol=1e-4)
        torch.testing.assert_close(plain(x), network(x), rtol=0, atol=1e-5)


def test_the_product_by_hand_and_a_rank_that_is_no_larger_than_the_weights() -> None:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0]]))
    network = nn.Sequential(layer)
    assert adapt(network, 8) == 1
    state = network.state_dict()
    assert state["0.parametrizations.weight.0.up"].shape == (2, 2)
    state["0.parametrizations.weight.0.up"].copy_(torch.tensor([[1.0, 0], [0, 2]]))
    state["0.parametrizations.weight.0.down"].copy_(torch.tensor([[0.0, 0, 3], [1, 1, 1]]))
    torch.testing.assert_close(merged(state)["0.weight"], torch.tensor([[1.0, 0, 3], [2, 3, 2]]))
    torch.testing.assert_close(network(torch.eye(3)) - layer.bias, merged(state)["0.weight"].T)
    assert merged({"a": layer.bias}) == {"a": layer.bias}


def test_adapters_alone_learn() -> None:
    network = ResNet1d(18, outputs=3, widths=(4, 4, 8, 8), block="basic", pooling="mean")
    group = network.layer_groups()["stage3"]
    before = {key: tensor.clone() for key, tensor in group.state_dict().items()}
    layers = sum(isinstance(module, LAYERS) for module in group.modules())
    assert adapt(group, 2) == layers
    assert adapter_size(group) == sum(p.numel() for p in group.parameters()) - sum(
        before[key].numel() for key, _ in ResNet1d(18, outputs=3, widths=(4, 4, 8, 8), block="basic", pooling="mean")
        .layer_groups()["stage3"].named_parameters()
    )  # fmt: skip
    group.requires_grad_(True).train()
    freeze_all_but_adapters(group)
    assert {key.rsplit(".", 1)[1] for key, p in group.named_parameters() if p.requires_grad} == {"up", "down"}
    optimizer = torch.optim.SGD(group.parameters(), lr=0.1)
    for _ in range(2):  # `down` has a gradient once `up` is not zero
        optimizer.zero_grad()
        network(torch.randn(4, 12, 256)).square().sum().backward()
        optimizer.step()
    after = group.state_dict()
    moved = {
        key
        for key in after
        if not torch.equal(
            after[key], before.get(key.replace(".parametrizations.weight.original", ".weight"), after[key])
        )
    }
    assert not moved  # neither the weights, nor the statistics of batch normalisation
    assert all(tensor.abs().sum() > 0 for key, tensor in after.items() if key.endswith(".up"))
