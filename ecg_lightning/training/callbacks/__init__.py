"""What happens at the start and the end of epochs: the freezing schedule, the checkpoints, and the record of a run."""

from ecg_lightning.training.callbacks.average import Average
from ecg_lightning.training.callbacks.checkpoint import RunCheckpoint
from ecg_lightning.training.callbacks.finite import Finite
from ecg_lightning.training.callbacks.freeze import Freeze
from ecg_lightning.training.callbacks.groups import LogGroups
from ecg_lightning.training.callbacks.record import RunRecord

__all__ = ["Average", "Finite", "Freeze", "LogGroups", "RunCheckpoint", "RunRecord"]
