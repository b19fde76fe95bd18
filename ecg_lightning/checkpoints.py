"""Checkpoints between teammates: publish, list, fetch, and read; safetensors with a JSON card, never a pickle.

The place is any fsspec URL: ``./checkpoints`` by default, else ``$ECG_CHECKPOINTS``. A published name is never overwritten.
"""

import hashlib
import json
import os
import re
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_lightning.config import suggest
from ecg_lightning.errors import UserError
from ecg_lightning.schema import build

if TYPE_CHECKING:
    from torch import Tensor

    from ecg_lightning.models.base import ECGModule

SUFFIX = ".safetensors"
CARD_KEY = "ecg_lightning"
"""The key of the card in a safetensors header."""
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

    def module(self) -> "ECGModule":
        """The network that it was trained with, with its weights, thresholds and calibration, ready to predict."""
        from ecg_lightning.finetune import take_weights

        module: ECGModule = build(
            "model", self.card["model"], terms=self.terms, leads=len(self.card["input"]["preprocess"]["leads"])
        )
        take_weights(module.network, self.terms, self.state, self.terms)
        module.take_card(self.card)
        return module.eval()


def place(folder: str | None = None) -> str:
    """Where published checkpoints lie."""
    return (folder or os.environ.get("ECG_CHECKPOINTS") or "checkpoints").rstrip("/")


def read(name: str, folder: str | None = None) -> Checkpoint:
    """Reads a checkpoint: a ``.ckpt`` or ``.safetensors`` file, a URL, or a published name.

    Raises:
        UserError: where there is none, or it is not one of ecg_lightning's.
    """
    url = locate(name, folder)
    if url.endswith(".ckpt"):
        return _read_lightning(Path(url))
    from safetensors.torch import load

    content = _bytes(url)
    try:
        header, tensors = _header(content), load(content)
    except Exception as error:  # the library has exceptions of its own for each way of being broken
        raise UserError(f"{url} is not a readable safetensors file ({error}).") from error
    return Checkpoint(
        name, {k: v for k, v in tensors.items() if k != "seen"}, _card(header, url), tensors.get("seen"), _sha(content)
    )


def _read_lightning(path: Path) -> Checkpoint:
    import pickle

    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        card = content["card"]
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise UserError(f"{path} is not a checkpoint of ecg_lightning ({type(error).__name__}).") from error
    state = {k.removeprefix(PREFIX): v for k, v in content["state_dict"].items() if k.startswith(PREFIX)}
    return Checkpoint(str(path), state, card, content.get("seen"), _sha(path.read_bytes()))


def locate(name: str, folder: str | None = None) -> str:
    """The path or URL of a checkpoint by path, URL or published name.

    Raises:
        UserError: where there is none; with the nearest published names.
    """
    if Path(name).is_file():
        return name
    if "://" in name:
        return name
    url = f"{place(folder)}/{name.removesuffix(SUFFIX)}{SUFFIX}"
    if "/" not in name and _exists(url):
        return url
    if name.endswith(".ckpt") or "/" in name:
        raise UserError(f"There is no checkpoint file '{name}'.")
    names = published(folder)
    offered = f"Published there: {', '.join(names)}." if names else "Nothing is published there yet (see `publish`)."
    raise UserError(f"There is no checkpoint '{name}' in {place(folder)}. {suggest(name, names)}{offered}")


def publish(run: str, name: str, folder: str | None = None) -> str:
    """Writes a run's best weights with everything needed to use them, under a name that is never overwritten.

    Args:
        run: a run's folder, or one of its .ckpt files.
        name: letters, digits, dots, dashes and underscores.
        folder: a path or any fsspec URL.

    Returns:
        Where it was written.

    Raises:
        UserError: where the run has no checkpoint, or the name is taken or malformed.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"'{name}' cannot be a checkpoint's name: use letters, digits, dots, dashes and underscores.")
    path = Path(run) / "checkpoints" / "best.ckpt" if Path(run).is_dir() else Path(run)
    if not path.is_file():
        raise UserError(f"{run} has no checkpoint: {path} is not there. Give the folder of a run, or a .ckpt file.")
    from safetensors.torch import save

    found = _read_lightning(path)
    report = path.parents[1] / "test.json"
    card = found.card | {"name": name}
    if report.is_file():
        card["test"] = json.loads(report.read_text(encoding="utf-8"))
    tensors = {key: value.contiguous() for key, value in found.state.items()}
    if found.seen is not None:
        tensors["seen"] = found.seen
    content = save(tensors, metadata={CARD_KEY: json.dumps(card, ensure_ascii=False)})
    url = f"{place(folder)}/{name}{SUFFIX}"
    _write_new(url, content)
    return url


def published(folder: str | None = None) -> list[str]:
    """The names that are published in a folder."""
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(place(folder))
    if not filesystem.exists(path):
        return []
    return sorted(
        Path(file).name.removesuffix(SUFFIX) for file in filesystem.ls(path, detail=False) if file.endswith(SUFFIX)
    )


def card_of(name: str, folder: str | None = None) -> dict[str, Any]:
    """The card alone; of a large published file only the header is read."""
    url = locate(name, folder)
    if url.endswith(".ckpt"):
        return _read_lightning(Path(url)).card
    import fsspec

    with fsspec.open(url, "rb") as file:
        start = file.read(8)
        return _card(_header(start + file.read(struct.unpack("<Q", start)[0])), url)


def fetch(name: str, target: Path, folder: str | None = None) -> Path:
    """Copies a published checkpoint to a local folder and checks that it arrived whole.

    Raises:
        UserError: where there is no such checkpoint, or another file of that name is in the way.
    """
    url = locate(name, folder)
    content = _bytes(url)
    _card(_header(content), url)
    path = target / Path(url).name
    if path.exists() and path.read_bytes() == content:
        return path
    target.mkdir(parents=True, exist_ok=True)
    _write_new(str(path), content)
    return path


def _write_new(url: str, content: bytes) -> None:
    """Writes a file that must not exist; a local reader sees nothing or the whole."""
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(url)
    taken = UserError(
        f"{url} exists; what is published is never overwritten. Choose another name, for example with -v2."
    )
    if filesystem.exists(path):
        raise taken
    if "file" in filesystem.protocol:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=Path(path).parent, delete=False) as file:
            file.write(content)
        os.chmod(file.name, 0o644)
        try:
            os.link(file.name, path)  # fails where another process was first
        except FileExistsError:
            raise taken from None
        finally:
            os.unlink(file.name)
        return
    with filesystem.open(path, "wb") as out:
        out.write(content)


def _exists(url: str) -> bool:
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(url)
    return bool(filesystem.exists(path))


def _bytes(url: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(url, "rb") as file:
            return bytes(file.read())
    except OSError as error:
        raise UserError(f"The checkpoint {url} cannot be read: {error}") from error


def _header(content: bytes) -> dict[str, Any]:
    (length,) = struct.unpack("<Q", content[:8])
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    return header


def _card(header: dict[str, Any], url: str) -> dict[str, Any]:
    text = header.get("__metadata__", {}).get(CARD_KEY)
    if text is None:
        raise UserError(
            f"{url} has no card of ecg_lightning: it does not say what the network is. Publish it with `publish`."
        )
    card: dict[str, Any] = json.loads(text)
    return card


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
