"""What a network costs on one core, in CPU time, and the length of training that a budget of CPU time buys."""

import time
from collections.abc import Sequence
from math import ceil
from typing import Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch

from ecg_lightning.config.compose import as_dict, compose
from ecg_lightning.config.schema import build, module_class
from ecg_lightning.models.costs import parameters
from ecg_lightning.training.build import build_data
from ecg_lightning.training.trainer import keep_freed_memory, quiet

TRAINED, VALIDATED = 6, 3
"""Batches that are timed; the fastest counts, since other processes on the machine only make a batch slower."""
EPOCHS = 4
"""The fewest epochs: each ends with a validation that may choose the network."""


class Cost(NamedTuple):
    """CPU seconds of a network on some data.

    Attributes:
        batch: of one training step.
        validation: of one validation.
        batches: training steps for one pass over the training recordings.
        records: training recordings.
        parameters: of the network.
    """

    batch: float
    validation: float
    batches: int
    records: int
    parameters: int

    @property
    def throughput(self) -> float:
        """Training recordings per CPU second."""
        return self.records / (self.batches * self.batch)


class Length(NamedTuple):
    """The length of a training: its epochs, and the batches of each of them."""

    epochs: int
    batches: int


class Clock(pl.Callback):
    """Notes the CPU time of the process before the first batch and after each."""

    def __init__(self) -> None:
        self.trained: list[float] = []
        self.validated: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        """Notes the beginning of the training."""
        self.trained.append(time.process_time())

    def on_validation_epoch_start(self, *_: Any) -> None:
        """Notes the beginning of the validation."""
        self.validated.append(time.process_time())

    def on_train_batch_end(self, *_: Any) -> None:
        """Notes the end of a training step."""
        self.trained.append(time.process_time())

    def on_validation_batch_end(self, *_: Any) -> None:
        """Notes the end of a batch of windows."""
        self.validated.append(time.process_time())


def measure(words: Sequence[str]) -> Cost:
    """Trains and validates a few batches of a configuration on one thread, and counts what a whole pass takes.

    Args:
        words: a configuration, as after `fit`.
    """
    torch.set_num_threads(1)
    quiet()
    keep_freed_memory()
    config = compose(words)
    data = build_data(config)
    torch.manual_seed(0)
    values = as_dict(config.model)
    network = build("model", values, leads=12, outputs=len(data.terms))
    clock = Clock()
    trainer = pl.Trainer(
        max_epochs=1, limit_train_batches=TRAINED, limit_val_batches=VALIDATED, num_sanity_val_steps=0, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0,
        accelerator="cpu", use_distributed_sampler=False, callbacks=clock,
    )  # fmt: skip
    trainer.fit(module_class(values)(network, list(data.terms)), datamodule=data)
    return Cost(
        batch=float(np.diff(clock.trained).min()),
        validation=float(np.diff(clock.validated).min()) * len(data.val_dataloader()),
        batches=len(data.train_dataloader()),
        records=len(data.rows("train")),
        parameters=parameters(network),
    )


def length_of(cost: Cost, seconds: float) -> Length:
    """Returns the training that takes so many CPU seconds with its validations.

    >>> length_of(Cost(batch=1, validation=10, batches=50, records=1600, parameters=0), 600)
    Length(epochs=10, batches=50)
    >>> length_of(Cost(batch=1, validation=10, batches=50, records=1600, parameters=0), 120)
    Length(epochs=4, batches=20)
    """
    epochs = max(EPOCHS, ceil(seconds / (cost.batches * cost.batch + cost.validation)))
    batches = round((seconds / epochs - cost.validation) / cost.batch)
    return Length(epochs, min(cost.batches, max(1, batches)))
