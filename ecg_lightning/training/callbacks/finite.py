"""The end of a training that diverged, before a checkpoint with its weights is written."""

from typing import Any

import lightning.pytorch as pl
import torch

from ecg_lightning.errors import UserError

STEPS = 100
"""Steps from one check of the weights to the next: each check waits for the device."""


class Finite(pl.Callback):
    """Ends a training whose weights or loss are no longer finite; the checkpoints of earlier epochs stay."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Checks the weights every `STEPS` steps: an epoch may take hours."""
        if (batch_idx + 1) % STEPS == 0:
            self._check_weights(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Checks the weights and the epoch's mean loss before a checkpoint is written."""
        self._check_weights(trainer, pl_module)
        loss = trainer.callback_metrics.get("train/loss")
        if loss is not None and not torch.isfinite(loss) and trainer.precision != "16-mixed":  # which skips such steps
            raise _divergence("loss is", trainer)

    def _check_weights(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not torch.stack([torch.isfinite(weights).all() for weights in pl_module.parameters()]).all():
            raise _divergence("weights are", trainer)


def _divergence(subject: str, trainer: pl.Trainer) -> UserError:
    """Returns the error that says what is no longer finite, and what to do."""
    clipping = "" if trainer.gradient_clip_val else ", or set trainer.gradient_clip_val=1"
    return UserError(
        f"Epoch {trainer.current_epoch}: the network's {subject} no longer finite: the training diverged. Lower optim.lr"
        f"{clipping}. The checkpoints of earlier epochs are kept."
    )
