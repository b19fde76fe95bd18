"""Checkpoints: what they say of themselves, how they are read, and how they pass between teammates."""

from ecg_lightning.checkpoints.aliases import check_alias
from ecg_lightning.checkpoints.checkpoint import Checkpoint
from ecg_lightning.checkpoints.places import locate, place, published
from ecg_lightning.checkpoints.publishing import fetch, page_of, publish, remove_alias, set_alias
from ecg_lightning.checkpoints.reading import card_of, read, read_all

__all__ = [
    "Checkpoint",
    "card_of",
    "check_alias",
    "fetch",
    "locate",
    "page_of",
    "place",
    "publish",
    "published",
    "read",
    "read_all",
    "remove_alias",
    "set_alias",
]
