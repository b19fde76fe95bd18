"""Checkpoints between teammates: publish, list, fetch, and read; safetensors with a JSON card, never a pickle.

The place is any fsspec URL: ``./checkpoints`` by default, else ``$ECG_CHECKPOINTS``. A published name is never overwritten.
"""

import hashlib
import json
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from io import BytesIO
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
    content = _bytes(url)
    card, tensors, seen = _parse(content, url)
    return Checkpoint(name, tensors, card, seen, _sha(content))


def _parse(content: bytes, url: str) -> "tuple[dict[str, Any], dict[str, Tensor], Tensor | None]":
    """Card, the network's tensors, and what trained it, of a file's whole content."""
    if url.endswith(".ckpt"):
        return _parse_lightning(content, url)
    from safetensors.torch import load

    card = _card(_header(content, url), url)
    try:
        tensors = load(content)
    except Exception as error:  # the library has exceptions of its own for each way of being broken
        raise UserError(f"{url} is not a readable safetensors file ({error}).") from error
    return card, {k: v for k, v in tensors.items() if k != "seen"}, tensors.get("seen")


def _parse_lightning(content: bytes, url: str) -> "tuple[dict[str, Any], dict[str, Tensor], Tensor | None]":
    import torch

    try:
        found = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        card, state = dict(found["card"]), dict(found["state_dict"])
    except Exception as error:  # a file that is cut off or is something else may fail in any way
        raise UserError(
            f"{url} is not a checkpoint of ecg_lightning, or was cut off ({type(error).__name__})."
        ) from error
    return card, {k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)}, found.get("seen")


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

    content = path.read_bytes()
    card, state, seen = _parse_lightning(content, str(path))
    card |= {"name": name} | _test_of(_sha(content), path.absolute().parents[1])
    tensors = {key: value.contiguous() for key, value in state.items()}
    if seen is not None:
        tensors["seen"] = seen
    content = save(tensors, metadata={CARD_KEY: json.dumps(card, ensure_ascii=False)})
    url = f"{place(folder)}/{name}{SUFFIX}"
    _write_new(url, content)
    return url


def _test_of(sha256: str, run_dir: Path) -> dict[str, Any]:
    """The card's ``test``: the report of this very checkpoint, which lies in the run's folder or, of a study, in on_small."""
    reports = [file for folder in ("", "on_small") if (file := run_dir / folder / "test.json").is_file()]
    for file in reports:
        report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if report.get("checkpoint_sha256") == sha256:
            return {"test": {key: value for key, value in report.items() if key != "checkpoint"}}
    if reports:
        others = " and ".join(map(str, reports))
        print(f"{others} is of another checkpoint and was not attached; run `test` first.", file=sys.stderr)
    return {}


def published(folder: str | None = None) -> list[str]:
    """The names that are published in a folder."""
    filesystem, path = _filesystem(place(folder))
    if not filesystem.exists(path):
        return []
    return sorted(
        Path(file).name.removesuffix(SUFFIX) for file in filesystem.ls(path, detail=False) if file.endswith(SUFFIX)
    )


def card_of(name: str, folder: str | None = None) -> dict[str, Any]:
    """The card alone; of a large published file only the header is read."""
    url = locate(name, folder)
    if url.endswith(".ckpt"):
        return read(url).card
    filesystem, path = _filesystem(url)
    try:
        with filesystem.open(path, "rb") as file:
            start = file.read(8)
            start += file.read(min(int.from_bytes(start, "little"), LONGEST_HEADER))
    except Exception as error:  # every protocol has its own
        raise UserError(f"The checkpoint {url} cannot be read: {error}") from error
    return _card(_header(start, url), url)


def fetch(name: str, target: Path, folder: str | None = None) -> Path:
    """Copies a published checkpoint to a local folder and checks that it arrived whole.

    Raises:
        UserError: where there is no such checkpoint, it is not whole, or another file of that name is in the way.
    """
    url = locate(name, folder)
    content = _bytes(url)
    _parse(content, url)
    path = target / Path(url).name
    if path.exists() and path.read_bytes() == content:
        return path
    target.mkdir(parents=True, exist_ok=True)
    _write_new(str(path), content)
    return path


def _write_new(url: str, content: bytes) -> None:
    """Writes a file that must not exist; a local reader sees nothing or the whole."""
    filesystem, path = _filesystem(url)
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
    filesystem, path = _filesystem(url)
    return bool(filesystem.exists(path))


def _filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path there."""
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:  # a protocol that is unknown, or needs a package of its own
        raise UserError(f"'{url}' cannot be opened: {error}") from error
    return filesystem, path


def _bytes(url: str) -> bytes:
    filesystem, path = _filesystem(url)
    try:
        with filesystem.open(path, "rb") as file:
            return bytes(file.read())
    except Exception as error:  # every protocol has its own
        raise UserError(f"The checkpoint {url} cannot be read: {error}") from error


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


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
