"""What happens at the edges of epochs: the layer-freezing schedule, and the record of a run."""

from ecg_lightning.training.callbacks.freeze import Freeze
from ecg_lightning.training.callbacks.record import RunRecord

__all__ = ["Freeze", "RunRecord"]
