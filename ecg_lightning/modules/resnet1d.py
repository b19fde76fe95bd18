"""ResNet1d in training."""

from ecg_lightning.models import ResNet1d
from ecg_lightning.modules.base import ECGModule


class ResNet1dModule(ECGModule):
    """ResNet1d in training."""

    architecture = ResNet1d
