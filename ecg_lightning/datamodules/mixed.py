"""Several sources as one: joint batches of any mix of archives, and one source left out as the unseen hospital."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError, suggest
from ecg_lightning.ranges import SPLITS, Between
from ecg_lightning.store.joined import JoinedStore

KEYS_OF_PARTS = {"root", "val_folds", "test_folds", "train_records", "subset_seed", "store_dir", "pack_workers"}
"""Keys of every source that a part may set for itself; the others are those of the whole mix."""


@dataclass(eq=False, repr=False)
class MixedDataModule(PackedDataModule):
    """Any sources as one: each with its own labels, folds and annotated terms, all with one label space and one input.

    A source has its name in labels/ (`georgia`); the second one with the same name is `georgia-2`. What a source does
    not annotate is NaN. Metrics are logged for all recordings and, as `val/auroc@georgia`, for each source.

    Attributes:
        root: folder that the parts' roots are relative to; null if each part has its whole path.
        parts: the data configuration of each source, for example {name: GeorgiaDataModule, root: georgia}, with its own
            options; all other options are those of the mix.
        temperature: recordings are drawn from a source in proportion to its size to this power: 1 takes every recording
            once in an epoch, 0 equally many from each source.
        weights: in place of the temperature, the share of each source in the recordings drawn, for example
            {ptbxl: 1, georgia: 3}.
        leave_out: a source that stands for an unseen hospital: all of its recordings are for testing, and those of no other
            source; none of them trains or validates.
        drop_copies: leave out of training the recordings that another source has in its validation or test folds, and out
            of validation those that another source has in its test folds.
    """

    source = "mixed"

    parts: list[dict[str, Any]] = field(default_factory=list)
    temperature: Annotated[float, Between(0, 10)] = 1.0
    weights: dict[str, Annotated[float, Between(0, 1e9)]] = field(default_factory=dict)
    leave_out: str | None = None
    drop_copies: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts:
            raise UserError(
                "data.parts is empty: list the sources, for example [{name: GeorgiaDataModule, root: georgia}]."
            )
        self._sources: dict[str, ECGDataModule] = {}
        for number, values in enumerate(self.parts):
            try:
                part = self._part(values)
            except UserError as error:
                raise UserError(f"data.parts[{number}] ({values.get('name', 'no name')}): {error}") from error
            namesakes = sum(source.source == part.source for source in self._sources.values())
            self._sources[f"{part.source}-{namesakes + 1}" if namesakes else part.source] = part
        for key, names in (("weights", self.weights), ("leave_out", [self.leave_out] if self.leave_out else [])):
            for name in names:
                if name not in self._sources:
                    hint = suggest(name, self._sources)
                    raise UserError(
                        f"data.{key}: there is no source '{name}'. {hint}Sources: {', '.join(self._sources)}."
                    )
        training_sources = [name for name in self._sources if name != self.leave_out]
        if self.weights and not all(name in self.weights for name in training_sources):
            raise UserError(f"data.weights: give each source a share of 0 or more: {', '.join(training_sources)}.")

    def _part(self, values: Mapping[str, Any]) -> ECGDataModule:
        """The source of one of the parts."""
        common = {argument.name for argument in fields(PackedDataModule)} - KEYS_OF_PARTS
        if misplaced := sorted(common & values.keys()):
            raise UserError(
                f"{', '.join(misplaced)} must be the same for all sources: write it in data, not in one of the parts."
            )
        if values.get("endless"):
            raise UserError("endless: a simulated archive that is drawn while training cannot be mixed; set records.")
        inherited = (common | KEYS_OF_PARTS) - {"root", "train_records", "seed"}
        arguments = {name: getattr(self, name) for name in inherited} | dict(values)
        if self.root is not None and "root" in values:
            arguments["root"] = str(Path(self.root, Path(values["root"]).expanduser()))
        part = build("data", arguments, seed=self.seed)
        if isinstance(part, MixedDataModule):
            raise UserError("a mix cannot be a part of another one: list its parts.")
        assert isinstance(part, ECGDataModule)
        return part

    @property
    def sources(self) -> dict[str, ECGDataModule]:
        """The joined sources by their names."""
        return self._sources

    def by_source(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
        """By source, (rows,) which of these rows it has; a source that has none of them is not named."""
        source = self.store.source_of(rows)
        return {name: source == number for number, name in enumerate(self.sources) if (source == number).any()}

    @cached_property
    def store(self) -> JoinedStore:
        """The stores of all sources, packed now where they are not there."""
        return JoinedStore({name: part.store for name, part in self.sources.items()})

    @property
    def targets(self) -> NDArray[np.float32]:
        """(records of all stores, terms) 1, 0 or NaN; joined anew at every use.

        Each source keeps its own targets, and there may be a million recordings: a joined copy is not kept beside them.
        """
        return np.concatenate([part.targets for part in self.sources.values()])

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """(records of all stores,) each in the fold that it has in its source."""
        return np.concatenate([part.folds for part in self.sources.values()])

    @cached_property
    def is_kept(self) -> NDArray[np.bool_]:
        """(records of all stores,) which recordings take part, by the options of their source."""
        return np.concatenate([part.is_kept for part in self.sources.values()])

    def select(self, split: str) -> NDArray[np.int64]:
        """The rows of one split, with `drop_copies` without those that another source holds on a later side."""
        rows = self._rows_of_parts(split)
        if split == "train":
            return self.subset(np.setdiff1d(rows, self._copies_across_sources))
        if split == "val" and self.drop_copies:
            return np.setdiff1d(rows, self.store.copies_between(rows, self.rows("test"))[:, 0])
        return rows

    def _rows_of_parts(self, split: str) -> NDArray[np.int64]:
        """(recordings,) the rows of one split of all sources, in the joined store."""
        return self._joined([self._rows_of_part(name, split) for name in self.sources])

    def _rows_of_part(self, name: str, split: str) -> NDArray[np.int64]:
        """(recordings,) the rows of one split of one source, in its own store."""
        part = self.sources[name]
        if self.leave_out is None or (name != self.leave_out and split != "test"):
            return part.rows(split)
        return np.flatnonzero(part.usable & (name == self.leave_out and split == "test"))

    def _joined(self, rows_of_parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """(recordings,) the rows of each source as rows of the joined store."""
        return np.concatenate([rows + first for rows, first in zip(rows_of_parts, self.store.first[:-1], strict=True)])

    @cached_property
    def copies(self) -> NDArray[np.int64]:
        """(copies,) rows left out of training because their source, or with `drop_copies` another one, holds them out."""
        copies_within_sources = self._joined([part.copies for part in self.sources.values()])
        return np.union1d(copies_within_sources, self._copies_across_sources)

    @cached_property
    def _copies_across_sources(self) -> NDArray[np.int64]:
        """(copies,) training rows that any source holds on its validation or test side; none without `drop_copies`."""
        if not self.drop_copies:
            return np.zeros(0, np.int64)
        held_out = np.concatenate([self.rows("val"), self.rows("test")])
        return np.unique(self.store.copies_between(self._rows_of_parts("train"), held_out)[:, 0])

    def draws(self, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """(rows,) how likely each of these rows is drawn for training; None draws each once an epoch."""
        if self.temperature == 1 and not self.weights:
            return None
        source = self.store.source_of(rows)
        counts = np.bincount(source, minlength=len(self.sources)).astype(np.float64)
        shares = (
            np.array([self.weights.get(name, 0) for name in self.sources]) if self.weights else counts**self.temperature
        )
        probability_weights: NDArray[np.float64] = (shares / np.maximum(counts, 1))[source]
        if not probability_weights.any():
            raise UserError("data.weights: no source with a share above 0 has any recordings to train on.")
        return probability_weights

    def describe(self) -> dict[str, Any]:
        """What a run says of its data, and of each source."""
        counts = {
            split: np.bincount(self.store.source_of(self.rows(split)), minlength=len(self.sources)) for split in SPLITS
        }
        parts = {
            name: part.describe() | {"records": {split: int(count[number]) for split, count in counts.items()}}
            for number, (name, part) in enumerate(self.sources.items())
        }
        mixture = {"temperature": self.temperature, "weights": dict(self.weights), "leave_out": self.leave_out}
        return super().describe() | mixture | {"parts": parts}
