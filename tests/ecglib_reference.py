"""EcgLib's networks, the reference for ours."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn


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
        return {name: _load(folder / f"{name}.py") for name in ("resnet1d", "densenet1d")}


def _load(file: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"ecglib_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
