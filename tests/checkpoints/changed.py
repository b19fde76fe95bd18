"""A published checkpoint whose card was changed afterwards."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import safe_open

from ecg_lightning import checkpoints

Change = Callable[[dict[str, Any]], Any]


def published(run_dir: Path, folder: Path, change: Change | None = None, hashed: bool = True) -> Path:
    """The run's network, published; `change` is made to its card, with a fresh hash of the content or none."""
    path = Path(checkpoints.publish(str(run_dir), "net", str(folder)))
    if change is None:
        return path
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["ecg_lightning"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    change(card)
    text = json.dumps(card)
    metadata = {"ecg_lightning": text}
    if hashed:
        metadata["sha256"] = checkpoints.checkpoint.content_hash(text, tensors)
    safetensors.torch.save_file(tensors, path, metadata)
    return path
