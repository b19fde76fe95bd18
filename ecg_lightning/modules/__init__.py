"""One LightningModule an architecture; `__all__` is the list of choices for `model.name`."""

from ecg_lightning.modules.densenet1d import DenseNet1dModule
from ecg_lightning.modules.ecg_cpc import ECGCPCModule
from ecg_lightning.modules.inception1d import Inception1dModule
from ecg_lightning.modules.lstm1d import LSTM1dModule
from ecg_lightning.modules.net1d import Net1DModule
from ecg_lightning.modules.resnet1d import ResNet1dModule
from ecg_lightning.modules.s4 import S4Module
from ecg_lightning.modules.transformer1d import Transformer1dModule
from ecg_lightning.modules.xresnet1d import XResNet1dModule

__all__ = [
    "DenseNet1dModule",
    "ECGCPCModule",
    "Inception1dModule",
    "LSTM1dModule",
    "Net1DModule",
    "ResNet1dModule",
    "S4Module",
    "Transformer1dModule",
    "XResNet1dModule",
]
