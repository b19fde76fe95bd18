"""The families whose files are read, and which of them a file is of."""

from collections.abc import Collection
from pathlib import Path

from ecg_lightning.checkpoints.foreign import ecg_cpc, ecgfounder, ecglib, merl
from ecg_lightning.checkpoints.foreign.family import Family
from ecg_lightning.checkpoints.foreign.others import OTHERS, sentence
from ecg_lightning.errors import UserError

FAMILIES = {family.name: family for family in (ecglib.FAMILY, ecgfounder.FAMILY, merl.FAMILY, ecg_cpc.FAMILY)}
OBJECTS = tuple(name for family in FAMILIES.values() for name in family.objects)
"""What may lie beside the tensors, of any family: a file is recognised before it is known to be of the family that was named."""


def split_name(name: str) -> tuple[Family, list[str]]:
    """Returns the family and the files of a name `family:FILE[,FILE…]`.

    Raises:
        UserError: where the family is not read, or no file is named.
    """
    prefix, _, rest = name.partition(":")
    if prefix.lower() in OTHERS:
        raise UserError(f"{sentence(prefix.lower())} Families that are read: {', '.join(FAMILIES)}.")
    family = FAMILIES[prefix.lower()]
    files = [rest] if Path(rest).expanduser().is_file() else rest.split(",")  # a path may have a comma
    files = [file.strip().removeprefix(f"{family.name}:") for file in files]
    if not all(files):
        raise UserError(f"'{name}' names no file: write {family.name}:FILE, with a path or a URL.")
    if len(set(files)) < len(files):
        raise UserError(f"'{name}' names a file twice.")
    return family, files


def recognise(names: Collection[str]) -> Family | str | None:
    """Returns the family that has tensors of these names: a `Family`, the name of one that is not read, or None."""
    for family in FAMILIES.values():
        if all(mark in names for mark in family.marks):
            return family
    for name, other in OTHERS.items():
        if other.marks and all(mark in names for mark in other.marks):
            return name
    return None
