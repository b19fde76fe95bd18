"""What is known of a public family of weights: where its files come from, what they may be used for, and what they saw."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ecg_lightning.checkpoints.card import Input


@dataclass(frozen=True)
class Weights:
    """A file of a family, as one of our networks.

    Attributes:
        model: `name` of the module and the arguments of its network, as a configuration has them.
        terms: the ordered terms of its head; a statement without a term in our vocabulary is `family:STATEMENT`.
        input: what the network expects.
        tensors: the tensors under our names.
        unused: the number of tensors of the file that its own network never uses.
        has_head: whether the family trained the head; otherwise the head here gives the mean of the features, and its
            only term is not learnt.
    """

    model: dict[str, Any]
    terms: list[str]
    input: Input
    tensors: dict[str, Tensor]
    unused: int = 0
    has_head: bool = True


@dataclass(frozen=True)
class Family:
    """A public family of weights.

    Attributes:
        name: what is written before the file: `ecgfounder:FILE`.
        title: its name in sentences.
        address: where its files are found.
        licence: of the weights.
        citation: what its authors ask to be cited.
        archives: what trained it, by the names of our sources where there is one.
        marks: tensors that no other family has, by which a message recognises a file.
        convert: from the file's tensors and the file's name to `Weights`; raises a UserError for any other file.
    """

    name: str
    title: str
    address: str
    licence: str
    citation: str
    archives: tuple[str, ...]
    marks: tuple[str, ...]
    convert: Callable[[Mapping[str, Tensor], str], Weights]
    entry: str | None = None
    """The entry of a file in which its tensors are; None where the file holds nothing else."""
    objects: tuple[str, ...] = ()
    """Classes of settings beside the tensors, by name: they are read as inert values, and nothing of them is run."""
