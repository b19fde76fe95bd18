"""A checkpoint that was read: the network's tensors, and the card that says what it is."""

import hashlib
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_lightning.checkpoints.places import filesystem_of, locate, read_bytes
from ecg_lightning.config.schema import build
from ecg_lightning.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from ecg_lightning.modules.base import ECGModule

CARD_KEY = "ecg_lightning"
"""The key of the card in a safetensors header."""
LONGEST_HEADER = 100_000_000
"""Bytes; the library refuses longer ones."""
PREFIX = "network."
"""Where a LightningModule's state has its network."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        name: its published name, or its path.
        state: the network's tensors.
        card: what it says of itself: model, terms, input, thresholds, calibration, metrics, data, parent, versions.
        seen: (records, …) content descriptors of the recordings that trained it, its ancestors' too; may be empty.
        sha256: hash of the file.
    """

    name: str
    state: "dict[str, Tensor]"
    card: dict[str, Any]
    seen: "Tensor | None"
    sha256: str

    @property
    def terms(self) -> list[str]:
        """The ordered terms that it predicts."""
        return list(self.card["terms"])

    @property
    def title(self) -> str:
        """Its published name, or its run's and the beginning of its hash: a name that tells nothing of this machine."""
        if "name" in self.card:
            return str(self.card["name"])
        path = Path(self.name).absolute()
        run = path.parents[1].name if path.parent.name == "checkpoints" else path.stem
        return f"{run} ({self.sha256[:8]})"

    def module(self) -> "ECGModule":
        """The network that it was trained with, with its weights, thresholds and calibration, ready to predict."""
        from ecg_lightning.checkpoints.weights import take_weights

        module: ECGModule = build(
            "model", self.card["model"], terms=self.terms, leads=len(self.card["input"]["preprocess"]["leads"])
        )
        take_weights(module.network, self.terms, self.state, self.terms)
        module.take_card(self.card)
        return module.eval()


def read(name: str, folder: str | None = None) -> Checkpoint:
    """Reads a checkpoint: a ``.ckpt`` or ``.safetensors`` file, a URL, or a published name.

    Raises:
        UserError: where there is none, or it is not one of ecg_lightning's.
    """
    url = locate(name, folder)
    content = read_bytes(url)
    card, tensors, seen = parse(content, url)
    return Checkpoint(name, tensors, card, seen, sha256_of(content))


def parse(content: bytes, url: str) -> "tuple[dict[str, Any], dict[str, Tensor], Tensor | None]":
    """Card, the network's tensors, and what trained it, of a file's whole content."""
    if url.endswith(".ckpt"):
        return parse_lightning(content, url)
    from safetensors.torch import load

    card = _card(_header(content, url), url)
    try:
        tensors = load(content)
    except Exception as error:  # the library has exceptions of its own for each way of being broken
        raise UserError(f"{url} is not a readable safetensors file ({error}).") from error
    return card, {k: v for k, v in tensors.items() if k != "seen"}, tensors.get("seen")


def parse_lightning(content: bytes, url: str) -> "tuple[dict[str, Any], dict[str, Tensor], Tensor | None]":
    """As `parse`, of a Lightning ``.ckpt``."""
    import torch

    try:
        found = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        card, state = dict(found["card"]), dict(found["state_dict"])
    except Exception as error:  # a file that is cut off or is something else may fail in any way
        raise UserError(
            f"{url} is not a checkpoint of ecg_lightning, or was cut off ({type(error).__name__})."
        ) from error
    return card, {k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)}, found.get("seen")


def card_of(name: str, folder: str | None = None) -> dict[str, Any]:
    """The card alone; of a large published file only the header is read."""
    url = locate(name, folder)
    if url.endswith(".ckpt"):
        return read(url).card
    filesystem, path = filesystem_of(url)
    try:
        with filesystem.open(path, "rb") as file:
            start = file.read(8)
            start += file.read(min(int.from_bytes(start, "little"), LONGEST_HEADER))
    except Exception as error:  # every protocol has its own
        raise UserError(f"The checkpoint {url} cannot be read: {error}") from error
    return _card(_header(start, url), url)


def _header(content: bytes, url: str) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    try:
        header: dict[str, Any] = json.loads(content[8 : 8 + length])
        return header
    except ValueError as error:
        raise UserError(f"{url} is not a readable safetensors file ({error}).") from error


def _card(header: dict[str, Any], url: str) -> dict[str, Any]:
    text = header.get("__metadata__", {}).get(CARD_KEY) if isinstance(header, dict) else None
    if text is None:
        raise UserError(
            f"{url} has no card of ecg_lightning: it does not say what the network is. Publish it with `publish`."
        )
    card: dict[str, Any] = json.loads(text)
    return card


def sha256_of(content: bytes) -> str:
    """The hexadecimal SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()
