"""The layer-freezing schedule: a function of the epoch that holds no state."""

import lightning.pytorch as pl

from ecg_lightning.modules.base import ECGModule
from ecg_lightning.training.finetune import FineTune


class Freeze(pl.Callback):
    """Freezes and unfreezes the layer groups by the schedule, at the start of each epoch.

    A frozen group does not learn, and its normalisation statistics do not change: its parameters need no gradient, and its
    layers are in evaluation mode. All parameters are in the optimizer from the start, so that a resumed run finds what it
    saved.

    Args:
        finetune: has the schedule.
    """

    def __init__(self, finetune: FineTune) -> None:
        self.finetune = finetune

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sets gradient and mode of every group: a run that goes on in the middle of an epoch does not start one."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sets gradient and mode of every group."""
        assert isinstance(pl_module, ECGModule)
        groups = pl_module.layer_groups()
        unfrozen = self.finetune.unfrozen(trainer.current_epoch, list(groups))
        for name, group in groups.items():
            group.requires_grad_(name in unfrozen).train(name in unfrozen)
