"""Checkpoints between teammates: publish and fetch; safetensors with a JSON card, never a pickle.

A published name is never overwritten.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecg_lightning.checkpoints import aliases
from ecg_lightning.checkpoints.addresses import is_url, name_in, shown
from ecg_lightning.checkpoints.aliases import NAME, Move
from ecg_lightning.checkpoints.box import SUFFIX, in_box
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.checkpoints.checkpoint import (
    CARD_KEY,
    HASH_KEY,
    Checkpoint,
    content_hash,
    parse,
    parse_lightning,
    sha256_of,
)
from ecg_lightning.checkpoints.exclusive import write_new
from ecg_lightning.checkpoints.foreign.names import is_foreign
from ecg_lightning.checkpoints.model_card import model_card
from ecg_lightning.checkpoints.places import address, page_address, place, resolve
from ecg_lightning.checkpoints.reading import read, read_file
from ecg_lightning.errors import UserError
from ecg_lightning.files import read_json

if TYPE_CHECKING:
    from torch import Tensor


def publish(
    run: str, name: str, folder: str | None = None, *, half: bool = False, licence: str = "", notes: Sequence[str] = ()
) -> str:
    """Writes a run's best weights with everything needed to use them, under a name that is never overwritten.

    Args:
        run: a run's folder, one of its .ckpt files, another project's `family:FILE`, or a checkpoint that is published
            elsewhere, by any name that `read` takes; under the same name it stays the same file.
        name: letters, digits, dots, dashes and underscores.
        folder: a path or any fsspec URL.
        half: write the weights in half precision; the file has half the size, and the network still computes in float32.
        licence: of the weights, for the card.
        notes: sentences for the card that whoever uses the network must know.

    Returns:
        Where it was written.

    Raises:
        UserError: where the run has no checkpoint or one whose numbers are not finite, the name is taken or malformed, or the
            place refuses.
    """
    _check_name(name)
    checkpoint = _source(run)
    card = replace(
        checkpoint.card,
        name=name,
        licence=licence or checkpoint.card.licence,
        notes=[*notes] or checkpoint.card.notes,
    )
    if card == checkpoint.card and not half and card.reference is not None:
        _check_finite(checkpoint)
        return _write(
            read_file(resolve(run), lambda content: content)[0], card, name, folder
        )  # the file, as it is elsewhere
    return publish_checkpoint(replace(checkpoint, card=card), name, folder, half=half)


def publish_checkpoint(checkpoint: Checkpoint, name: str, folder: str | None = None, *, half: bool = False) -> str:
    """Writes a checkpoint under a name that is never overwritten; see `publish`."""
    from safetensors.torch import save

    _check_name(name)
    _check_finite(checkpoint)
    state = {key: _halved(key, value) if half else value for key, value in checkpoint.state.items()}
    card = _with_reference(replace(checkpoint, card=replace(checkpoint.card, name=name), state=state))
    tensors = {key: value.contiguous() for key, value in state.items()}
    if checkpoint.seen is not None:
        tensors["seen"] = checkpoint.seen
    text = card.to_json()
    content = save(tensors, metadata={CARD_KEY: text, HASH_KEY: content_hash(text, tensors)})
    return _write(content, card, name, folder)


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME, name):
        raise UserError(f"'{name}' cannot be a checkpoint's name: use letters, digits, dots, dashes and underscores.")
    if in_box(name) is not None:
        raise UserError(f"'{name}' is the name of a network in the package. Choose another name.")


def _check_finite(checkpoint: Checkpoint) -> None:
    for name, tensor in checkpoint.state.items():
        if not tensor.isfinite().all():
            raise UserError(
                f"{checkpoint.name} is not published: its tensor {name} has numbers that are not finite. Its training diverged, "
                "or the file was damaged; publish another checkpoint."
            )


def _write(content: bytes, card: Card, name: str, folder: str | None) -> str:
    url = address(name, folder)
    page = model_card(card, name_in(url), sha256_of(content)).encode()
    try:
        write_new(url, content, {page_address(url): page})
    except FileExistsError:
        raise UserError(
            f"{shown(url)} exists; what is published is never overwritten. Choose another name, for example with -v2."
        ) from None
    return url


def _source(run: str) -> Checkpoint:
    """Reads what is to be published: a run's best checkpoint, or any that `read` takes."""
    path = Path(run).expanduser()
    is_path = path.exists() or ("/" in run and not is_url(run))
    return _of_run(run) if is_path and not is_foreign(run) and path.suffix != SUFFIX else read(run)


