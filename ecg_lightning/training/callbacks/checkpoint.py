"""A run's checkpoints: `best`, with the very weights that were validated, and `last`."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint

STATE = "Kept"
"""How the key of the state begins in a checkpoint file; it stays, so that runs of older versions go on."""


class RunCheckpoint(ModelCheckpoint):
    """Writes one checkpoint file of a run, in a folder that may be moved before the run goes on.

    Lightning's own callback forgets the best score when the folder was moved. This one keeps it.

    The file is written at the very end of an epoch, when nothing of the epoch is left to do. A resumed run therefore
    starts with the next epoch. Where epochs are compared, only weights that were validated are written: Lightning would
    give an epoch without a validation the score of an earlier epoch.

    Attributes:
        validated_at: the optimizer step of the last validation; None before the first.
    """

    validated_at: int | None = None

    @property
    def state_key(self) -> str:
        """The key of this callback's state in a checkpoint file."""
        return super().state_key.replace(type(self).__qualname__, STATE, 1)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remembers the step; writes now in the middle of an epoch, because the epoch's end has other weights."""
        if self.monitor is None or self._should_skip_saving_checkpoint(trainer):
            return
        self.validated_at = trainer.global_step
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the epoch where it is the best one, or where epochs are not compared."""
        if self.monitor is None or self.validated_at == trainer.global_step:
            super().on_train_epoch_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the state over; paths of files that were moved with the folder become their present paths."""
        folder = Path(str(self.dirpath))
        if (folder / f"{self.filename}.ckpt").is_file():
            paths = {key: _in_folder(state_dict[key], folder) for key in state_dict if key.endswith("_path")}
            scores = {_in_folder(path, folder): score for path, score in state_dict["best_k_models"].items()}
            state_dict = state_dict | paths | {"best_k_models": scores, "dirpath": self.dirpath}
        super().load_state_dict(state_dict)


def _in_folder(path: str, folder: Path) -> str:
    """Returns the path of the file of that name in the folder; an empty path stays empty."""
    return str(folder / Path(path).name) if path else path
