"""Where a run is in its fine-tuning schedule: a function of the epoch, and of validations where an entry waits for a plateau."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ecg_lightning.config.finetuning import Stage


class Progress:
    """Where a run is in its schedule.

    Of a schedule without an entry that waits it is a function of the epoch. An entry that waits needs the validations since
    the entry before it: these are the state, which each checkpoint keeps.

    Args:
        stages: of the schedule, in order.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = list(stages)
        self.waits = any(stage.patience is not None for stage in stages)
        self.number = 0
        self._epoch = -1
        self._best: float | None = None
        self._worse = 0

    @property
    def stage(self) -> Stage:
        """The present stage."""
        return self.stages[self.number]

    def start_epoch(self, epoch: int) -> None:
        """Goes on to the stage of an epoch. The stage of an epoch never changes within it."""
        if epoch <= self._epoch:
            return
        self._epoch = epoch
        due = max(k for k, stage in enumerate(self.stages) if stage.patience is None and stage.epoch <= epoch)
        following = self.stages[self.number + 1] if self.number + 1 < len(self.stages) else None
        number = self.number
        if due > number:
            number = due
        elif following is not None and following.patience is not None and following.epoch <= epoch:
            number += self._worse >= following.patience
        if number != self.number:
            self.number, self._best, self._worse = number, None, 0

    def add_validation(self, value: float) -> None:
        """Takes the result of a validation; a larger one is better, and NaN is no improvement."""
        if math.isfinite(value) and (self._best is None or value > self._best):
            self._best, self._worse = value, 0
        else:
            self._worse += 1

    def state(self) -> dict[str, Any]:
        """Returns what a resumed run needs; empty where the epoch says it all."""
        if not self.waits:
            return {}
        return {"number": self.number, "epoch": self._epoch, "best": self._best, "worse": self._worse}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes over the state of a checkpoint."""
        self.number, self._epoch = state["number"], state["epoch"]
        self._best, self._worse = state["best"], state["worse"]
