"""A checkpoint that was read: the network's tensors, and the card that says what it is.

The file may come from anybody. So it is read without pickle, and its card is compared with the card's type. It may name
no network but the package's own. Sizes are compared with the file's before memory is taken.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_lightning.checkpoints.addresses import name_in, shown
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.checkpoints.storage import LONGEST_HEADER
from ecg_lightning.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from ecg_lightning.models.network import Network
    from ecg_lightning.modules.base import ECGModule

CARD_KEY = "ecg_lightning"
"""The key of the card in a safetensors header."""
HASH_KEY = "sha256"
"""The key there of `content_hash`."""
PREFIX = "network."
"""Where a LightningModule's state has its network."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        name: its published name, its path, or its URL without secrets.
        state: the network's tensors.
        card: what it says of itself.
        seen: (recordings, bytes) fingerprints of the recordings that trained it, its ancestors' too; None where unknown.
        sha256: hash of the file.
        unused: number of tensors of another project's file that belong to its training alone.
    """

    name: str
    state: "dict[str, Tensor]"
    card: Card
    seen: "Tensor | None"
    sha256: str
    unused: int = 0

    @property
    def terms(self) -> list[str]:
        """The ordered terms that it predicts."""
        return list(self.card.terms)

    @property
    def title(self) -> str:
        """Its published name, or its run's and the beginning of its hash: a name that tells nothing of this machine."""
        if self.card.name is not None:
            return self.card.name
        path = Path(name_in(self.name) if "://" in self.name else self.name).absolute()
        run = path.parents[1].name if path.parent.name == "checkpoints" else path.stem
        return f"{run} ({self.sha256[:8]})"

    def network(self, trusted: str | None = None) -> "Network":
        """Builds the plain torch network with its weights, in evaluation mode.

        Args:
            trusted: a class outside of ecg_lightning that the user named, `my_package.my_module.MyModule`; a card
                that names another one is refused.

        Raises:
            UserError: where the card names another class or holds an impossible value, or the tensors do not fit the network
                that it describes.
        """
        from ecg_lightning.checkpoints.consistency import described

        self._check_class(trusted)
        network = described(self.card, self.state, self.name)
        # Whatever precision it was trained in, it predicts in float32.
        state = {name: t.float() if t.is_floating_point() else t for name, t in self.state.items()}
        network.load_state_dict({name: tensor.clone() for name, tensor in state.items()}, assign=True)
        return network.eval()

    def module(self, trusted: str | None = None) -> "ECGModule":
        """Builds the network in its LightningModule, with thresholds and calibration; arguments and errors as of `network`."""
        from ecg_lightning.config.schema import module_class

        network = self.network(trusted)
        module: ECGModule = module_class(self.card.model)(
            network, self.terms, card=self.card, seen=self.seen, check_seen=True
        )
        return module

    def check(self, trusted: str | None = None) -> None:
        """Compares the card with the tensors; a class that is neither ecg_lightning's nor trusted is not built.

        Args:
            trusted: as of `network`.

        Raises:
            UserError: where the card holds an impossible value, or the tensors do not fit the network that it describes.
        """
        from ecg_lightning.checkpoints.consistency import described
        from ecg_lightning.config.schema import networks

        if self.card.model["name"] in {*networks(), trusted}:
            described(self.card, self.state, self.name)

    def _check_class(self, trusted: str | None) -> None:
        """Refuses a network class that neither the package exports nor the user named: a file may not choose code."""
        from ecg_lightning.config.schema import module_class, networks

        name = self.card.model["name"]
        if name in networks():
            return
        if name == trusted:
            module_class(self.card.model)
        else:
            raise UserError(
                f"{self.name} names the class '{name}', which is not one of ecg_lightning's networks, and a checkpoint may "
                f"not choose code. If you know this class and trust it, name it yourself: model.name={name}."
            )


def parse(content: bytes, url: str) -> "tuple[Card, dict[str, Tensor], Tensor | None]":
    """Reads a file's whole content.

    Returns:
        The card, the network's tensors, and the (recordings, bytes) fingerprints of what trained it.

    Raises:
        UserError: where it is not a checkpoint of ecg_lightning, or was damaged.
    """
    if name_in(url).endswith(".ckpt"):
        return parse_lightning(content, url)
    url = shown(url)
    from safetensors.torch import load

    metadata = _metadata(content, url)
    card = _card(metadata, url)
    try:
        tensors = load(content)
    except Exception as error:  # the library has exceptions of its own for each way of being broken
        raise UserError(f"{url} is not a readable safetensors file ({error}).") from error
    if HASH_KEY not in metadata and json.loads(metadata[CARD_KEY])["format"] > 1:  # format 1 had none
        raise UserError(f"{url} has no hash of its content: it was not written by `publish`, or was damaged since.")
    if HASH_KEY in metadata and metadata[HASH_KEY] != content_hash(metadata[CARD_KEY], tensors):
        raise UserError(
            f"{url} was damaged: its content does not have the hash that it was written with. Fetch or publish it again."
        )
    return card, {k: v for k, v in tensors.items() if k != "seen"}, tensors.get("seen")


