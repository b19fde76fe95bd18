"""The end of a training that diverged, before its weights are kept."""

from typing import Any

import lightning.pytorch as pl
import torch

from ecg_lightning.errors import UserError

STEPS = 100
"""Steps from one look at the weights to the next: each look waits for the device."""


class Finite(pl.Callback):
    """Ends a training whose weights or loss are no longer numbers; the checkpoints of the epochs before stay."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Looks at the weights now and then: an epoch may take hours."""
        if (batch_idx + 1) % STEPS == 0:
            self._check(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Looks at the weights, and at the epoch's mean loss, before anything is kept."""
        self._check(trainer, pl_module)
        loss = trainer.callback_metrics.get("train/loss")
        if loss is not None and not torch.isfinite(loss) and trainer.precision != "16-mixed":  # which skips such steps
            raise _diverged("loss is", trainer)

    def _check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not torch.stack([torch.isfinite(each).all() for each in pl_module.parameters()]).all():
            raise _diverged("weights are", trainer)


def _diverged(what: str, trainer: pl.Trainer) -> UserError:
    clipped = "" if trainer.gradient_clip_val else ", or set trainer.gradient_clip_val=1"
    return UserError(
        f"Epoch {trainer.current_epoch}: the network's {what} no longer finite: the training diverged. Lower optim.lr"
        f"{clipped}. Checkpoints are those of the epochs before."
    )
