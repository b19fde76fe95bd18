"""Plain torch networks, one architecture a file; they know nothing of Lightning or configurations."""

from ecg_lightning.models.densenet1d import DenseNet1d
from ecg_lightning.models.resnet1d import ResNet1d
from ecg_lightning.models.s4 import S4
from ecg_lightning.models.transformer1d import Transformer1d

__all__ = ["S4", "DenseNet1d", "ResNet1d", "Transformer1d"]
