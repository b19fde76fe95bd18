"""What a trainer sees of packed recordings: targets, folds, rows, batches, and their preparation on the device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ecg_lightning.config.relations import check_source
from ecg_lightning.datamodules.batches import EvaluationBatches, RawBatch, Recordings, TrainingBatches
from ecg_lightning.datamodules.metadata import values_of
from ecg_lightning.errors import UserError
from ecg_lightning.labels import LabelSpace
from ecg_lightning.ranges import (
    SPLITS,
    Between,
    Folds,
    Hertz,
    Items,
    Leads,
    Misfit,
    Processes,
    Records,
    SamplingRate,
    Seconds,
    Seed,
    check_fields,
)
from ecg_lightning.records import LEADS
from ecg_lightning.store import Store
from ecg_lightning.transforms import Augment, Preprocess
from ecg_lightning.transforms.signal import Normalisation


@dataclass(eq=False, repr=False)
class PackedDataModule(pl.LightningDataModule):
    """Base of one source (`ECGDataModule`) and of a mix of several: recordings in a store, with targets and folds.

    Attributes:
        root: folder of the archive as distributed.
        label_space: name of a label space, or a list of terms, that the network predicts.
        sampling_rate: Hz of the packed copy and so of the network's input.
        seconds: length of the network's input; training cuts it at a random place, evaluation averages windows.
        batch_size: recordings in one training step.
        num_workers: loader processes; 0 is fastest on packed data.
        normalisation: zscore (per lead), zscore_all (one deviation for all leads), zscore_record (one mean, too), minmax (to
            0 … 1) or none (millivolts).
        band: pass band in Hz, [low, high]; either may be null. Not filtered by default.
        notch: frequency in Hz that is removed, that of the mains.
        baseline: seconds of the running median that is subtracted.
        leads: leads that the network sees, in this order; all twelve by default.
        metadata: patient data that the network sees beside the signal: age, sex, or other columns of numbers of the source's
            table; a recording may lack any. None by default.
        augment: strengths of augmentations in training, see transforms.Augment; null for none.
        val_folds: folds (1-10) that choose the epoch and the thresholds.
        test_folds: folds that only `test` reads.
        train_records: train on this many recordings only, drawn by subset_seed; subsets of one seed are nested.
        subset_seed: seed of the draw of `train_records`.
        allow_leak: go on where recordings of the validation or test side were seen in training; the checkpoint says so.
        seed: seed of order and cuts.
        store_dir: folder of packed stores; $ECG_STORE or ~/.cache/ecg_lightning by default.
        pack_workers: processes that pack; all cores by default.
    """

    root: str | None = None
    label_space: list[str] | str = "paper7"
    sampling_rate: SamplingRate = 100
    seconds: Seconds = 10.0
    batch_size: Annotated[int, Between(1, 65_536)] = 32
    num_workers: Annotated[int, Between(0, 1024)] = 0
    normalisation: Normalisation = "zscore"
    band: Annotated[list[Hertz | None], Items(2, 2)] | None = None
    notch: Hertz | None = None
    baseline: Annotated[float, Between(0.02, 60)] | None = None
    leads: Leads | None = None
    metadata: Annotated[list[str], Items(distinct=True)] = field(default_factory=list)
    augment: dict[str, Annotated[float, Between(0, 3600)]] | None = field(default_factory=dict)
    val_folds: Folds = field(default_factory=lambda: [9])
    test_folds: Folds = field(default_factory=lambda: [10])
    train_records: Records | None = None
    subset_seed: Seed = 0
    allow_leak: bool = False
    seed: Seed = 0
    store_dir: str | None = None
    pack_workers: Processes | None = None

    def __post_init__(self) -> None:
        super().__init__()
        try:
            check_fields(self)
        except Misfit as error:
            raise UserError(f"data.{error}") from error
        low, high = self.band or (None, None)
        self.space = LabelSpace.load(self.label_space)
        self.preprocess = Preprocess(
            normalisation=self.normalisation,
            low=low,
            high=high,
            leads=tuple(self.leads or LEADS),
            notch=self.notch,
            baseline=self.baseline,
        )
        self.augmentation = Augment.from_dict(self.augment or {})
        self.shown_leads = LEADS
        check_source(vars(self), "data")

    # What one source and a mix answer differently --------------------------------------------------------------------

    @property
    def source(self) -> str:
        """The source's name in labels/ and in conf/data/."""
        raise NotImplementedError

    @property
    def sources(self) -> Mapping[str, "PackedDataModule"]:
        """The sources by their names: this one, or those that a mix joins."""
        return {self.source: self}

    @property
    def store(self) -> Store:
        """The packed recordings."""
        raise NotImplementedError

    @property
    def targets(self) -> NDArray[np.float32]:
        """(records of the store, terms) 1, 0 or NaN."""
        raise NotImplementedError

    @property
    def folds(self) -> NDArray[np.int64]:
        """(records of the store,) fold of each recording, 1 … 10."""
        raise NotImplementedError

    @property
    def is_kept(self) -> NDArray[np.bool_]:
        """(records of the store,) which recordings take part, by the options of their source."""
        raise NotImplementedError

    @property
    def copies(self) -> NDArray[np.int64]:
        """(copies,) rows that are left out of training because the validation or test side holds the same recording."""
        raise NotImplementedError

    def select(self, split: str) -> NDArray[np.int64]:
        """(recordings,) the rows of one split; `rows` calls it once for each split and keeps the answer."""
        raise NotImplementedError

    def draws(self, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """(rows,) how likely each of these rows is drawn for training; None draws each once an epoch."""
        return None

    def by_source(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
        """By the sources of a mix, (rows,) which of these rows each has; empty where there is one source."""
        return {}

    # What they share -------------------------------------------------------------------------------------------------

    @property
    def terms(self) -> tuple[str, ...]:
        """The ordered terms that the network predicts."""
        return self.space.terms

    @property
    def window(self) -> int:
        """Samples of the network's input."""
        return round(self.seconds * self.sampling_rate)

    def input_spec(self) -> dict[str, Any]:
        """What the network expects, as plain values: for the checkpoint."""
        return {"sampling_rate": self.sampling_rate, "seconds": self.seconds, "preprocess": self.preprocess.to_dict()}

    def prepare_data(self) -> None:
        """Packs the source where its store is missing; its table is read and its files are looked at once."""
        _ = self.store

    @cached_property
    def metadata_values(self) -> NDArray[np.float32]:
        """(records of the store, columns) patient data in their own units, NaN where unknown."""
        return values_of(self.store.index, self.metadata, self.source, self.empty_columns())

    def empty_columns(self) -> list[str]:
        """Returns the columns of `metadata` that the source has, although no recording has a value there."""
        return []

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """(records of the store,) which recordings take part and have any annotated term."""
        return self.is_kept & ~np.isnan(self.targets).all(axis=1)

    def rows(self, split: str) -> NDArray[np.int64]:
        """(recordings,) positions in the store of the usable recordings of `train`, `val` or `test`.

        A training recording that the source holds a second time on another side, under another id, is left out.
        """
        if split not in self._rows_of_split:
            self._rows_of_split[split] = self.select(split)
        return self._rows_of_split[split]

    @cached_property
    def _rows_of_split(self) -> dict[str, NDArray[np.int64]]:
        return {}

    def subset(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(train_records,) as many of the training rows as `train_records` says; all of them where it is not given."""
        if self.train_records is None:
            return rows
        if self.train_records > len(rows):
            raise UserError(f"data.train_records={self.train_records}: there are only {len(rows)} for training.")
        return np.sort(np.random.default_rng(self.subset_seed).permutation(rows)[: self.train_records])

    def setup(self, stage: str | None = None) -> None:
        """Opens the store, and refuses a side without usable recordings before a network is trained or tested on it.

        Raises:
            UserError: naming the side.
        """
        for split in {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}.get(stage or "", ()):
            if not len(self.rows(split)):
                raise UserError(
                    f"{self.source}: no recording of the {split} folds has an annotated term of '{self.space.name}' "
                    f"({len(self.store)} packed, {self.store.meta['rejected']} rejected, see {self.store.path})."
                )

    def dataset(self, split: str) -> Recordings:
        """The recordings of one split."""
        rows = self.rows(split)
        metadata = self.metadata_values[rows] if self.metadata else None
        return Recordings(self.store, rows, self.targets[rows], self.window, metadata)

    def train_dataloader(self) -> DataLoader[RawBatch]:
        """Every training recording once an epoch, shuffled, cut at random."""
        return self._loader(self.dataset("train"), self.training_batches())

    def val_dataloader(self) -> DataLoader[RawBatch]:
        """The validation recordings in windows."""
        return self._evaluation("val")

    def test_dataloader(self) -> DataLoader[RawBatch]:
        """The test recordings in windows."""
        return self._evaluation("test")

    def _evaluation(self, split: str) -> DataLoader[RawBatch]:
        return self._loader(self.dataset(split), self.evaluation_batches(split))

    def training_batches(self) -> TrainingBatches:
        """The cuts of the training recordings, in a new order in every epoch."""
        rows = self.rows("train")
        return TrainingBatches(self.store.lengths[rows], self.window, self.batch_size, self.seed, self.draws(rows))

    def evaluation_batches(self, split: str) -> EvaluationBatches:
        """The windows that cover the recordings of a split, in order."""
        return EvaluationBatches(self.store.lengths[self.rows(split)], self.window, 2 * self.batch_size)

    def _loader(self, data: Dataset[RawBatch], batches: TrainingBatches | EvaluationBatches) -> DataLoader[RawBatch]:
        # batch_size=None: the sampler gives a whole batch of cuts and the dataset reads it in one call.
        return DataLoader(
            data,
            batch_size=None,
            sampler=batches,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            # An iterator draws a seed; from the global generator it would shift dropout and augmentation of an epoch,
            # and not of the same epoch in a run that is resumed there.
            generator=torch.Generator(),
        )

    def on_after_batch_transfer(self, batch: RawBatch, dataloader_idx: int) -> dict[str, Tensor]:
        """Converts a batch on its device to normalised millivolts, with padding at zero; in training also augments it."""
        training = self.trainer is not None and self.trainer.training
        return self.prepare(batch, training)

    def show_leads(self, leads: Sequence[str]) -> None:
        """From now on the network sees these leads alone, as if the recordings had no other."""
        self.shown_leads = tuple(leads)

    def prepare(self, batch: RawBatch, training: bool = False) -> dict[str, Tensor]:
        """The network's input `x` (batch, leads, samples) beside `targets`, `record`, `window`, and `metadata` where there is any."""
        augment = self.augmentation if training else None
        signals = batch["signals"]
        if self.shown_leads != LEADS:  # the others are as in a recording that lacks them
            is_shown = [lead in self.shown_leads for lead in LEADS]
            signals = signals * torch.tensor(is_shown, dtype=signals.dtype, device=signals.device)
        x = self.preprocess(signals, batch["valid"], self.sampling_rate, augment)
        prepared = {"x": x, "targets": batch["targets"], "record": batch["record"], "window": batch["window"]}
        return prepared | ({"metadata": batch["metadata"]} if "metadata" in batch else {})

    def describe(self) -> dict[str, Any]:
        """What a run says of its data: source, fingerprint, folds and numbers of recordings; nothing of any patient."""
        return {
            "source": self.source,
            "fingerprint": self.store.sha256,
            "label_space": list(self.space.items),
            "val_folds": list(self.val_folds),
            "test_folds": list(self.test_folds),
            "allow_leak": self.allow_leak,
            "records": {split: len(self.rows(split)) for split in SPLITS},
        }
