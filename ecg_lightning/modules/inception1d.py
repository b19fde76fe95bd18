"""Inception1d in training."""

from ecg_lightning.models import Inception1d
from ecg_lightning.modules.base import ECGModule


class Inception1dModule(ECGModule):
    """Inception1d in training."""

    architecture = Inception1d
