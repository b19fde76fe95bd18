"""DenseNet1d in training."""

from ecg_lightning.models import DenseNet1d
from ecg_lightning.modules.base import ECGModule


class DenseNet1dModule(ECGModule):
    """DenseNet1d in training."""

    architecture = DenseNet1d
