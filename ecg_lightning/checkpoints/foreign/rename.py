"""Another project's tensors under our names, by a complete list of both."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ecg_lightning.errors import UserError

BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
"""The tensors of a batch normalisation."""
AFFINE = ("weight", "bias")
"""The tensors of a convolution or linear layer with bias."""


def entries(foreign: str, target: str | None, tensors: tuple[str, ...]) -> dict[str, str | None]:
    """Returns a layer's part of a list of names: from each of its tensors to its name here, or to None where we have no use for it.

    >>> entries("fc", "head", ("weight", "bias"))
    {'fc.weight': 'head.weight', 'fc.bias': 'head.bias'}
    """
    return {f"{foreign}.{tensor}": None if target is None else f"{target}.{tensor}" for tensor in tensors}


def check_names(state: Mapping[str, Tensor], names: Mapping[str, str | None], family: str) -> None:
    """Compares the names of a file's tensors with those that the file must have.

    Args:
        state: the file's tensors.
        names: every name that the file must have, and its name here.
        family: what the file should be, for the message.

    Raises:
        UserError: where a tensor of the list is missing, or the file has one that is not on it; it names both.
    """
    differences = {"lacks": names.keys() - state.keys(), "has the unexpected": state.keys() - names.keys()}
    if any(differences.values()):
        parts = [f"it {verb} {listed(sorted(tensors))}" for verb, tensors in differences.items() if tensors]
        raise UserError(f"The file does not have the tensors of {family}: {', and '.join(parts)}.")


def rename(state: Mapping[str, Tensor], names: Mapping[str, str | None], family: str) -> dict[str, Tensor]:
    """Renames the tensors of a file.

    Args:
        state: the file's tensors.
        names: every name that the file must have, and its name here; None for a tensor that its network never uses.
        family: what the file should be, for the message.

    Returns:
        The tensors under our names.

    Raises:
        UserError: as of `check_names`.
    """
    check_names(state, names, family)
    return {name: state[foreign] for foreign, name in names.items() if name is not None}


def mean_head(tensors: Mapping[str, Tensor], features: int) -> dict[str, Tensor]:
    """Returns the tensors with a head of one output, the mean of the features: for encoders that have no head.

    Args:
        tensors: of the encoder, under our names.
        features: length of its feature vectors.
    """
    dtype = next(tensor.dtype for tensor in tensors.values() if tensor.is_floating_point())
    head = {
        "head.weight": torch.full((1, features), 1 / features, dtype=dtype),
        "head.bias": torch.zeros(1, dtype=dtype),
    }
    return {**tensors, **head}


def listed(names: list[str]) -> str:
    """Returns the first names of a list, and how many more there are."""
    return f"{', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
