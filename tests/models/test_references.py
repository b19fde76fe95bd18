"""The published networks written a second time, as plain formulas over a network's tensors in their order.

Sources of the formulas and of the recorded counts (the code there was run, with 12 leads):

- github.com/helme/ecg_ptbxl_benchmarking, commit cdbf4e6: `code/models/{xresnet1d,inception1d,rnn1d}.py`, with the head
  that `fastai_model.py` asks for (`lin_ftrs_head=[128]`), 71 outputs;
- github.com/PKUDigitalHealth/ECGFounder, commit 04edac7: `net1d.py`, 150 outputs, without the normalisations that its
  forward pass never uses;
- github.com/AI4HealthUOL/ecg-fm-benchmarking, commit 6367295: `clinical_ts/ts` (counted by hand from its shapes), 71 outputs;
- github.com/cheliu-computation/MERL-ICML2024, commit 38799b7: `finetune/models/resnet1d.py`, 5 outputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_lightning import models
from ecg_lightning.models.network import Network

COUNTS = [
    ("XResNet1d", {"depth": 18, "outputs": 71}, 373_447, 65),
    ("XResNet1d", {"depth": 34, "outputs": 71}, 703_175, 113),
    ("XResNet1d", {"depth": 50, "outputs": 71}, 962_503, 164),
    ("XResNet1d", {"depth": 101, "outputs": 71}, 1_880_775, 317),
    ("XResNet1d", {"depth": 101, "outputs": 71, "hidden": None}, 1_842_119, 313),
    ("Inception1d", {"outputs": 71}, 516_167, 56),
    ("LSTM1d", {"outputs": 71}, 912_199, 16),
    ("LSTM1d", {"outputs": 71, "bidirectional": True}, 2_339_143, 24),
    ("Net1D", {"outputs": 150}, 30_752_646, 204),
    ("ECGCPC", {"outputs": 71}, 2_969_159, 38),
    (
        "ResNet1d",
        {"block": "basic", "stem_kernel": 7, "stem_pool": False, "first_stride": 1, "pooling": "mean", "outputs": 5},
        3_851_397,
        62,
    ),
]


@pytest.mark.parametrize(("name", "options", "parameters", "tensors"), COUNTS)
def test_parameters_are_those_of_the_reference(
    name: str, options: dict[str, Any], parameters: int, tensors: int
) -> None:
    architecture = getattr(models, name)
    with torch.device("meta"):
        network = architecture(**options)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert len(list(network.parameters())) == tensors
    if "hidden" not in options:
        assert f"{parameters:,}" in architecture.__doc__


class Tensors:
    """A network's tensors, taken one after the other by the layers of a formula."""

    def __init__(self, network: nn.Module) -> None:
        self.training = network.training
        self.tensors = list(network.state_dict(keep_vars=True).values())[::-1]

    def take(self, count: int) -> list[Tensor]:
        return [self.tensors.pop() for _ in range(count)]

    def conv(self, x: Tensor, stride: int = 1) -> Tensor:
        (weight,) = self.take(1)
        return F.conv1d(x, weight, stride=stride, padding=weight.shape[2] // 2)

    def norm(self, x: Tensor) -> Tensor:
        weight, bias, mean, variance, _ = self.take(5)
        return F.batch_norm(x, mean.clone(), variance.clone(), weight, bias, self.training)

    def linear(self, x: Tensor) -> Tensor:
        weight, bias = self.take(2)
        return x @ weight.T + bias

    def head(self, x: Tensor) -> Tensor:
        return self.linear(self.norm(self.linear(self.norm(x)).relu()))


def xresnet(t: Tensors, x: Tensor, blocks: Sequence[int], wide: bool) -> Tensor:
    for stride in (2, 1, 1):
        x = t.norm(t.conv(x, stride)).relu()
    x = F.max_pool1d(x, 3, 2, 1)
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            if wide:
                y = t.norm(t.conv(x)).relu()
                y = t.norm(t.conv(y, stride)).relu()
                y = t.norm(t.conv(y))
            else:
                y = t.norm(t.conv(x, stride)).relu()
                y = t.norm(t.conv(y))
            if stride == 2:
                even, odd = x[..., ::2], x[..., 1::2]
                pairs = (even[..., : odd.shape[2]] + odd) / 2
                x = torch.cat([pairs, even[..., odd.shape[2] :]], 2)  # a last sample without a partner stays
            if x.shape[1] != y.shape[1]:
                x = t.norm(t.conv(x))
            x = (x + y).relu()
    return t.head(torch.cat([x.amax(2), x.mean(2)], 1))


def inception(t: Tensors, x: Tensor) -> Tensor:
    for _ in range(2):
        start = x
        for _ in range(3):
            narrow = t.conv(x)
            branches = [t.conv(narrow) for _ in range(3)]
            branches.append(t.conv(F.max_pool1d(x, 3, 1, 1)))
            x = t.norm(torch.cat(branches, 1)).relu()
        x = (x + t.norm(t.conv(start))).relu()
    return t.head(torch.cat([x.amax(2), x.mean(2)], 1))


def merl(t: Tensors, x: Tensor) -> Tensor:
    x = t.norm(t.conv(x, 2)).relu()
    for stage in range(4):
        for block in range(2):
            stride = 2 if stage > 0 and block == 0 else 1
            y = t.norm(t.conv(x, stride)).relu()
            y = t.norm(t.conv(y))
            x = (y + (t.norm(t.conv(x, stride)) if stride == 2 else x)).relu()
    return t.linear(x.mean(2))


def recurrence(x: Tensor, inputs: Tensor, states: Tensor, bias: Tensor) -> Tensor:
    """(batch, channels, time) → (batch, units, time), by the equations of a long short-term memory."""
    h = c = x.new_zeros(x.shape[0], states.shape[1])
    outputs = []
    for sample in x.unbind(2):
        gates = sample @ inputs.T + h @ states.T + bias
        take, keep, new, show = gates.chunk(4, 1)
        c = keep.sigmoid() * c + take.sigmoid() * new.tanh()
        h = show.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs, 2)