def parse_lightning(content: bytes, url: str) -> "tuple[Card, dict[str, Tensor], Tensor | None]":
    """Reads a run's `.ckpt`, as `parse` reads a published file."""
    import torch

    from ecg_lightning.checkpoints.foreign.pickles import check_packing, is_stored

    url = shown(url)
    check_packing(content, url)
    try:
        values = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        card, state, seen = values.get("card"), dict(values["state_dict"]), values.get("seen")
    except Exception as error:  # a file that is cut off or is something else may fail in any way
        raise UserError(
            f"{url} is not a checkpoint of ecg_lightning, or was cut off ({type(error).__name__})."
        ) from error
    if card is None:
        raise UserError(
            f"{url} has no card of ecg_lightning, as if a plain Trainer had written it: it does not say what the network "
            "is. Train with `fit`, or give the module its card."
        )
    network = {k.removeprefix(PREFIX): v for k, v in state.items() if isinstance(k, str) and k.startswith(PREFIX)}
    if not all(is_stored(value, len(content)) for value in [*network.values(), *([] if seen is None else [seen])]):
        raise UserError(
            f"{url} is not a checkpoint of ecg_lightning: its state holds something other than whole tensors."
        )
    return Card.from_dict(card, url), network, seen


def header_card(header: bytes, url: str) -> Card:
    """Reads the card of the beginning of a published file, see `storage.read_header`."""
    return _card(_metadata(header, url), url)


def content_hash(card: str, tensors: "Mapping[str, Tensor]") -> str:
    """Returns the SHA-256 of a card's text and of name, type, shape and bytes of every tensor."""
    import torch

    digest = hashlib.sha256(card.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()


def sha256_of(content: bytes) -> str:
    """Returns the hexadecimal SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def _metadata(content: bytes, url: str) -> dict[str, Any]:
    """Reads the metadata of a safetensors header."""
    url, length = shown(url), int.from_bytes(content[:8], "little")
    try:
        if content[8:9] != b"{":
            raise ValueError("it does not begin like one")
        if length > LONGEST_HEADER:
            raise ValueError(f"its header would have {length:,} bytes; at most {LONGEST_HEADER:,} are read")
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        kind = _other_kind(content)
        raise UserError(
            f"{url} is {kind}." if kind else f"{url} is not a readable safetensors file ({error})."
        ) from error
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _card(metadata: Mapping[str, Any], url: str) -> Card:
    text, url = metadata.get(CARD_KEY), shown(url)
    if not isinstance(text, str):
        raise UserError(
            f"{url} has no card of ecg_lightning: it does not say what the network is. Publish it with `publish`."
        )
    return Card.from_json(text, url)


def _other_kind(content: bytes) -> str:
    """Says what a file without a safetensors header is, where its beginning or its keys tell; "" where nothing does."""
    if not content.startswith((b"PK\x03\x04", b"\x80\x02")):
        return ""
    from ecg_lightning.checkpoints.foreign.families import OBJECTS
    from ecg_lightning.checkpoints.foreign.pickles import names_in, values_of

    try:
        family = _family(names_in(values_of(content, "", OBJECTS)))
    except UserError:  # a pickle of objects is never loaded
        return "a pickle of PyTorch, which could run code when it is loaded and is not read"
    return f"a state of PyTorch without a card of ecg_lightning{family}: it does not say which network and which terms it has"


def _family(names: list[str]) -> str:
    """Returns the public family whose names of tensors these are, in brackets."""
    from ecg_lightning.checkpoints.foreign.families import recognise
    from ecg_lightning.checkpoints.foreign.others import OTHERS

    family = recognise(names)
    if family is None:
        return ""
    if isinstance(family, str):
        return f" (by its names of tensors of {OTHERS[family].title}, which ecg_lightning does not load)"
    return f" (by its names of tensors of {family.title}; read it as {family.name}:FILE)"
