"""One run at W&B: which one it is, and what Lightning logs to it."""

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from ecg_lightning import checkpoints
from ecg_lightning.errors import UserError
from ecg_lightning.files import read_json, write_json
from ecg_lightning.training.wandb_server import how_to_send, say, unless_it_fails

if TYPE_CHECKING:
    from wandb import Run


class RunRecord:
    """The run's id at W&B, kept in its folder, so that a resumed run is the same one there, wherever the folder is.

    Attributes:
        id: of the run that was logged from this folder before; None where there was none.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir, self._file = run_dir, run_dir / "wandb.json"
        self.id: str | None = None
        with suppress(OSError, ValueError):  # absent, or not of ours: another run at W&B
            text = str(read_json(self._file).get("id") or "")
            self.id = text if re.fullmatch(r"\w[\w.-]{0,127}", text) else None  # it becomes part of a folder's name

    def write(self, identifier: str) -> None:
        """Keeps an id."""
        write_json(self._file, {"id": identifier})

    def best(self) -> dict[str, float]:
        """What the summary of the folder's best epoch is."""
        file = self._run_dir / "checkpoints" / "best.ckpt"
        with suppress(UserError):
            if file.is_file():
                card = checkpoints.card_of(str(file))
                return summary(card.metrics, card.epoch)
        return {}


class RunLogger(WandbLogger):
    """Lightning's logger for a run that was started; a run that is lost in the middle does not end the training.

    Args:
        run: at W&B; None in processes that do not log.
        run_dir: the run's folder.
    """

    def __init__(self, run: "Run | None", run_dir: Path) -> None:
        super().__init__(experiment=run, save_dir=run_dir)
        self._validation: dict[str, float] = {}
        self._lost = False

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs metrics, and keeps those of a validation in case that it is the best."""
        validation = {key: value for key, value in metrics.items() if key.startswith("val/")}
        if validation:
            self._validation = summary(validation, metrics["epoch"])
        self._attempt(lambda: WandbLogger.log_metrics(self, metrics, step))

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Makes the epoch whose checkpoint is the best so far the run's summary."""
        if checkpoint_callback.monitor is not None:
            self._attempt(lambda: self.experiment.summary.update(self._validation))

    def _attempt(self, action: Callable[[], Any]) -> None:
        if not self._lost:
            with unless_it_fails(self._lose):
                action()

    def _lose(self, reason: str) -> None:
        self._lost = True
        folder = Path(str(self.save_dir))
        say(f"it takes nothing more ({reason}). The run goes on, logged in {folder / 'metrics.csv'} alone. "
            f"{how_to_send(folder)}")  # fmt: skip


def summary(metrics: Mapping[str, float | None], epoch: float) -> dict[str, float]:
    """The numbers of the best epoch as W&B's summary has them."""
    defined = {key: value for key, value in metrics.items() if value is not None and math.isfinite(value)}
    numbers = {key: value for key, value in defined.items() if key.startswith("val/")}
    return numbers | {"best/epoch": int(epoch)}
