"""Reads `family:FILE`: another project's weights, as a checkpoint of ours with a whole card."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from ecg_lightning.checkpoints.addresses import name_in, protocol_of, shown
from ecg_lightning.checkpoints.card import Card, Data
from ecg_lightning.checkpoints.checkpoint import Checkpoint, sha256_of
from ecg_lightning.checkpoints.foreign.families import OBJECTS, recognise, split_name
from ecg_lightning.checkpoints.foreign.family import Family, Weights
from ecg_lightning.checkpoints.foreign.others import sentence
from ecg_lightning.checkpoints.foreign.pickles import check_sums, names_in, tensors_of, values_of
from ecg_lightning.checkpoints.storage import read_bytes
from ecg_lightning.config.schema import build
from ecg_lightning.errors import UserError
from ecg_lightning.records.fingerprints import SIZE


def read_files(name: str) -> list[Checkpoint]:
    """Reads each file of `family:FILE[,FILE…]`.

    Raises:
        UserError: where a file cannot be read, or is not a whole file of this family.
    """
    family, files = split_name(name)
    return [_read_file(family, file) for file in files]


def _read_file(family: Family, file: str) -> Checkpoint:
    content = read_bytes(file)
    label = shown(file)
    values = values_of(content, label, OBJECTS)
    check_sums(content, label)
    _check_family(family, names_in(values), label)
    state = tensors_of(values, len(content), label, family.entry)
    try:
        weights = family.convert(state, name_in(file))
        _check_shapes(weights, state)
    except UserError as error:
        raise UserError(f"{label}: {error}") from error
    title = f"{family.name}:{label if protocol_of(file) != 'file' else file}"
    # no recording is known one by one: what trained it are whole archives
    seen = torch.zeros((0, SIZE), dtype=torch.int8)
    return Checkpoint(title, weights.tensors, _card(family, weights), seen, sha256_of(content), weights.unused)


def _check_family(family: Family, names: Collection[str], file: str) -> None:
    """Refuses a file that is recognised as one of another family."""
    other = recognise(names)
    if isinstance(other, Family) and other is not family:
        raise UserError(f"{file} is a file of {other.title}, not of {family.title}: read it as {other.name}:{file}.")
    if isinstance(other, str):
        raise UserError(f"{file} is not a file of {family.title}. {sentence(other)}")


def _check_shapes(weights: Weights, state: Mapping[str, Tensor]) -> None:
    """Compares the shapes of the tensors with those of the network that they are for.

    Args:
        weights: the tensors under our names.
        state: the tensors under the file's.

    Raises:
        UserError: naming the first tensor that differs.
    """
    with torch.device("meta"):
        network = build("model", weights.model, leads=len(weights.input.leads), outputs=len(weights.terms))
    theirs = {id(tensor): f"{name} that" for name, tensor in state.items()}  # a computed tensor has no name there
    for name, expected in network.state_dict().items():
        tensor = weights.tensors[name]
        shape, which = tuple(tensor.shape), f"the tensor {theirs.get(id(tensor), 'that')} becomes {name}"
        if shape != tuple(expected.shape):
            raise UserError(f"{which} has the shape {shape}, and the network's has {tuple(expected.shape)}.")
        if tensor.is_floating_point() != expected.is_floating_point():
            raise UserError(f"{which} is of the type {tensor.dtype}.")


def _card(family: Family, weights: Weights) -> Card:
    """Returns the card of a foreign network; what its authors did not publish is empty."""
    return Card(
        model=weights.model,
        label_space=weights.terms,
        terms=weights.terms,
        input=weights.input,
        data=Data(", ".join(family.archives), "", list(weights.terms), [], [], {}),
        seen=0,
        archives=list(family.archives),
        family=family.name,
        licence=family.licence,
        citation=family.citation,
        thresholds=[] if weights.has_head else [None] * len(weights.terms),
    )
