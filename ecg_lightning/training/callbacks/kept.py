"""A run's checkpoints: `best`, with the very weights that were validated, and `last`."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint


class Kept(ModelCheckpoint):
    """Keeps one checkpoint, in a folder that may be moved before the run goes on: Lightning would forget the best score.

    It is written at the epoch's very end, when nothing of the epoch is left to do, so that a resumed run starts with the
    next one; and where epochs are compared, only of weights that were validated: Lightning would take the score of an
    earlier epoch for that of one without a validation.
    """

    validated_at: int | None = None
    """The optimizer step of the last validation."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remembers what was validated; in the middle of an epoch it is kept now, since its end has other weights."""
        if self.monitor is None or self._should_skip_saving_checkpoint(trainer):
            return
        self.validated_at = trainer.global_step
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps the epoch, where it is the best, or where none is asked for."""
        if self.monitor is None or self.validated_at == trainer.global_step:
            super().on_train_epoch_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the state over, with the paths of files that were moved along as they are now."""
        folder = Path(str(self.dirpath))
        if (folder / f"{self.filename}.ckpt").is_file():
            paths = {key: _moved(state_dict[key], folder) for key in state_dict if key.endswith("_path")}
            best = {_moved(path, folder): score for path, score in state_dict["best_k_models"].items()}
            state_dict = state_dict | paths | {"best_k_models": best, "dirpath": self.dirpath}
        super().load_state_dict(state_dict)


def _moved(path: str, folder: Path) -> str:
    return str(folder / Path(path).name) if path else path
