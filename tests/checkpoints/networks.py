"""Runs of tiny networks as far as publishing looks at them, made without training."""

from pathlib import Path
from typing import Any

import torch

from checkpoints.test_card import FIRST
from ecg_lightning.models import ResNet1d

WIDTHS = [4, 4, 8, 8]


def run(folder: Path, seed: int = 0, **card: Any) -> Path:
    """A run's folder with the one checkpoint `best.ckpt`; `card` changes what it says of itself."""
    path = folder / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    values = FIRST | {"model": {"name": "ResNet1dModule", "widths": WIDTHS, "block": "basic"}} | card
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = ResNet1d(
            leads=len(values["input"]["preprocess"]["leads"]), outputs=len(values["terms"]),
            **{key: value for key, value in values["model"].items() if key != "name"},
        )  # fmt: skip
    state = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"card": values, "state_dict": state, "seen": torch.ones(8, 64)}, path)
    return folder
