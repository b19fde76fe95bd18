"""Filters in ONNX: as exact as ours, also where the length of a window is no power of two."""

import logging

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecg_lightning.export.write import open_file, to_content
from ecg_lightning.transforms import Preprocess

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


class Prepared(nn.Module):
    """What a network sees."""

    def __init__(self) -> None:
        super().__init__()
        self.preprocess = Preprocess(normalisation="none", low=0.5)

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        result: Tensor = self.preprocess(signals, lengths, 100)
        return result


def test_a_filter_is_as_exact_in_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "handlers", [])
    generator = torch.Generator().manual_seed(0)
    inputs = 600 * torch.randn(2, 1000, 12, generator=generator), torch.tensor([1000, 700])
    module = Prepared().eval()
    expected = module(*inputs).numpy()
    content = to_content(torch.export.export(module, inputs), "onnx", {})
    difference = np.abs(open_file(content, "onnx")(inputs) - expected).max()
    assert difference < 1e-5 * np.abs(expected).max()  # 3e-4 with a transform of 2,160 samples