def _halved(name: str, tensor: "Tensor") -> "Tensor":
    """Returns a tensor of numbers in half precision, and any other as it is."""
    if not tensor.is_floating_point():
        return tensor
    if not tensor.half().isfinite().all():
        raise UserError(f"The tensor {name} has numbers that half precision cannot hold. Publish it without half=True.")
    return tensor.half()


def _of_run(run: str) -> Checkpoint:
    """Reads the best checkpoint of a run, with the report of its test."""
    path = Path(run).expanduser()
    path = path / "checkpoints" / "best.ckpt" if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"{run} has no checkpoint: {path} is not there. Give the folder of a run, or a .ckpt file.")
    content = path.read_bytes()
    card, state, seen = parse_lightning(content, str(path))
    sha256 = sha256_of(content)
    return Checkpoint(str(path), state, _with_test(card, sha256, path.absolute().parents[1]), seen, sha256)


def _with_reference(checkpoint: Checkpoint) -> Card:
    """Returns the card with the outputs by which `verify` knows the network again.

    A class of the user's own is not built here.

    Raises:
        UserError: where the outputs are not finite.
    """
    from ecg_lightning.checkpoints import reference
    from ecg_lightning.config.schema import networks

    if checkpoint.card.model["name"] not in networks():
        return checkpoint.card
    logits = reference.outputs(checkpoint.network(), checkpoint.card)
    if not np.isfinite(logits).all():
        raise UserError(
            f"{checkpoint.name} is not published: its outputs are not finite, although its tensors are. Its training diverged, "
            "or the file was damaged; publish another checkpoint."
        )
    return replace(checkpoint.card, reference=logits.tolist())


def _with_test(card: Card, sha256: str, run_dir: Path) -> Card:
    """Returns the card with the report of this very checkpoint, which lies in the run's folder or, of a study, in on_small."""
    reports = [file for folder in ("", "on_small") if (file := run_dir / folder / "test.json").is_file()]
    for file in reports:
        try:
            report = read_json(file)
        except ValueError as error:
            raise UserError(f"{file} is not readable JSON ({error}). Run `test` again.") from error
        if report.get("checkpoint_sha256") == sha256:
            return card.with_test(report, str(file))
    if reports:
        files = " and ".join(map(str, reports))
        print(f"{files} is of another checkpoint and was not attached; run `test` first.", file=sys.stderr)
    return card


def fetch(name: str, target: Path, folder: str | None = None) -> Path:
    """Copies a published checkpoint to a local folder and checks that it arrived whole.

    Raises:
        UserError: where there is no such checkpoint, it is not whole, or another file of that name is in the way.
    """
    located = resolve(name, folder)
    url = located.url
    content = read_file(located, lambda content: parse(content, url))[0]
    path = target.expanduser() / name_in(url)
    try:
        write_new(str(path), content)
    except FileExistsError:
        if not path.is_file() or path.read_bytes() != content:
            raise UserError(
                f"{path} exists and is another file, which is left as it is. Move it away, or name another folder."
            ) from None
    return path


def set_alias(alias: str, name: str, folder: str | None = None) -> Move:
    """Lets an alias name a published checkpoint, or that of another alias.

    Args:
        alias: `NAME@WORD`, for example `ptbxl-resnet1d@best`.
        name: of a checkpoint that is published in the same place, or comes with the package.
        folder: a path or any fsspec URL.

    Raises:
        UserError: where there is no such checkpoint, or the alias is malformed or cannot be written.
    """
    aliases.check_alias(alias)
    target = str(aliases.current(place(folder), name).name) if aliases.is_alias(name) else name.removesuffix(SUFFIX)
    if not re.fullmatch(NAME, target):
        raise UserError(
            f"An alias names a checkpoint that is published in its own place; '{name}' is no published name."
        )
    return aliases.move(place(folder), alias, target, read(target, folder).sha256)


def remove_alias(alias: str, folder: str | None = None) -> Move:
    """Takes an alias away; its history stays.

    Raises:
        UserError: where there is no such alias.
    """
    aliases.current(place(folder), alias)
    return aliases.move(place(folder), alias, None)


def page_of(name: str, folder: str | None = None) -> str:
    """Writes the model card of a checkpoint anew, from what its file says."""
    url = resolve(name, folder).url
    checkpoint = read(name, folder)
    return model_card(checkpoint.card, name_in(url), checkpoint.sha256)
