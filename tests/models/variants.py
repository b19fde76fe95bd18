"""Small networks of every architecture, and what they are fed."""

from typing import Any

import torch
from torch import Tensor

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
    "ecg_cpc": ("ECGCPC", {"width": 16, "layers": 2}),
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
    "resnet18_attention", "densenet121", "s4", "s4_diagonal", "ecg_cpc", "transformer", "net1d", "xresnet18", "inception", "lstm",
)  # fmt: skip


def signal(batch: int = 2, leads: int = 12, samples: int = 256) -> Tensor:
    return torch.randn(batch, leads, samples, generator=torch.Generator().manual_seed(1))
