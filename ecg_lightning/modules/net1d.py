"""Net1D in training."""

from ecg_lightning.models import Net1D
from ecg_lightning.modules.base import ECGModule


class Net1DModule(ECGModule):
    """Net1D in training."""

    architecture = Net1D
