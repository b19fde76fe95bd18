"""Reads a checkpoint by any of its names: a published name, a file, a URL, or `family:FILE` of another project."""

from ecg_lightning.checkpoints.card import Card
from ecg_lightning.checkpoints.checkpoint import Checkpoint, header_card, parse, sha256_of
from ecg_lightning.checkpoints.foreign.names import is_foreign
from ecg_lightning.checkpoints.places import locate
from ecg_lightning.checkpoints.storage import name_in, read_bytes, read_header, shown
from ecg_lightning.errors import UserError


def read(name: str, folder: str | None = None) -> Checkpoint:
    """Reads one checkpoint: a `.ckpt` or `.safetensors` file, a URL, a published name, or `family:FILE`.

    Raises:
        UserError: where there is none, it is not one that ecg_lightning knows, or it was damaged; or where several files
            are named.
    """
    checkpoints = read_all(name, folder)
    if len(checkpoints) > 1:
        raise UserError(
            f"'{name}' names {len(checkpoints)} files. Only `predict` takes several; name one of them here."
        )
    return checkpoints[0]


def read_all(name: str, folder: str | None = None) -> list[Checkpoint]:
    """Reads a checkpoint, or each of several: `ecglib:FILE,FILE…`; errors as of `read`."""
    if is_foreign(name):
        from ecg_lightning.checkpoints.foreign.read import read_files

        return read_files(name)
    url = locate(name, folder)
    content = read_bytes(url)
    card, tensors, seen = parse(content, url)
    return [Checkpoint(shown(name), tensors, card, seen, sha256_of(content))]


def card_of(name: str, folder: str | None = None) -> Card:
    """Reads the card alone; of a large published file only the header is read."""
    if is_foreign(name):
        return read(name).card
    url = locate(name, folder)
    if name_in(url).endswith(".ckpt"):
        return read(url).card
    return header_card(read_header(url), url)
