"""Every network in every variant: the contract, and EcgLib's networks as the reference."""

import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ecg_lightning.models.densenet1d import DenseNet1d
from ecg_lightning.models.network import Network
from ecg_lightning.models.resnet1d import ResNet1d

SMALL = {
    "block": "basic",
    "widths": (32, 64, 128, 192),
    "kernel_size": 7,
    "stem_kernel": 15,
    "first_stride": 1,
    "pooling": "mean",
    "dropout": 0.3,
}
VARIANTS: dict[str, Callable[..., Network]] = {
    "resnet18": ResNet1d,
    "resnet18_small": lambda **options: ResNet1d(**SMALL | options),
    "resnet34": lambda **options: ResNet1d(depth=34, **options),
    "resnet50": lambda **options: ResNet1d(depth=50, **options),
    "resnet101": lambda **options: ResNet1d(depth=101, widths=(8, 16, 32, 64), **options),
    "densenet121": DenseNet1d,
    "densenet201": lambda **options: DenseNet1d(depth=201, growth_rate=8, **options),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small layers on busy cores: threads that wait for each other cost more than they save."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=VARIANTS)
def build(request: pytest.FixtureRequest) -> Callable[..., Network]:
    torch.manual_seed(0)
    return VARIANTS[request.param]


def signal(batch: int = 2, leads: int = 12, samples: int = 256) -> Tensor:
    return torch.randn(batch, leads, samples, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("leads", "samples", "outputs"), [(12, 1000, 7), (1, 64, 1), (8, 333, 71)])
def test_shapes(build: Callable[..., Network], leads: int, samples: int, outputs: int) -> None:
    network = build(leads=leads, outputs=outputs).eval()
    with torch.no_grad():
        x = signal(2, leads, samples)
        assert network(x).shape == (2, outputs)
        assert network.features(x).shape == (2, network.feature_size)
        assert torch.equal(network.head(network.features(x)), network(x))


def test_wrong_inputs_say_what_is_expected(build: Callable[..., Network]) -> None:
    network = build()
    name = type(network).__name__
    with pytest.raises(ValueError, match=f"{name} expects 12 leads, got 8"):
        network(signal(leads=8))
    with pytest.raises(ValueError, match=rf"{name} expects at least (32|64) samples, got 10"):
        network(signal(samples=10))
    with pytest.raises(ValueError, match=r"shape \(12, 256\)"):
        network(signal()[0])


def test_shortest_input(build: Callable[..., Network]) -> None:
    network = build()
    with torch.no_grad():
        assert network(signal(samples=network.shortest)).isfinite().all()


def test_layer_groups_partition_parameters_and_buffers(build: Callable[..., Network]) -> None:
    network = build()
    groups = network.layer_groups()
    assert list(groups) == ["stem", "stage1", "stage2", "stage3", "stage4", "head"]
    for tensors in (nn.Module.parameters, nn.Module.buffers):
        grouped = [tensor.data_ptr() for group in groups.values() for tensor in tensors(group)]
        assert grouped == [tensor.data_ptr() for tensor in tensors(network)]  # in the network's order, none twice
    groups["stage1"].requires_grad_(False).train(False)
    assert not any(p.requires_grad for p in groups["stage1"].parameters())
    assert all(p.requires_grad for name in groups if name != "stage1" for p in groups[name].parameters())


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


def test_gradient_reaches_every_parameter(build: Callable[..., Network]) -> None:
    network = build().train()
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


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ResNet1d(depth=19), "depth=19 must be one of 18, 34, 50, 101"),
        (lambda: ResNet1d(depth=50, block="basic"), "no depth 50 with block basic"),
        (lambda: ResNet1d(widths=(64, 128)), r"widths=\(64, 128\) must be a list of 4 items"),
        (lambda: ResNet1d(kernel_size=8), "kernel_size=8 must be an odd whole number"),
        (lambda: ResNet1d(pooling="max"), "pooling='max' must be one of max_mean, mean"),
        (lambda: DenseNet1d(depth=169), "depth=169 must be one of 121, 201"),
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


@pytest.fixture(scope="module")
def ecglib_networks() -> dict[str, types.ModuleType]:
    """EcgLib's two files, loaded by themselves, with stand-ins for the three names that they take from fastai."""
    package = importlib.util.find_spec("ecglib")
    if package is None or package.origin is None:
        pytest.skip("ecglib is not installed")

    class AdaptiveConcatPool1d(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([nn.functional.adaptive_max_pool1d(x, 1), nn.functional.adaptive_avg_pool1d(x, 1)], 1)

    class LinBnDrop(nn.Sequential):
        def __init__(self, n_in: int, n_out: int, bn: bool, p: float, act: nn.Module | None) -> None:
            assert bn and act is None
            super().__init__(nn.BatchNorm1d(n_in), nn.Dropout(p), nn.Linear(n_in, n_out, bias=False))

    layers, basics = types.ModuleType("fastai.layers"), types.ModuleType("fastcore.basics")
    layers.__dict__.update(AdaptiveConcatPool1d=AdaptiveConcatPool1d, LinBnDrop=LinBnDrop)
    basics.__dict__.update(listify=lambda x: [x])
    stand_ins = {"fastai": types.ModuleType("fastai"), "fastcore": types.ModuleType("fastcore")}
    stand_ins |= {"fastai.layers": layers, "fastcore.basics": basics}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in stand_ins.items():
            patch.setitem(sys.modules, name, module)
        folder = Path(package.origin).parent / "models" / "architectures"
        return {name: load(folder / f"{name}.py") for name in ("resnet1d", "densenet1d")}


def load(file: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"ecglib_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
def test_equal_to_ecglib(
    ecglib_networks: dict[str, types.ModuleType],
    architecture: Callable[..., Network],
    depth: int,
    file: str,
    reference_name: str,
) -> None:
    torch.manual_seed(0)
    reference = getattr(ecglib_networks[file], reference_name)(input_channels=12, num_classes=7).double()
    network = architecture(depth=depth, outputs=7).double()
    assert count(network) == count(reference)

    with torch.no_grad():
        reference(signal(4).double())  # moves the running statistics away from their start
    weights, reference_weights = network.state_dict(), reference.state_dict()
    assert [t.shape for t in weights.values()] == [t.shape for t in reference_weights.values()]
    network.load_state_dict(dict(zip(weights, reference_weights.values(), strict=True)))

    x = signal(3, samples=1000).double()
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(x), reference.eval()(x), rtol=1e-9, atol=1e-9)
    for model in (network, reference):  # and in training, dropout apart
        model.train().apply(lambda m: setattr(m, "p", 0.0) if isinstance(m, nn.Dropout) else None)
        model(x).square().mean().backward()
    for p, q in zip(network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-5, atol=1e-7)
