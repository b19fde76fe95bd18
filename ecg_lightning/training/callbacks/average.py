"""The exponential moving average of the weights: what is validated, kept in checkpoints and published."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

TRAINED = "trained"
"""The key, in a checkpoint file, of the weights that the optimizer trains; the state is the average."""


class Average(pl.Callback):
    """Averages the weights after each step of the optimizer, and puts the average in their place while the run is validated.

    The statistics of batch normalisation are averaged as the weights are; counters are those of the last step. At first the
    average forgets faster, with a decay of (1 + step) / (10 + step): else a short run would be validated with what it began
    with. The average of 16-bit weights is kept in float32.

    Args:
        decay: how much of the average stays at each step, above 0 and below 1.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._step = 0
        self._average: dict[str, Tensor] = {}
        self._live: dict[str, Tensor] = {}
        self._trained: dict[str, Tensor] = {}
        self._resumed: tuple[dict[str, Tensor], dict[str, Tensor]] | None = None

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remembers the average and the trained weights of the checkpoint that the run goes on from."""
        if TRAINED in checkpoint:
            self._resumed = checkpoint["state_dict"], checkpoint[TRAINED]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begins the average with the first weights; a run that goes on takes over both."""
        self._live = {name: tensor.detach() for name, tensor in pl_module.state_dict().items()}
        average = self._live
        if self._resumed is not None:
            average, trained = self._resumed
            _copy(trained, self._live)
            self._resumed = None
        self._average = {
            name: average[name].to(tensor.device, _precise(tensor.dtype), copy=True)
            for name, tensor in self._live.items()
        }

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remembers the step that the run begins with."""
        self._step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Averages where the optimizer has made a step: with accumulated gradients, not every batch has one."""
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        decay = min(self.decay, (1 + self._step) / (10 + self._step))
        for name, average in self._average.items():
            if average.is_floating_point():
                average.lerp_(self._live[name].to(average.dtype), 1 - decay)
            else:
                average.copy_(self._live[name])

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Puts the average in the place of the trained weights."""
        self._trained = {name: tensor.clone() for name, tensor in self._live.items()}
        _copy(self._average, self._live)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Puts the trained weights back, before a checkpoint is written."""
        _copy(self._trained, self._live)
        self._trained = {}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Writes the average as the network's state, and the trained weights beside it."""
        checkpoint[TRAINED] = checkpoint["state_dict"]
        checkpoint["state_dict"] = dict(self._average)


@torch.no_grad()
def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    for name, tensor in target.items():
        tensor.copy_(source[name])


def _precise(kind: torch.dtype) -> torch.dtype:
    """Returns float32 for shorter numbers, in which a small part of a step would be lost; other types as they are."""
    return torch.promote_types(kind, torch.float32) if kind.is_floating_point else kind
