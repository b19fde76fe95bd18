"""Plain torch networks, one architecture a file; they know nothing of Lightning or configurations."""

from ecg_lightning.models.densenet1d import DenseNet1d
from ecg_lightning.models.resnet1d import ResNet1d

__all__ = ["DenseNet1d", "ResNet1d"]
