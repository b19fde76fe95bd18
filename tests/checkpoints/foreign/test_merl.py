"""MERL's encoder as its repository's `utils/resnet1d.py` (commit 38799b7) describes it, under its names."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ecg_lightning.checkpoints.foreign.merl import convert
from ecg_lightning.config.compose import compose
from ecg_lightning.errors import UserError
from ecg_lightning.models import ResNet1d


def shapes() -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a file."""
    table: dict[str, tuple[int, ...]] = {}

    def conv_norm(conv: str, norm: str, out: int, channels: int, kernel: int) -> None:
        table[f"{conv}.weight"] = (out, channels, kernel)
        table.update({f"{norm}.{name}": (out,) for name in ("weight", "bias", "running_mean", "running_var")})
        table[f"{norm}.num_batches_tracked"] = ()

    conv_norm("conv1", "bn1", 64, 12, 7)
    channels = 64
    for i, width in enumerate((64, 128, 256, 512), 1):
        for j in range(2):
            block = f"layer{i}.{j}"
            conv_norm(f"{block}.conv1", f"{block}.bn1", width, channels, 3)
            conv_norm(f"{block}.conv2", f"{block}.bn2", width, width, 3)
            if width != channels:
                conv_norm(f"{block}.shortcut.0", f"{block}.shortcut.1", width, channels, 1)
            channels = width
    return table | {"linear.weight": (10, 512), "linear.bias": (10,)}


def state() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(shape, generator=generator, dtype=torch.float64) / max(1, sum(shape[1:])) ** 0.5
        if shape
        else torch.tensor(3)  # batches that a normalisation saw
        for name, shape in shapes().items()
    }


def formula(tensors: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """The pooled feature map, in evaluation."""

    def conv_norm(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        weight = tensors[f"{conv}.weight"]
        x = F.conv1d(x, weight, stride=stride, padding=weight.shape[2] // 2)
        scale = tensors[f"{norm}.weight"] / (tensors[f"{norm}.running_var"] + 1e-5).sqrt()
        return (x - tensors[f"{norm}.running_mean"][:, None]) * scale[:, None] + tensors[f"{norm}.bias"][:, None]

    x = conv_norm(x, "conv1", "bn1", 2).relu()
    for i in range(1, 5):
        for j in range(2):
            block, stride = f"layer{i}.{j}", 2 if i > 1 and j == 0 else 1
            y = conv_norm(x, f"{block}.conv1", f"{block}.bn1", stride).relu()
            y = conv_norm(y, f"{block}.conv2", f"{block}.bn2")
            x = (y + (conv_norm(x, f"{block}.shortcut.0", f"{block}.shortcut.1", stride) if stride == 2 else x)).relu()
    return x.mean(2)


def test_features_are_those_of_the_formula() -> None:
    tensors = state()
    options = dict(compose(["--config", "model/resnet1d18_merl"]).model)
    assert options.pop("name") == "ResNet1dModule"
    network = ResNet1d(**options).double().eval()
    differences = network.load_state_dict(convert(tensors), strict=False)
    assert differences.unexpected_keys == [] and differences.missing_keys == ["head.weight", "head.bias"]
    x = torch.randn(2, 12, 333, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network.features(x), formula(tensors, x), rtol=1e-10, atol=1e-10)


def test_a_file_with_other_tensors_is_refused() -> None:
    tensors = state() | {"extra": torch.zeros(1)}
    del tensors["layer2.0.shortcut.0.weight"]
    with pytest.raises(
        UserError, match=r"MERL.* lacks layer2\.0\.shortcut\.0\.weight, and it has the unexpected extra"
    ):
        convert(tensors)
