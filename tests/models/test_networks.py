"""Every network in every variant: the contract, and EcgLib's networks as the reference."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ecg_lightning import models
from ecg_lightning.checkpoints.weights import Inputs, take_weights
from ecg_lightning.errors import UserError
from ecg_lightning.models.densenet1d import DenseNet1d
from ecg_lightning.models.metadata import MetadataNetwork
from ecg_lightning.models.network import Network
from ecg_lightning.models.resnet1d import ResNet1d
from ecg_lightning.records import LEADS
from ecglib_reference import ecglib_networks

SMALL = {
    "block": "basic",
    "widths": (32, 64, 128, 192),
    "kernel_size": 7,
    "stem_kernel": 15,
    "first_stride": 1,
    "pooling": "mean",
    "dropout": 0.3,
}
NARROW = (8, 16, 32, 64)
# Small networks of every architecture: its class, then arguments
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18": ("ResNet1d", {}),
    "resnet18_small": ("ResNet1d", SMALL),
    "resnet18_attention": ("ResNet1d", {"widths": NARROW, "pooling": "attention"}),
    "resnet34": ("ResNet1d", {"depth": 34, "widths": NARROW}),
    "resnet50": ("ResNet1d", {"depth": 50, "widths": NARROW}),
    "resnet101": ("ResNet1d", {"depth": 101, "widths": NARROW}),
    "densenet121": ("DenseNet1d", {"growth_rate": 8}),
    "densenet201_max": ("DenseNet1d", {"depth": 201, "growth_rate": 4, "pooling": "max_mean"}),
    "s4": ("S4", {"width": 16, "layers": 2}),
    "s4_trained": ("S4", {"width": 16, "layers": 2, "train_dynamics": True, "prenorm": True, "pooling": "attention"}),
    "s4_diagonal": ("S4", {"width": 16, "layers": 2, "kernel": "diagonal", "bidirectional": False}),
    "transformer": ("Transformer1d", {"width": 48, "layers": 2, "heads": 3}),
    "transformer_max": ("Transformer1d", {"width": 32, "layers": 1, "heads": 2, "patch": 25, "pooling": "max_mean"}),
    "net1d": ("Net1D", {"widths": (16, 32), "blocks": (2, 2), "stem_width": 16}),
    "xresnet18": ("XResNet1d", {"depth": 18, "widths": (16, 16, 16, 16), "stem_widths": (8, 8, 16)}),
    "inception": ("Inception1d", {"depth": 6, "width": 8, "bottleneck": 8}),
    "lstm": ("LSTM1d", {"width": 16}),
    "lstm_attention": ("LSTM1d", {"width": 16, "bidirectional": True, "pooling": "attention", "hidden": None}),
}
# One of each architecture: an export takes up to some seconds
EXPORTED = (
    "resnet18_attention", "densenet121", "s4", "s4_diagonal", "transformer", "net1d", "xresnet18", "inception", "lstm",
)  # fmt: skip


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
    name, options = VARIANTS[request.param]
    return partial(getattr(models, name), **options)


def signal(batch: int = 2, leads: int = 12, samples: int = 256) -> Tensor:
    return torch.randn(batch, leads, samples, generator=torch.Generator().manual_seed(1))


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
def test_export_for_any_batch_size(build: Callable[..., Network]) -> None:
    network = build().eval()
    samples = max(32, network.shortest)
    x = signal(2, samples=samples)
    program = torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    with torch.no_grad():
        x = signal(3, samples=samples)
        torch.testing.assert_close(program.module()(x), network(x))


def test_weights_that_read_the_leads_are_named(build: Callable[..., Network]) -> None:
    two, twelve = (build(leads=leads).state_dict() for leads in (2, 12))
    names = {name for name in twelve if two[name].shape != twelve[name].shape}
    assert names == {name for name in build().lead_weights if name in twelve}
    assert all(two[name].shape[1] == 2 and twelve[name].shape[1] == 12 for name in names)


def test_the_first_layer_goes_by_the_names_of_the_leads(build: Callable[..., Network]) -> None:
    """On the common leads, with silence in the others, the network computes what the checkpoint does."""
    twelve, two, back = (build(leads=leads, outputs=3).double().eval() for leads in (12, 2, 12))
    terms, pair = ["A", "B", "C"], ("V2", "I")
    state, seen = twelve.state_dict(), Inputs(LEADS)
    transfer = take_weights(two, terms, state, terms, inputs=Inputs(pair), state_inputs=seen)
    named = sum(name in state for name in twelve.lead_weights)
    assert str(transfer) == (
        f"{len(state) - named}/{len(state)} tensors; head: 3 of 3 terms kept; first layer: leads V2, I taken by name"
    )
    transfer = take_weights(back, terms, two.state_dict(), terms, inputs=seen, state_inputs=Inputs(pair))
    absent = "II, III, aVR, aVL, aVF, V1, V3, V4, V5, V6"
    assert transfer.notes == (f"first layer: leads I, V2 taken by name, and zero for {absent}",)
    x = torch.zeros(2, 12, 256).double()
    x[:, [LEADS.index(lead) for lead in pair]] = signal(2, 2).double()
    with torch.no_grad():
        expected = twelve(x)
        torch.testing.assert_close(two(signal(2, 2).double()), expected)
        torch.testing.assert_close(back(x), expected)
        torch.testing.assert_close(back(x + torch.eye(12)[2][:, None]), expected)  # III begins at zero


def test_without_a_common_lead_the_first_layer_stays_fresh(build: Callable[..., Network]) -> None:
    old, new = build(leads=1), build(leads=1)
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    transfer = take_weights(
        new, ["A"] * 7, old.state_dict(), ["A"] * 7, inputs=Inputs(["V1"]), state_inputs=Inputs(["I"])
    )
    assert transfer.notes == ("first layer fresh: the checkpoint saw I and no lead of this run",)
    assert all(torch.equal(new.state_dict()[name], before[name]) for name in new.lead_weights if name in before)


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

    x = signal(3, samples=1000).double()
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(x), reference.eval()(x), rtol=1e-9, atol=1e-9)
    for model in (network, reference):  # and in training, dropout apart
        model.train().apply(lambda m: setattr(m, "p", 0.0) if isinstance(m, nn.Dropout) else None)
        model(x).square().mean().backward()
    for p, q in zip(network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-5, atol=1e-7)
