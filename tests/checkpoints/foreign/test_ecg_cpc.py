"""ECG-CPC's encoder as its repository's `clinical_ts/ts` (commit 6367295) describes it, under its names of the tensors."""

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ecg_lightning.checkpoints.foreign.ecg_cpc import convert
from ecg_lightning.errors import UserError
from ecg_lightning.models import ECGCPC

WIDTH, HALF, LENGTH = 24, 4, 120
PREDICTOR = "ts_encoder.predictor.predictor"


def shapes(width: int = 512, length: int = 1200) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a file."""
    table: dict[str, tuple[int, ...]] = {"ts_encoder.head_ssl.proj.0.weight": (width, width)}
    for i in range(4):
        encoder, layer = f"ts_encoder.encoder.layers.{i}", f"{PREDICTOR}.s4_layers.{i}"
        table[f"{encoder}.0.weight"] = (width, 12 if i == 0 else width, 3 if i == 0 else 1)
        table |= {f"{encoder}.1.{name}": (width,) for name in ("weight", "bias", "running_mean", "running_var")}
        table |= {f"{encoder}.1.num_batches_tracked": (), f"{layer}.D": (1, width)}
        table |= {f"{layer}.kernel.kernel.{name}": (1, width, HALF, 2) for name in ("C", "B", "P", "Q")}
        table |= {f"{layer}.kernel.kernel.w": (width, HALF, 2), f"{layer}.kernel.kernel.log_dt": (width,)}
        table |= {f"{layer}.kernel.kernel.{name}": (length // 2 + 1, 2) for name in ("omega", "z")}
        table |= {
            f"{layer}.output_linear.0.weight": (2 * width, width),
            f"{layer}.output_linear.0.bias": (2 * width, 1),
        }
        table |= {f"{PREDICTOR}.norms.{i}.{name}": (width,) for name in ("weight", "bias")}
    return table


def state(width: int = 512, length: int = 1200) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.rand(shape, generator=generator, dtype=torch.float64) / max(1, sum(shape[1:])) ** 0.5
        if shape
        else torch.tensor(5)
        for name, shape in shapes(width, length).items()
    }
    nodes = torch.exp(-2j * math.pi / length * torch.arange(length // 2 + 1, dtype=torch.float64))
    for i in range(4):
        kernel = f"{PREDICTOR}.s4_layers.{i}.kernel.kernel"
        # oscillations that decay, a step as in training, and the low rank on both sides of A
        tensors[f"{kernel}.w"] = tensors[f"{kernel}.w"] * torch.tensor([0.5, 9]) + torch.tensor([-1.2, 0.5])
        tensors[f"{kernel}.log_dt"] = math.log(0.001) + math.log(100) * tensors[f"{kernel}.log_dt"]
        tensors[f"{kernel}.Q"] = tensors[f"{kernel}.P"] * torch.tensor([1.0, -1.0])
        tensors[f"{kernel}.omega"] = torch.view_as_real(nodes)
        tensors[f"{kernel}.z"] = torch.view_as_real(2 * (1 - nodes) / (1 + nodes))
    return tensors


def responses(tensors: Mapping[str, Tensor], layer: str) -> Tensor:
    """(channels, LENGTH) a layer's kernel: a resolvent at each node, without a Cauchy sum or its Woodbury correction."""
    parts = {
        name: torch.view_as_complex(tensors[f"{layer}.kernel.kernel.{name}"])
        for name in ("w", "B", "C", "P", "Q", "omega", "z")
    }
    step = tensors[f"{layer}.kernel.kernel.log_dt"].exp()
    w, b, c, p, q = (torch.cat([parts[name], parts[name].conj()], -1) for name in ("w", "B", "C", "P", "Q"))
    matrix = torch.diag_embed(w) - p[0, :, :, None] * q[0, :, None, :]
    identity = torch.eye(2 * HALF, dtype=torch.complex128)
    spectrum = []
    for node, z in zip(parts["omega"], parts["z"], strict=True):
        if abs(node + 1) < 1e-9:  # the last node of an even length: the limit is finite
            backwards = torch.linalg.solve(
                identity - step[:, None, None] / 2 * matrix, step[:, None, None] * b[0][..., None]
            )
            forwards = torch.linalg.solve(
                identity - step[:, None, None] / 2 * matrix, identity + step[:, None, None] / 2 * matrix
            )
            value = torch.linalg.solve(identity + forwards, backwards)
            spectrum.append((c[0][:, None, :] @ value)[:, 0, 0])
            continue
        resolvent = torch.linalg.solve(z * identity - step[:, None, None] * matrix, b[0][..., None])
        value = (c[0][:, None, :] @ resolvent)[:, 0, 0] * step
        spectrum.append(value * 2 / (1 + node))
    return torch.fft.irfft(torch.stack(spectrum, -1), LENGTH)


