"""What each layer group does in an epoch, for the logger: its learning-rate factor, and whether it is frozen."""

import lightning.pytorch as pl

from ecg_lightning.modules.base import ECGModule


class LogGroups(pl.Callback):
    """Logs, at the start of each epoch, the learning-rate factor of every layer group and whether it learns (1) or is frozen (0)."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs to the run's logger; the schedule has set the groups by now."""
        assert isinstance(pl_module, ECGModule)
        if trainer.logger is None:
            return
        metrics = {"epoch": float(trainer.current_epoch)}
        for name, group in pl_module.layer_groups().items():
            metrics[f"lr_factor/{name}"] = pl_module.lr_factors.get(name, 1.0)
            metrics[f"unfrozen/{name}"] = float(any(weights.requires_grad for weights in group.parameters()))
        trainer.logger.log_metrics(metrics, trainer.global_step)
