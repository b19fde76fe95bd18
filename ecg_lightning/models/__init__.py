"""Plain torch networks, one architecture a file; they know nothing of Lightning or configurations."""

from ecg_lightning.models.densenet1d import DenseNet1d
from ecg_lightning.models.ecg_cpc import ECGCPC
from ecg_lightning.models.inception1d import Inception1d
from ecg_lightning.models.lstm1d import LSTM1d
from ecg_lightning.models.net1d import Net1D
from ecg_lightning.models.resnet1d import ResNet1d
from ecg_lightning.models.s4 import S4
from ecg_lightning.models.transformer1d import Transformer1d
from ecg_lightning.models.xresnet1d import XResNet1d

__all__ = ["ECGCPC", "S4", "DenseNet1d", "Inception1d", "LSTM1d", "Net1D", "ResNet1d", "Transformer1d", "XResNet1d"]
