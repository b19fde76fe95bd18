"""Several sources as one: joint batches of any mix of archives, and one source left out as the unseen hospital."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.base import SPLITS, ECGDataModule
from ecg_lightning.errors import UserError, suggest
from ecg_lightning.ranges import Between
from ecg_lightning.store.joined import JoinedStore

OWN = {"root", "val_folds", "test_folds", "train_records", "subset_seed", "store_dir", "pack_workers"}
"""Keys of every source that a part may set for itself; the others are those of the whole mix."""


@dataclass(eq=False, repr=False)
class MixedDataModule(ECGDataModule):
    """Any sources as one: each with its own labels, folds and annotated terms, all with one label space and one input.

    A source is called as in labels/ (``georgia``); of several of one kind the second is ``georgia-2``. What a source does
    not annotate is NaN, as ever. Metrics are logged for all recordings and, as ``val/auroc@georgia``, for each source.

    Attributes:
        root: folder that the parts' roots are relative to; null where each says its own in full.
        parts: one data configuration a source, for example {name: GeorgiaDataModule, root: georgia}, with options of
            its own; all others are those of the mix.
        temperature: recordings are drawn from a source in proportion to its size to this power: 1 takes every recording
            once an epoch, 0 as many from each source.
        weights: in place of the temperature, the share of each source in the recordings drawn, for example
            {ptbxl: 1, georgia: 3}.
        leave_out: a source that is the unseen hospital: it is the whole test side, and nowhere else.
        drop_copies: leave recordings out of training that another source has on its validation or test side, and out of
            validation what another one has on its test side.
    """

    source: ClassVar[str] = "mixed"

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
        for number, given in enumerate(self.parts):
            try:
                part = self._part(given)
            except UserError as error:
                raise UserError(f"data.parts[{number}] ({given.get('name', 'no name')}): {error}") from error
            same = sum(other.source == part.source for other in self._sources.values())
            self._sources[f"{part.source}-{same + 1}" if same else part.source] = part
        for key, names in (("weights", self.weights), ("leave_out", [self.leave_out] if self.leave_out else [])):
            for name in names:
                if name not in self._sources:
                    hint = suggest(name, self._sources)
                    raise UserError(
                        f"data.{key}: there is no source '{name}'. {hint}Sources: {', '.join(self._sources)}."
                    )
        drawn = [name for name in self._sources if name != self.leave_out]
        if self.weights and not all(name in self.weights for name in drawn):
            raise UserError(f"data.weights: give each source a share of 0 or more: {', '.join(drawn)}.")

    def _part(self, given: Mapping[str, Any]) -> ECGDataModule:
        """The source of one of the parts."""
        common = {each.name for each in fields(ECGDataModule)} - OWN
        if wrong := sorted(common & given.keys()):
            raise UserError(
                f"{', '.join(wrong)} must be the same for all sources: write it in data, not in one of the parts."
            )
        inherited = {name: getattr(self, name) for name in (common | OWN) - {"root", "train_records", "seed"}}
        if given.get("endless"):
            raise UserError("endless: a simulated archive that is drawn while training cannot be mixed; set records.")
        values = inherited | dict(given)
        if self.root is not None and "root" in given:
            values["root"] = str(Path(self.root, Path(given["root"]).expanduser()))
        part = build("data", values, seed=self.seed)
        if isinstance(part, MixedDataModule):
            raise UserError("a mix cannot be a part of another one: list its parts.")
        assert isinstance(part, ECGDataModule)
        return part

    @property
    def sources(self) -> dict[str, ECGDataModule]:
        """The joined sources by their names."""
        return self._sources

    def by_source(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
        """Which of these rows each source has; those that have none are not named."""
        source = self.store.source_of(rows)
        return {name: source == number for number, name in enumerate(self.sources) if (source == number).any()}

    def pack(self) -> JoinedStore:
        """The stores of all sources, packed now where they are not there."""
        return JoinedStore({name: part.store for name, part in self.sources.items()})

    @cached_property
    def store(self) -> JoinedStore:
        """The packed sources."""
        return self.pack()

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
    def _sides(self) -> dict[str, NDArray[np.int64]]:
        sides = {split: self._joined([self._rows(name, split) for name in self.sources]) for split in SPLITS}
        if self.drop_copies:
            sides["val"] = np.setdiff1d(sides["val"], self.store.copies(sides["val"], sides["test"])[:, 0])
            copies = self.store.copies(sides["train"], np.concatenate([sides["val"], sides["test"]]))
            sides["copies"] = np.unique(copies[:, 0])
            sides["train"] = np.setdiff1d(sides["train"], sides["copies"])
        sides["train"] = self.subset(sides["train"])
        return sides

    def _rows(self, name: str, split: str) -> NDArray[np.int64]:
        """The rows of one source, counted from its own first one."""
        part = self.sources[name]
        if self.leave_out is None or (name != self.leave_out and split != "test"):
            return part.rows(split)
        return np.flatnonzero(part.usable & (name == self.leave_out and split == "test"))

    def _joined(self, rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """The rows of each source as rows of the joined store."""
        return np.concatenate([own + first for own, first in zip(rows, self.store.first, strict=False)])

    def rows(self, split: str) -> NDArray[np.int64]:
        """Positions in the joined store of the recordings of ``train``, ``val`` or ``test``."""
        return self._sides[split]

    @cached_property
    def copies(self) -> NDArray[np.int64]:
        """Rows left out of training because their source, or with ``drop_copies`` another one, holds them out too."""
        own = self._joined([part.copies for part in self.sources.values()])
        return np.union1d(own, self._sides.get("copies", own))

    def draws(self, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """How likely each of these rows is drawn for training; None draws each once an epoch."""
        if self.temperature == 1 and not self.weights:
            return None
        source = self.store.source_of(rows)
        counts = np.bincount(source, minlength=len(self.sources)).astype(np.float64)
        shares = (
            np.array([self.weights.get(name, 0) for name in self.sources]) if self.weights else counts**self.temperature
        )
        each: NDArray[np.float64] = (shares / np.maximum(counts, 1))[source]
        if not each.any():
            raise UserError("data.weights: no source with a share above 0 has any recordings to train on.")
        return each

    def describe(self) -> dict[str, Any]:
        """What a run says of its data, and of each source."""
        counts = {
            split: np.bincount(self.store.source_of(self.rows(split)), minlength=len(self.sources)) for split in SPLITS
        }
        parts = {
            name: part.describe() | {"records": {split: int(count[number]) for split, count in counts.items()}}
            for number, (name, part) in enumerate(self.sources.items())
        }
        drawn = {"temperature": self.temperature, "weights": dict(self.weights), "leave_out": self.leave_out}
        return super().describe() | drawn | {"parts": parts}
