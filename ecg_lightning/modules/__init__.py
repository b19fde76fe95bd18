"""One LightningModule an architecture; `__all__` is the list of choices for `model.name`."""

from ecg_lightning.modules.densenet1d import DenseNet1dModule
from ecg_lightning.modules.resnet1d import ResNet1dModule

__all__ = ["DenseNet1dModule", "ResNet1dModule"]
