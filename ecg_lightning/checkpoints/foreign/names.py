"""The names of families before a file: cheap to import, unlike the families."""

from ecg_lightning.checkpoints.foreign.others import OTHERS

NAMES = ("ecglib", "ecgfounder", "merl", "ecg-cpc")
"""Families whose files are read."""


def is_foreign(name: str) -> bool:
    """Says whether a checkpoint's name is `family:FILE`, with a family that is read or at least known.

    >>> [is_foreign(name) for name in ("ecgfounder:12_lead.pth", "ptbxl-v1", "https://host/a.safetensors")]
    [True, False, False]
    """
    prefix, colon, _ = name.partition(":")
    return bool(colon) and (prefix.lower() in NAMES or prefix.lower() in OTHERS)