def lstm(t: Tensors, x: Tensor, bidirectional: bool) -> Tensor:
    for _ in range(2):
        forwards, first, second, third = t.take(4)
        y = recurrence(x, forwards, first, second + third)
        last = y[:, :, -1]
        if bidirectional:
            backwards, first, second, third = t.take(4)
            z = recurrence(x.flip(2), backwards, first, second + third)
            y, last = torch.cat([y, z.flip(2)], 1), torch.cat([last, z[:, :, -1]], 1)
        x = y
    return t.head(torch.cat([x.mean(2), x.amax(2), last], 1))


FORMULAS: dict[str, tuple[str, dict[str, Any], Callable[[Tensors, Tensor], Tensor]]] = {
    "xresnet1d18": (
        "XResNet1d",
        {"depth": 18, "widths": (8, 8, 12, 12), "stem_widths": (6, 6, 8), "hidden": 16},
        lambda t, x: xresnet(t, x, (2, 2, 2, 2), wide=False),
    ),
    "xresnet1d50": (
        "XResNet1d",
        {"depth": 50, "widths": (4, 4, 6, 6), "stem_widths": (6, 6, 8), "hidden": 16},
        lambda t, x: xresnet(t, x, (3, 4, 6, 3), wide=True),
    ),
    "inception1d": ("Inception1d", {"width": 6, "bottleneck": 5, "hidden": 16}, inception),
    "lstm": ("LSTM1d", {"width": 9, "hidden": 16}, lambda t, x: lstm(t, x, False)),
    "lstm_bidir": ("LSTM1d", {"width": 9, "hidden": 16, "bidirectional": True}, lambda t, x: lstm(t, x, True)),
    "merl": (
        "ResNet1d",
        {"block": "basic", "widths": (6, 8, 8, 10), "stem_kernel": 7, "stem_pool": False, "first_stride": 1}
        | {"pooling": "mean"},
        merl,
    ),
}


def shaken(network: Network) -> Network:
    """The network in float64 with all its tensors changed, so that none of them keeps a value that hides a fault."""
    generator = torch.Generator().manual_seed(0)
    for tensor in network.double().state_dict().values():
        if tensor.is_floating_point():
            tensor += 0.1 * torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
    return network


@pytest.mark.parametrize("samples", [64, 77])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", FORMULAS)
def test_outputs_and_gradients_are_those_of_the_formula(name: str, training: bool, samples: int) -> None:
    architecture, options, formula = FORMULAS[name]
    torch.manual_seed(0)
    network = shaken(getattr(models, architecture)(outputs=3, leads=4, dropout=0.0, **options)).train(training)
    x = torch.randn(3, 4, samples, dtype=torch.float64, requires_grad=True)
    inputs = [x, *network.parameters()]

    tensors = Tensors(network)
    expected = formula(tensors, x)
    assert tensors.tensors == []
    gradients = torch.autograd.grad(expected.square().mean(), inputs)

    logits = network(x)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)
    for gradient, reference in zip(torch.autograd.grad(logits.square().mean(), inputs), gradients, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: models.Net1D(widths=(64, 160)), "as many blocks as widths, got 7 blocks and 2 widths"),
        (
            lambda: models.Net1D(widths=(64, 72), blocks=(1, 1)),
            r"widths=\[64, 72\] must be multiples of group_width=16",
        ),
        (lambda: models.Net1D(widths=(64, 32), blocks=(1, 1)), r"widths=\[64, 32\] must not decrease"),
        (lambda: models.Net1D(widths=(32,), blocks=(1,)), "nor begin below stem_width=64"),
        (lambda: models.Inception1d(depth=4), "depth=4 must be a multiple of 3"),
        (lambda: models.Inception1d(kernel_size=40), "kernel_size=40 must be an odd whole number from 9 to 255"),
        (lambda: models.XResNet1d(depth=152), "depth=152 must be one of 18, 34, 50, 101"),
        (
            lambda: models.LSTM1d(pooling="last"),
            "pooling='last' must be one of mean, max_mean, attention, normed_mean, normed_attention, mean_max_last",
        ),
    ],
)
def test_wrong_arguments(build: Callable[[], Network], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
