"""What happens at the edges of epochs: the layer-freezing schedule, the checkpoints, and the record of a run."""

from ecg_lightning.training.callbacks.finite import Finite
from ecg_lightning.training.callbacks.freeze import Freeze
from ecg_lightning.training.callbacks.kept import Kept
from ecg_lightning.training.callbacks.record import RunRecord

__all__ = ["Finite", "Freeze", "Kept", "RunRecord"]
