"""LSTM1d in training."""

from ecg_lightning.models import LSTM1d
from ecg_lightning.modules.base import ECGModule


class LSTM1dModule(ECGModule):
    """LSTM1d in training."""

    architecture = LSTM1d
