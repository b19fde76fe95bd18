"""Training the head of a frozen network: what the layers below it put out is computed once and read in every epoch."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ecg_lightning.datamodules.batches import Cut, EvaluationBatches, Recordings, TrainingBatches
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.streams import progress_bar


class Bodies(Dataset[dict[str, Tensor]]):
    """The recordings of a split as what the frozen layers put out for their windows; indexed by a whole batch of cuts.

    Args:
        recordings: the split.
        cuts: (windows, 2) every window, in ascending order.
        bodies: (windows, …) what the frozen layers put out for each.
    """

    def __init__(self, recordings: Recordings, cuts: Cut, bodies: NDArray[Any]) -> None:
        self.recordings, self.bodies = recordings, bodies
        self._stride = int(cuts[:, 1].max(initial=0)) + 1
        self._keys = self._keys_of(cuts)

    def __getitem__(self, cut: Cut) -> dict[str, Tensor]:
        windows = np.searchsorted(self._keys, self._keys_of(cut))
        places, metadata = torch.from_numpy(cut[:, 0]), self.recordings.metadata
        batch = {
            "body": torch.from_numpy(np.asarray(self.bodies[windows])),
            "targets": self.recordings.targets[places],
            "record": torch.from_numpy(self.recordings.rows[cut[:, 0]]),
            "window": torch.from_numpy(cut[:, 1].copy()),
        }
        return batch if metadata is None else batch | {"metadata": metadata[places]}

    def _keys_of(self, cuts: Cut) -> NDArray[np.int64]:
        return cuts[:, 0] * self._stride + cuts[:, 1]


class CachedDataModule(pl.LightningDataModule):
    """The training and validation recordings of a run whose network is frozen but for its head.

    The network of the run computes them when the Trainer asks for the first batches: a resumed run has its weights then.
    They lie in a file without a name, which is gone when the process ends, however it ends.

    Args:
        data: the recordings.
        folder: where the file is; its disk must hold what the frozen layers put out.
    """

    def __init__(self, data: PackedDataModule, folder: Path) -> None:
        super().__init__()
        self.data, self.folder = data, folder

    def by_source(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
        """By the sources of a mix, (rows,) which of these rows each has."""
        return self.data.by_source(rows)

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Every training recording once an epoch, in the order of a run that computes it anew."""
        return self._loader(self._train, self.data.training_batches())

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """The validation recordings in windows."""
        return self._loader(self._val, self.data.evaluation_batches("val"))

    @cached_property
    def _train(self) -> Bodies:
        longer = int((self.data.store.lengths[self.data.rows("train")] > self.data.window).sum())
        if longer:
            raise UserError(
                f"finetune.cache=true computes what the frozen layers put out once, and {longer} training recordings are longer "
                f"than data.seconds={self.data.seconds:g}, so that they are cut at another place in every epoch. Set "
                "finetune.cache=false, or a longer data.seconds."
            )
        return self._computed("train")

    @cached_property
    def _val(self) -> Bodies:
        return self._computed("val")

    def _computed(self, split: str) -> Bodies:
        batches = self.data.evaluation_batches(split)
        recordings = self.data.dataset(split)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            shape, kind = (len(batches.cuts),), np.dtype(np.float32)
            for bodies in self._bodies(recordings, batches, split):
                if file.tell() == 0:
                    shape, kind = (len(batches.cuts), *bodies.shape[1:]), bodies.dtype
                    self._check_space(int(np.prod(shape)) * kind.itemsize)
                file.write(np.ascontiguousarray(bodies).data)
            file.flush()
            mapped = np.memmap(file, kind, "r", shape=shape)  # which keeps the file after it is closed
        return Bodies(recordings, batches.cuts, mapped)

    def _bodies(self, recordings: Recordings, batches: EvaluationBatches, split: str) -> Iterator[NDArray[Any]]:
        """Yields (batch, …) what the frozen layers put out for every batch of windows, in order."""
        assert self.trainer is not None
        trainer, module = self.trainer, self.trainer.lightning_module
        assert isinstance(module, ECGModule)
        modes = [(layer, layer.training) for layer in module.modules()]
        module.eval()
        title = f"Output of the frozen layers for {len(recordings):,} recordings ({split})"
        with progress_bar(shown=trainer.progress_bar_callback is not None) as bar:
            for cuts in bar.track(batches, len(batches), description=title):
                batch = trainer.strategy.batch_to_device(recordings[cuts])
                with torch.inference_mode(), trainer.precision_plugin.forward_context():
                    bodies = module.body(self.data.prepare(batch)["x"])
                yield bodies.cpu().numpy()
        for layer, training in modes:  # from the outside to the inside
            layer.train(training)

    def _check_space(self, size: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if size > free:
            raise UserError(
                f"finetune.cache=true needs {size / 1e9:.1f} GB in {self.folder} for what the frozen layers put out, and "
                f"{free / 1e9:.1f} GB are free. Choose another run_dir, or finetune.cache=false."
            )

    def _loader(self, bodies: Bodies, batches: TrainingBatches | EvaluationBatches) -> DataLoader[dict[str, Tensor]]:
        # a generator of its own: see PackedDataModule
        return DataLoader(bodies, batch_size=None, sampler=batches, generator=torch.Generator())
