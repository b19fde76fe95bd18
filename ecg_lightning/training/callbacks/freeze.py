"""The layer-freezing schedule: a function of the epoch that holds no state, unless an entry waits for a plateau."""

from typing import Any

import lightning.pytorch as pl

from ecg_lightning.models.adapters import adapter_size, freeze_all_but_adapters
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.training.finetune import FineTune
from ecg_lightning.training.progress import Progress


class Freeze(pl.Callback):
    """Freezes and unfreezes the layer groups by the schedule, at the start of each epoch.

    A frozen group does not learn, and its normalisation statistics do not change: its parameters need no gradient, and its
    layers are in evaluation mode. Of a group with adapters, only these learn. All parameters are in the optimizer from the
    start, so that a resumed run finds what it saved.

    Args:
        finetune: has the schedule.
    """

    def __init__(self, finetune: FineTune) -> None:
        self.progress = Progress(finetune.stages)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sets gradient and mode of every group: a run that goes on in the middle of an epoch does not start one."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sets gradient and mode of every group."""
        assert isinstance(pl_module, ECGModule)
        groups, before = pl_module.layer_groups(), self.progress.number
        self.progress.start_epoch(trainer.current_epoch)
        stage = self.progress.stage
        if stage.patience is not None and self.progress.number != before and trainer.is_global_zero:
            names = "all" if stage.groups is None else ", ".join(stage.groups)
            print(
                f"Epoch {trainer.current_epoch}: {pl_module.monitor} was not better in {stage.patience} validations. "
                f"Unfrozen from now on: {names}.",
                flush=True,
            )
        unfrozen = stage.unfrozen(list(groups))
        for name, group in groups.items():
            group.requires_grad_(name in unfrozen).train(name in unfrozen)
            if adapter_size(group):
                freeze_all_but_adapters(group)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remembers the result; every process has the same one."""
        assert isinstance(pl_module, ECGModule)
        if trainer.sanity_checking or not self.progress.waits:
            return
        value = float(trainer.callback_metrics[pl_module.monitor])
        self.progress.add_validation(-value if pl_module.monitor == "val/loss" else value)

    def state_dict(self) -> dict[str, Any]:
        """What a run with an entry that waits needs to go on."""
        return self.progress.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on where the checkpoint was."""
        self.progress.load(state_dict)
