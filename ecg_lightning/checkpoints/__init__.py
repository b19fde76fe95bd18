"""Checkpoints: what they say of themselves, how they are read, and how they pass between teammates."""

from ecg_lightning.checkpoints.checkpoint import Checkpoint, card_of, read
from ecg_lightning.checkpoints.places import locate, place, published
from ecg_lightning.checkpoints.publishing import fetch, publish

__all__ = ["Checkpoint", "card_of", "fetch", "locate", "place", "publish", "published", "read"]
