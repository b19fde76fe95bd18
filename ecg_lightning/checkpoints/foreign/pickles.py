"""Reading another project's file of tensors: a pickle, of which nothing is ever run."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import torch
from torch import Tensor

from ecg_lightning.errors import UserError, one_line

GLOBAL = re.compile(r"(?:GLOBAL|global|function|class)\s+`?([A-Za-z_][\w.]*\.[\w.]+|[A-Za-z_]\w*\.[A-Za-z_]\w*)")
"""Where PyTorch's message names what a pickle asks for."""

NUMBERS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype", "numpy.dtypes.Float64DType")
"""What a score beside the tensors is made of."""


class Inert:
    """Stands for an object of settings beside the tensors: it holds nothing and does nothing."""

    def __init__(self, *values: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def values_of(content: bytes, file: str, objects: Sequence[str] = ()) -> Any:
    """Reads what a file holds that `torch.save` wrote.

    Args:
        content: the file's content.
        file: the file, for messages.
        objects: classes beside the tensors, by name, that may occur; nothing of them is imported or run.

    Raises:
        UserError: where the file was cut off, is no file of PyTorch, or asks for code.
    """
    check_packing(content, file)
    try:
        with _permitted(objects):
            values = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is cut off or is something else may fail in any way
        raise UserError(_sentence(error, file)) from error
    return values


def names_in(values: Any) -> list[str]:
    """Returns the names of the tensors among a file's values, whether or not they are in an entry `state_dict`."""
    state = values.get("state_dict", values) if isinstance(values, dict) else {}
    return [name for name in state if isinstance(name, str)] if isinstance(state, dict) else []


def tensors_of(values: Any, size: int, file: str, entry: str | None) -> dict[str, Tensor]:
    """Returns the tensors among a file's values.

    Args:
        values: as of `values_of`.
        size: the file's length.
        file: the file, for messages.
        entry: the entry in which the tensors are; None where the file holds nothing else.

    Raises:
        UserError: where there is no such entry, or it holds something other than tensors.
    """
    if entry is not None and isinstance(values, dict) and entry in values:
        values = values[entry]
    elif entry is not None:
        raise UserError(f"{file} has no entry '{entry}', in which the tensors of a file of this family are.")
    if not isinstance(values, dict) or not values or not all(isinstance(name, str) for name in values):
        raise UserError(f"{file} holds no tensors by name.")
    for name, tensor in values.items():
        if not is_stored(tensor, size):
            raise UserError(f"{file} holds something other than a whole tensor under the name {name}.")
    return dict(values)


def check_packing(content: bytes, file: str) -> None:
    """Refuses a file that would unpack to more than its own length; PyTorch packs without compression.

    Raises:
        UserError: where it would.
    """
    try:
        with ZipFile(BytesIO(content)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (BadZipFile, ValueError, NotImplementedError):  # PyTorch's reader explains it
        return
    if unpacked > len(content):
        raise UserError(f"{file} is not a checkpoint of ecg_lightning: it unpacks to more than PyTorch wrote.")


def check_sums(content: bytes, file: str) -> None:
    """Compares each part of a file with its checksum, which PyTorch writes and does not read.

    Raises:
        UserError: where one differs.
    """
    if not is_zipfile(BytesIO(content)):
        return  # the older form of PyTorch's files, which has none
    try:
        with ZipFile(BytesIO(content)) as archive:
            damaged = archive.testzip()
    except Exception as error:  # what says where a part begins may be damaged, too
        raise UserError(f"{file} was damaged ({one_line(error)}). Fetch it again from where it came.") from error
    if damaged is not None:
        raise UserError(
            f"{file} was damaged: its part {damaged} does not have the checksum that it was written with. Fetch it again from "
            "where it came."
        )


def is_stored(value: Any, size: int) -> bool:
    """Says whether a value is a plain tensor whose numbers are all in a file of that many bytes, and not one number repeated."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.device.type != "cpu":
        return False
    return not value.is_quantized and value.numel() * value.element_size() <= size


@contextlib.contextmanager
def _permitted(objects: Sequence[str]) -> Iterator[None]:
    """Lets PyTorch's reader put an inert object in the place of each of these classes."""
    with torch.serialization.safe_globals([(Inert, name) for name in (*NUMBERS, *objects)]):
        yield


def _sentence(error: Exception, file: str) -> str:
    """Says why a file could not be read."""
    text = str(error)
    if "weights_only" in text.lower() or "unsupported" in text.lower():
        named = GLOBAL.search(text)
        return (
            f"{file} is a pickle that asks for {named[1] if named else 'an operation'}, which is no tensor: it could run code "
            "when it is loaded, and is not read."
        )
    return f"{file} was cut off, or is no file that PyTorch wrote ({type(error).__name__})."
