"""Every network in every variant: the contract, and EcgLib's networks as the reference."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ecg_lightning import models
from ecg_lightning.models import densenet1d
from ecg_lightning.models.densenet1d import DenseNet1d
from ecg_lightning.models.network import Network
from ecg_lightning.models.resnet1d import ResNet1d
from ecglib_reference import ecglib_networks
from models.variants import EXPORTED, SMALL, VARIANTS, signal


def test_every_exported_network_is_tested() -> None:
    assert {name for name, _ in VARIANTS.values()} == set(models.__all__)
    assert {VARIANTS[variant][0] for variant in EXPORTED} == set(models.__all__)


@pytest.mark.parametrize(("leads", "samples", "outputs"), [(12, 1000, 7), (1, 200, 1), (2, 201, 5), (8, 333, 71)])
def test_shapes(build: Callable[..., Network], leads: int, samples: int, outputs: int) -> None:
    network = build(leads=leads, outputs=outputs).eval()
    with torch.no_grad():
        x = signal(2, leads, samples)
        assert network(x).shape == (2, outputs)
        assert network.features(x).shape == (2, network.feature_size)
        assert torch.equal(network.head(network.features(x)), network(x))
        assert torch.equal(network.norm(network.pool(network.encode(x))), network.features(x))
        assert network.encode(x).shape[0] == 2 and network.encode(x).flatten(2).shape[2] > 1


def test_wrong_inputs_say_what_is_expected(build: Callable[..., Network]) -> None:
    network = build()
    name = type(network).__name__
    with pytest.raises(ValueError, match=f"{name} expects 12 leads, got 8"):
        network(signal(leads=8))
    with pytest.raises(ValueError, match=f"{name} expects at least {network.shortest} samples, got 1"):
        network(signal(samples=1))
    with pytest.raises(ValueError, match=r"shape \(12, 256\)"):
        network(signal()[0])


def test_shortest_input(build: Callable[..., Network]) -> None:
    network = build()
    assert network.shortest <= 200  # two seconds at 100 Hz
    with torch.no_grad():
        assert network(signal(samples=network.shortest)).isfinite().all()


def test_batch_of_one_recording(build: Callable[..., Network]) -> None:
    network = build()
    network(signal(1)).sum().backward()
    assert network.eval()(signal(1)).isfinite().all()
    assert all(buffer.isfinite().all() for buffer in network.buffers())


def test_layer_groups_partition_parameters_and_buffers(build: Callable[..., Network]) -> None:
    network = build()
    groups = network.layer_groups()
    first, second, *_, last = groups
    assert (first, last) == ("stem", "head")
    for tensors in (nn.Module.parameters, nn.Module.buffers):
        grouped = [tensor.data_ptr() for group in groups.values() for tensor in tensors(group)]
        assert grouped == [tensor.data_ptr() for tensor in tensors(network)]  # in the network's order, none twice
    groups[second].requires_grad_(False).train(False)
    assert not any(p.requires_grad for p in groups[second].parameters())
    assert all(p.requires_grad for name in groups if name != second for p in groups[name].parameters())


def test_pool_norm_and_head_are_the_head_group(build: Callable[..., Network]) -> None:
    network = build()
    group = {id(module) for module in network.layer_groups()["head"].modules()}
    assert {id(network.pool), id(network.norm), id(network.head)} <= group
    network.requires_grad_(False).layer_groups()["head"].requires_grad_(True)
    network(signal(3)).square().sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in network.parameters())


def test_reset_head_keeps_the_body(build: Callable[..., Network]) -> None:
    network = build(outputs=7).double().eval()
    body = {key: value.clone() for key, value in network.state_dict().items() if not key.startswith("head.")}
    features = network.features(signal().double())
    network.reset_head(3)
    assert network(signal().double()).shape == (2, 3)
    assert network.head.weight.dtype == torch.float64
    assert torch.equal(network.features(signal().double()), features)
    after = network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in body.items())
    assert set(after) - set(body) == {key for key in after if key.startswith("head.")}


def test_evaluation_is_deterministic_and_by_recording(build: Callable[..., Network]) -> None:
    network = build().double().eval()
    x = signal(3).double()
    with torch.no_grad():
        together = network(x)
        assert torch.equal(network(x), together)
        torch.testing.assert_close(network(x[1:2]), together[1:2])


def test_same_seed_gives_the_same_network_and_training_step(build: Callable[..., Network]) -> None:
    outcomes = []
    for _ in range(2):
        torch.manual_seed(3)
        network = build()
        network(signal(3)).square().sum().backward()
        outcomes.append([p.grad for p in network.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*outcomes, strict=True))


def test_gradient_reaches_every_parameter(build: Callable[..., Network]) -> None:
    network = build().train()
    with torch.no_grad():
        for p in network.parameters():  # a weight that begins at zero would stop the gradient on its way
            p += 0.01
    network(signal(4)).square().sum().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
    # data-parallel training copies, with a warning, every gradient whose strides are not its parameter's
    assert [name for name, p in network.named_parameters() if p.grad.stride() != p.stride()] == []


def test_bfloat16_autocast(build: Callable[..., Network]) -> None:
    network = build().train()
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(signal(2, samples=128))
        loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in network.parameters())


# torch's own recurrent layers keep a second list of their weights, of which the export warns
@pytest.mark.filterwarnings("ignore:The tensor attributes .*_flat_weights:UserWarning")
@pytest.mark.parametrize("build", EXPORTED, indirect=True)
def test_export_for_any_batch_size(build: Callable[..., Network], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(densenet1d.STAGES, 121, (2, 2, 2, 2))  # all 58 layers, alike but for their widths, take seconds
    network = build().eval()
    samples = max(32, network.shortest)
    x = signal(2, samples=samples)
    program = torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    with torch.no_grad():
        x = signal(3, samples=samples)
        torch.testing.assert_close(program.module()(x), network(x))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ResNet1d(depth=19), "depth=19 must be one of 18, 34, 50, 101"),
        (lambda: ResNet1d(depth=50, block="basic"), "no depth 50 with block basic"),
        (lambda: ResNet1d(widths=(64, 128)), r"widths=\(64, 128\) must be a list of 4 items"),
        (lambda: ResNet1d(kernel_size=8), "kernel_size=8 must be an odd whole number"),
        (lambda: ResNet1d(pooling="max"), "pooling='max' must be one of mean, max_mean, attention"),
        (lambda: DenseNet1d(depth=169), "depth=169 must be one of 121, 201"),
        (lambda: models.S4(state=7), "state=7 must be an even number"),
        (lambda: models.S4(kernel="full"), "kernel='full' must be one of dplr, diagonal"),
        (lambda: models.Transformer1d(width=50, heads=3), "width=50 must be a multiple of twice the heads: 6"),
        (lambda: DenseNet1d(stem_kernel=0), "stem_kernel=0 must be an odd whole number"),
    ],
)
def test_wrong_arguments(build: Callable[[], Network], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_small_variant_has_the_parameters_of_a_hand_count() -> None:
    # convolutions 12·32·15 + Σ (in + 3·out)·out·7 + projections Σ in·out, two numbers a channel for each batch norm
    pairs = [(32, 32), (32, 64), (64, 128), (128, 192)]
    body = sum((i + 3 * o) * o * 7 + 8 * o for i, o in pairs) + sum(i * o + 2 * o for i, o in pairs[1:])
    assert count(ResNet1d(**SMALL)) == 12 * 32 * 15 + 64 + body + 192 * 7 + 7


@pytest.mark.parametrize(
    ("architecture", "depth", "file", "reference_name"),
    [
        (ResNet1d, 18, "resnet1d", "resnet1d18"),
        (ResNet1d, 50, "resnet1d", "resnet1d50"),
        (ResNet1d, 101, "resnet1d", "resnet1d101"),
        (DenseNet1d, 121, "densenet1d", "densenet121_1d"),
        (DenseNet1d, 201, "densenet1d", "densenet201_1d"),
    ],
)
def test_equal_to_ecglib(architecture: Callable[..., Network], depth: int, file: str, reference_name: str) -> None:
    torch.manual_seed(0)
    reference = getattr(ecglib_networks()[file], reference_name)(input_channels=12, num_classes=7).double()
    network = architecture(depth=depth, outputs=7).double()
    assert count(network) == count(reference)

    with torch.no_grad():
        reference(signal(4).double())  # moves the running statistics away from their start
    weights, reference_weights = network.state_dict(), reference.state_dict()
    assert [t.shape for t in weights.values()] == [t.shape for t in reference_weights.values()]
    network.load_state_dict(dict(zip(weights, reference_weights.values(), strict=True)))

    x = signal(3, samples=400).double()
    torch.testing.assert_close(network.eval()(x), reference.eval()(x), rtol=1e-10, atol=1e-10)
    # In training the statistics of three recordings amplify the rounding of a hundred layers.
    for training, tolerance in ((False, 1e-10), (True, 1e-6)):
        for model in (network, reference):  # dropout apart
            model.train(training).apply(lambda m: setattr(m, "p", 0.0) if isinstance(m, nn.Dropout) else None)
            model.zero_grad()
            model(x).square().mean().backward()
        for p, q in zip(network.parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad, rtol=tolerance, atol=tolerance)
