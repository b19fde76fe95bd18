"""One run at W&B: its id, and what Lightning logs to it."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    from matplotlib.figure import Figure
    from wandb import Artifact, Run


class WandbRunFile:
    """The file `wandb.json` with the run's id at W&B: a resumed run is the same run there, even if its folder was moved.

    Args:
        run_dir: the run's folder.
        read: whether the run that was logged from this folder before goes on; else the file is of a new run.

    Attributes:
        id: of the run; None where there is none.
        project: the project that it is in; None where that is not known.
        entity: the team that it belongs to; None where that is not known.
        name: the run's name there; None where that is not known.
        summary: numbers that each part of the run's log holds again, because W&B keeps the summary of the last part alone.
    """

    def __init__(self, run_dir: Path, read: bool = True) -> None:
        self._path = run_dir / "wandb.json"
        self.id: str | None = None
        self.project: str | None = None
        self.entity: str | None = None
        self.name: str | None = None
        self.summary: dict[str, Any] = {}
        if read:
            with suppress(OSError, ValueError):  # missing, or damaged: the run is a new one at W&B
                self._take(read_json(self._path))

    def _take(self, values: Mapping[str, Any]) -> None:
        identifier, summary = str(values.get("id") or ""), values.get("summary")
        if not re.fullmatch(r"\w[\w.-]{0,127}", identifier):  # it becomes a part of a folder's name
            return
        self.id = identifier
        self.project, self.entity, self.name = (
            value if isinstance(value := values.get(key), str) and value else None
            for key in ("project", "entity", "name")
        )
        self.summary = summary if isinstance(summary, dict) else {}

    def write(self, run: "Run") -> None:
        """Writes the run, as W&B started it, to the file."""
        self.id, self.project, self.entity, self.name = run.id, run.project, run.entity or self.entity, run.name
        self._write()

    def add(self, summary: Mapping[str, Any]) -> None:
        """Adds numbers to the summary that the file keeps."""
        self.summary |= summary
        self._write()

    def _write(self) -> None:
        values = {"id": self.id, "project": self.project, "entity": self.entity, "name": self.name}
        write_json(self._path, values | {"summary": self.summary})


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
        file: the run's file; None in processes that do not log.
    """

    def __init__(self, run: "Run | None", run_dir: Path, file: WandbRunFile | None = None) -> None:
        super().__init__(experiment=run, save_dir=run_dir)
        self._file = file
        self._validation: dict[str, float] = {}
        self._failed = False

    @property
    def is_writing(self) -> bool:
        """Whether this process logs: the first one alone does."""
        return self._experiment is not None

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

    @rank_zero_only
    def log_summary(self, values: Mapping[str, Any]) -> None:
        """Adds numbers to the run's summary; they stay there when the run goes on."""
        finite = {key: value for key, value in values.items() if not isinstance(value, float) or math.isfinite(value)}

        def update() -> None:
            self.experiment.summary.update(finite)
            if self._file is not None:
                self._file.add(finite)

        self._attempt(update)

    @rank_zero_only
    def log_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Logs a table with the keys of its rows as columns."""
        import wandb

        columns: list[str | int] = list(dict.fromkeys(key for row in rows for key in row))
        cells: list[Iterable[Any]] = [[row.get(str(column)) for column in columns] for row in rows]
        self._attempt(lambda: self.experiment.log({name: wandb.Table(columns=columns, data=cells)}))

    @rank_zero_only
    def log_figures(self, figures: "Mapping[str, Figure]") -> None:
        """Logs figures of matplotlib by their names."""
        import wandb

        self._attempt(lambda: self.experiment.log({name: wandb.Image(figure) for name, figure in figures.items()}))

    @rank_zero_only
    def log_artifact(self, artifact: "Artifact", is_input: bool = False) -> None:
        """Logs an artifact, as what the run put out or as what it uses. Where that fails, the metrics are logged nevertheless.

        Args:
            artifact: a model.
            is_input: whether the run uses it.
        """
        with failures_to(lambda reason: print_line(f"{artifact.name} is not logged as an artifact ({reason}).")):
            # `use_artifact` refuses to work offline, and online it waits for the server without a limit.
            self.experiment._log_artifact(artifact, is_user_created=True, use_after_commit=is_input)

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