def formula(tensors: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """The features in evaluation: convolutions, then S4 layers whose convolution is written as a matrix."""
    for i in range(4):
        conv, norm = f"ts_encoder.encoder.layers.{i}.0", f"ts_encoder.encoder.layers.{i}.1"
        weight = tensors[f"{conv}.weight"]
        x = F.conv1d(x, weight, stride=2 if i == 0 else 1, padding=weight.shape[2] // 2)
        scale = tensors[f"{norm}.weight"] / (tensors[f"{norm}.running_var"] + 1e-5).sqrt()
        x = (x - tensors[f"{norm}.running_mean"][:, None]) * scale[:, None] + tensors[f"{norm}.bias"][:, None]
        x = x.relu()
    samples = x.shape[2]
    lag = torch.arange(samples)[:, None] - torch.arange(samples)
    for i in range(4):
        layer, norm = f"{PREDICTOR}.s4_layers.{i}", f"{PREDICTOR}.norms.{i}"
        toeplitz = responses(tensors, layer)[:, lag.clamp(min=0)] * (lag >= 0)
        y = torch.einsum("hts,bhs->bht", toeplitz, x) + tensors[f"{layer}.D"][0][:, None] * x
        y = tensors[f"{layer}.output_linear.0.weight"] @ F.gelu(y) + tensors[f"{layer}.output_linear.0.bias"]
        values, gates = y.chunk(2, 1)
        x = x + values * gates.sigmoid()
        x = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
        x = x * tensors[f"{norm}.weight"][:, None] + tensors[f"{norm}.bias"][:, None]
    return x.mean(2)


@pytest.mark.parametrize("samples", [2 * LENGTH, 100])
def test_features_are_those_of_the_formula(samples: int) -> None:
    tensors = state(WIDTH, LENGTH)
    network = ECGCPC(width=WIDTH).double().eval()
    differences = network.load_state_dict(convert(tensors), strict=False)
    assert differences.unexpected_keys == [] and differences.missing_keys == ["head.weight", "head.bias"]
    x = torch.randn(2, 12, samples, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network.features(x), formula(tensors, x), rtol=1e-10, atol=1e-10)


KERNEL = f"{PREDICTOR}.s4_layers.1.kernel.kernel"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (f"{KERNEL}.Q", lambda q: -q, "Q is not the conjugate of P"),
        (f"{KERNEL}.w", lambda w: -w, "a real part of w that is not below 0"),
        (f"{KERNEL}.w", lambda w: w[:, :3], r"the tensor B has the shape \(1, 24, 4, 2\) instead of \(1, 24, 3, 2\)"),
        (f"{KERNEL}.omega", lambda omega: omega[:-1], "omega and z are no complex numbers of one length"),
        (f"{KERNEL}.omega", lambda omega: omega * torch.tensor([1.0, -1.0]), "does not have the nodes of a kernel of 0"),
    ],
)  # fmt: skip
def test_another_system_is_refused(name: str, change: object, message: str) -> None:
    tensors = state(WIDTH, LENGTH)
    tensors[name] = change(tensors[name])  # type: ignore[operator]
    with pytest.raises(UserError, match=rf"s4_layers\.1: .*{message}"):
        convert(tensors)


def test_a_file_with_other_tensors_is_refused() -> None:
    tensors = state(WIDTH, LENGTH) | {"extra": torch.zeros(1)}
    del tensors[f"{PREDICTOR}.norms.2.bias"]
    with pytest.raises(UserError, match=r"of ECG-CPC: it lacks .*norms\.2\.bias, and it has the unexpected extra\.$"):
        convert(tensors)
