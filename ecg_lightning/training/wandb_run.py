"""One run at W&B: its id, and what Lightning logs to it."""

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
from ecg_lightning.training.wandb_server import failures_to, how_to_send, print_line

if TYPE_CHECKING:
    from wandb import Run


class WandbRunFile:
    """The file `wandb.json` with the run's id at W&B: a resumed run is the same run there, even if its folder was moved.

    Attributes:
        id: of the run that was logged from this folder before; None where there is none.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / "wandb.json"
        self.id: str | None = None
        with suppress(OSError, ValueError):  # missing, or damaged: the run is a new one at W&B
            text = str(read_json(self._path).get("id") or "")
            self.id = text if re.fullmatch(r"\w[\w.-]{0,127}", text) else None  # it becomes a part of a folder's name

    def write(self, identifier: str) -> None:
        """Writes an id to the file."""
        write_json(self._path, {"id": identifier})


def best_summary(run_dir: Path) -> dict[str, float]:
    """Returns the summary of the best epoch of a run's folder; empty where there is no best epoch yet."""
    path = run_dir / "checkpoints" / "best.ckpt"
    with suppress(UserError):
        if path.is_file():
            card = checkpoints.card_of(str(path))
            return summary(card.metrics, card.epoch)
    return {}


class RunLogger(WandbLogger):
    """Lightning's logger for a run that was started; if W&B loses the run, the training goes on.

    Args:
        run: at W&B; None in processes that do not log.
        run_dir: the run's folder.
    """

    def __init__(self, run: "Run | None", run_dir: Path) -> None:
        super().__init__(experiment=run, save_dir=run_dir)
        self._validation: dict[str, float] = {}
        self._failed = False

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs metrics, and remembers those of a validation: it may be the best one."""
        validation = {key: value for key, value in metrics.items() if key.startswith("val/")}
        if validation:
            self._validation = summary(validation, metrics["epoch"])
        self._attempt(lambda: WandbLogger.log_metrics(self, metrics, step))

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Makes the epoch whose checkpoint is the best so far the run's summary."""
        if checkpoint_callback.monitor is not None:
            self._attempt(lambda: self.experiment.summary.update(self._validation))

    def _attempt(self, action: Callable[[], Any]) -> None:
        if not self._failed:
            with failures_to(self._give_up):
                action()

    def _give_up(self, reason: str) -> None:
        self._failed = True
        folder = Path(str(self.save_dir))
        print_line(f"it accepts no more metrics ({reason}). The run goes on, and {folder / 'metrics.csv'} alone has its metrics. "
                   f"{how_to_send(folder)}")  # fmt: skip


def summary(metrics: Mapping[str, float | None], epoch: float) -> dict[str, float]:
    """Returns the metrics of the best epoch as W&B's summary has them."""
    defined = {key: value for key, value in metrics.items() if value is not None and math.isfinite(value)}
    numbers = {key: value for key, value in defined.items() if key.startswith("val/")}
    return numbers | {"best/epoch": int(epoch)}
