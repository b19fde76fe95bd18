"""XResNet1d in training."""

from ecg_lightning.models import XResNet1d
from ecg_lightning.modules.base import ECGModule


class XResNet1dModule(ECGModule):
    """XResNet1d in training."""

    architecture = XResNet1d
