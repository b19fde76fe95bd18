"""S4 in training."""

from ecg_lightning.models import S4
from ecg_lightning.modules.base import ECGModule


class S4Module(ECGModule):
    """S4 in training."""

    architecture = S4
