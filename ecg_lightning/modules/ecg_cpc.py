"""ECGCPC in training."""

from ecg_lightning.models import ECGCPC
from ecg_lightning.modules.base import ECGModule


class ECGCPCModule(ECGModule):
    """ECGCPC in training."""

    architecture = ECGCPC
