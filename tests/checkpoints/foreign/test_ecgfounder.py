"""ECGFounder's network as its repository's `net1d.py` (commit 04edac7) describes it, under its names of the tensors."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ecg_lightning.checkpoints.foreign.ecgfounder import BLOCKS, convert, terms
from ecg_lightning.checkpoints.weights import check_fits
from ecg_lightning.errors import UserError
from ecg_lightning.labels.vocabulary import TERMS
from ecg_lightning.models import Net1D

WIDTHS = (64, 160, 160, 400, 400, 1024, 1024)


def shapes(widths: Sequence[int] = WIDTHS, outputs: int = 150) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a file: stem of 64 channels or the first width, 16 samples, groups of 16 channels."""
    table: dict[str, tuple[int, ...]] = {}

    def affine(name: str, *shape: int) -> None:
        table[f"{name}.weight"], table[f"{name}.bias"] = shape, shape[:1]

    def norm(name: str, channels: int) -> None:
        affine(name, channels)
        table[f"{name}.running_mean"] = table[f"{name}.running_var"] = (channels,)
        table[f"{name}.num_batches_tracked"] = ()

    channels = widths[0]
    affine("first_conv.conv", channels, 12, 16)
    norm("first_bn", channels)
    for i, (width, blocks) in enumerate(zip(widths, BLOCKS, strict=True)):
        for j in range(blocks):
            block = f"stage_list.{i}.block_list.{j}"
            norm(f"{block}.bn1", channels)
            affine(f"{block}.conv1.conv", width, channels, 1)
            norm(f"{block}.bn2", width)
            affine(f"{block}.conv2.conv", width, 16, 16)
            norm(f"{block}.bn3", width)
            affine(f"{block}.conv3.conv", width, width, 1)
            affine(f"{block}.se_fc1", width // 2, width)
            affine(f"{block}.se_fc2", width, width // 2)
            channels = width
    affine("dense", outputs, channels)
    return table


def state(widths: Sequence[int] = WIDTHS, outputs: int = 150, device: str = "cpu") -> dict[str, Tensor]:
    generator = None if device == "meta" else torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator, device=device, dtype=torch.float64)
        / max(1, sum(shape[1:])) ** 0.5
        for name, shape in shapes(widths, outputs).items()
    }


def formula(tensors: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """The forward pass: "same" padding, swish, squeeze-and-excitation, shortcuts without parameters; no normalisation."""

    def swish(x: Tensor) -> Tensor:
        return x / (1 + (-x).exp())

    def affine(x: Tensor, name: str) -> Tensor:
        return F.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = tensors[f"{name}.weight"]
        steps = (x.shape[2] + stride - 1) // stride
        zeros = max(0, (steps - 1) * stride + weight.shape[2] - x.shape[2])
        x = F.pad(x, (zeros // 2, zeros - zeros // 2))
        return F.conv1d(x, weight, tensors[f"{name}.bias"], stride, groups=x.shape[1] // weight.shape[1])

    x = swish(conv(x, "first_conv.conv", 2))
    for i, blocks in enumerate(BLOCKS):
        for j in range(blocks):
            block = f"stage_list.{i}.block_list.{j}"
            y = x if i == j == 0 else swish(x)
            y = swish(conv(y, f"{block}.conv1.conv"))
            y = swish(conv(y, f"{block}.conv2.conv", 2 if j == 0 else 1))
            y = conv(y, f"{block}.conv3.conv")
            gate = torch.sigmoid(affine(swish(affine(y.mean(2), f"{block}.se_fc1")), f"{block}.se_fc2"))
            if j == 0:
                x = F.pad(x, (0, x.shape[2] % 2)).unflatten(2, (-1, 2)).amax(3)
            new = y.shape[1] - x.shape[1]
            above = x.new_zeros(len(x), new // 2, x.shape[2])
            below = x.new_zeros(len(x), new - new // 2, x.shape[2])
            x = torch.cat([above, x, below], 1) + y * gate[:, :, None]
    return affine(x.mean(2), "dense")


def test_tensors_are_those_of_a_published_file() -> None:
    tensors = state(device="meta")
    assert len(tensors) == 509
    learnt = [tensor for name, tensor in tensors.items() if name.endswith(("weight", "bias"))]
    assert sum(tensor.numel() for tensor in learnt) == 30_819_014
    with torch.device("meta"):
        check_fits(Net1D(outputs=150), convert(tensors), "the file")


@pytest.mark.parametrize("samples", [1000, 333, 128])
def test_outputs_and_gradients_are_those_of_the_formula(samples: int) -> None:
    widths = (16, 32, 32, 48, 48, 64, 64)
    tensors = {name: tensor.requires_grad_() for name, tensor in state(widths, outputs=5).items()}
    network = Net1D(outputs=5, widths=widths, stem_width=16).double()
    network.load_state_dict(convert(tensors))
    x = torch.randn(2, 12, samples, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    expected, logits = formula(tensors, x), network(x)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)
    logits.square().mean().backward()
    expected.square().mean().backward()
    reference = convert({name: tensor.grad for name, tensor in tensors.items()})
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, reference[name], rtol=1e-8, atol=1e-10)


def test_outputs_are_terms_of_the_vocabulary_or_keep_their_statement() -> None:
    # tasks.txt of the repository, lines 1, 3, 4, 6, 12 and 150
    outputs = terms()
    assert len(outputs) == len(set(outputs)) == 150
    assert outputs[0] == "ecgfounder:ABNORMAL ECG"
    assert [outputs[line - 1] for line in (3, 4, 6, 12)] == ["NORM", "SR", "AFIB", "RBBB"]
    assert outputs[149] == "ecgfounder:MULTIFOCAL ATRIAL TACHYCARDIA"
    mapped = [term for term in outputs if not term.startswith("ecgfounder:")]
    assert len(mapped) == 60 and set(mapped) <= set(TERMS)


def test_a_file_with_other_tensors_is_refused() -> None:
    tensors = state(device="meta")
    with pytest.raises(UserError, match=r"of ECGFounder \(Net1D\): it lacks dense\.bias\.$"):
        convert({name: tensor for name, tensor in tensors.items() if name != "dense.bias"})
    with pytest.raises(UserError, match=r"it lacks first_bn\.weight\."):  # of no use, but a whole file has it
        convert({name: tensor for name, tensor in tensors.items() if name != "first_bn.weight"})
    with pytest.raises(UserError, match=r": it has the unexpected extra\.$"):
        convert(tensors | {"extra": torch.zeros(1)})
    with pytest.raises(UserError, match="and 504 more"):
        convert({})
