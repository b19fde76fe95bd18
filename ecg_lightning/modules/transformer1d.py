"""Transformer1d in training."""

from ecg_lightning.models import Transformer1d
from ecg_lightning.modules.base import ECGModule


class Transformer1dModule(ECGModule):
    """Transformer1d in training."""

    architecture = Transformer1d
