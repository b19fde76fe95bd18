"""Reads a checkpoint by any of its names: published, alias, file, run's folder, URL, or `family:FILE` of another project."""

from collections.abc import Callable
from typing import TypeVar

from ecg_lightning.checkpoints import cache
from ecg_lightning.checkpoints.addresses import WANDB, name_in, protocol_of, shown
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.checkpoints.checkpoint import Checkpoint, header_card, parse, sha256_of
from ecg_lightning.checkpoints.foreign.names import is_foreign
from ecg_lightning.checkpoints.places import Located, resolve
from ecg_lightning.errors import UserError

T = TypeVar("T")


def read(name: str, folder: str | None = None) -> Checkpoint:
    """Reads one checkpoint: a `.ckpt` or `.safetensors` file, a run's folder, a URL, a published name, an alias, or `family:FILE`.

    Raises:
        UserError: where there is none, it is not one that ecg_lightning knows, or it was damaged; or where several files
            are named.
    """
    if is_foreign(name):
        from ecg_lightning.checkpoints.foreign.families import split_name

        if (count := len(split_name(name)[1])) > 1:
            raise UserError(f"'{name}' names {count} files. Only `predict` takes several; name one of them here.")
    return read_all(name, folder)[0]


def read_all(name: str, folder: str | None = None) -> list[Checkpoint]:
    """Reads a checkpoint, or each of several: `ecglib:FILE,FILE…`; errors as of `read`."""
    if is_foreign(name):
        from ecg_lightning.checkpoints.foreign.read import read_files

        return read_files(name)
    located = resolve(name, folder)
    content, (card, tensors, seen) = read_file(located, lambda content: parse(content, located.url))
    return [Checkpoint(shown(name), tensors, card, seen, sha256_of(content))]


def read_file(located: Located, parse: Callable[[bytes], T]) -> tuple[bytes, T]:
    """Reads the whole file of a checkpoint that `resolve` found, and what `parse` makes of it; see `cache.read`."""
    return cache.read(located.url, parse, located.sha256)


def card_of(name: str, folder: str | None = None) -> Card:
    """Reads the card alone; of a large published file only the header is read."""
    if is_foreign(name):
        return read(name).card
    url, sha256 = resolve(name, folder)
    if sha256 is not None or name_in(url).endswith(".ckpt") or protocol_of(url) == WANDB:
        return read(name, folder).card  # whose whole content is compared with its hash, or is needed
    return header_card(cache.header(url), url)
