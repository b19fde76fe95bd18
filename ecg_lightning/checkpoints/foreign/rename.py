"""Another project's tensors under our names, by a complete list of both."""

from collections.abc import Mapping

from torch import Tensor

from ecg_lightning.errors import UserError

BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
"""The tensors of a batch normalisation."""
AFFINE = ("weight", "bias")
"""The tensors of a convolution or linear layer with bias."""


def entries(foreign: str, ours: str | None, tensors: tuple[str, ...]) -> dict[str, str | None]:
    """A layer's part of a list of names: from each of its tensors to ours, or to None where we have no use for it.

    >>> entries("fc", "head", ("weight", "bias"))
    {'fc.weight': 'head.weight', 'fc.bias': 'head.bias'}
    """
    return {f"{foreign}.{tensor}": None if ours is None else f"{ours}.{tensor}" for tensor in tensors}


def rename(state: Mapping[str, Tensor], names: Mapping[str, str | None], family: str) -> dict[str, Tensor]:
    """Renames the tensors of a file.

    Args:
        state: The file's tensors.
        names: Every name that the file must have, and ours for it; None for a tensor that its network never uses.
        family: What the file should be, for the message.

    Returns:
        The tensors under our names.

    Raises:
        UserError: Where a tensor of the list is missing, or the file has one that is not on it; the message names both.
    """
    differences = {"missing": names.keys() - state.keys(), "unexpected": state.keys() - names.keys()}
    if any(differences.values()):
        lines = [
            f"  {kind}: {', '.join(sorted(tensors)[:5])}{f' and {len(tensors) - 5} more' if len(tensors) > 5 else ''}"
            for kind, tensors in differences.items()
            if tensors
        ]
        raise UserError(f"The file does not have the tensors of {family}:\n" + "\n".join(lines))
    return {name: state[foreign] for foreign, name in names.items() if name is not None}
