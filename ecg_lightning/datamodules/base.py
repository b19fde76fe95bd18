"""One source of recordings: where its files are, how one is read, what its codes mean; packed once into a store."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.datamodules.rows import CheckedReader
from ecg_lightning.datamodules.splits import folds
from ecg_lightning.errors import UserError
from ecg_lightning.labels import Annotation, annotated_by, translate
from ecg_lightning.ranges import FOLDS
from ecg_lightning.store import Store, store_root
from ecg_lightning.store.pack import Reader, key_of, pack
from ecg_lightning.store.source_files import look_at


class NothingReadable(UserError):
    """A source of which every recording was set aside."""


@dataclass(eq=False, repr=False)
class ECGDataModule(PackedDataModule):
    """Base of every source: a subclass says where its files are, how one is read, and what its codes mean.

    A source names itself (`source = "georgia"`) and its code system (`system = "scp"`), and defines `table` and `reader`.
    Its class may define `annotated`; otherwise labels/annotated.yaml has a list of the terms that the source annotates.
    """

    # What a source defines -------------------------------------------------------------------------------------------

    @property
    def system(self) -> str:
        """The code system of the source's own codes."""
        return "snomed"

    def table(self) -> pd.DataFrame:
        """One row a recording: `record_id`, `file` (relative to root), and what the archive's table says of it.

        Columns of the index (`pack.INDEX`) win over what the reader returns; the index keeps all other columns too.
        """
        raise NotImplementedError

    def reader(self) -> Reader:
        """A picklable function from a row of the table to a Record."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """Options of the reader that change what is packed."""
        return {}

    def reads_outside_root(self) -> bool:
        """Whether the table may name files outside root."""
        return False

    def files(self, table: pd.DataFrame) -> Iterable[str | Path]:
        """The signal files of the table, whose sizes and times are part of the store's key."""
        return [self.folder / file for file in table["file"]]

    def annotation(self, codes: str, source: str) -> Annotation:
        """What the codes of a recording say, in terms. A recording without a code is not annotated: all its terms are open.

        Args:
            codes: as in the index, joined by `|`.
            source: of `annotators`, whose codes they are.
        """
        if not codes:
            return Annotation(uncertain=self.annotated(source))
        return translate(self.system, [code for code in codes.split("|") if code], source)

    def annotators(self, index: pd.DataFrame) -> NDArray[np.object_]:
        """(records,) by whom each recording was annotated: the name of this source, or of a part of it that `annotated` knows."""
        return np.full(len(index), self.source, object)

    def annotated(self, source: str) -> frozenset[str]:
        """The terms that a source of `annotators` annotates, by default as in labels/annotated.yaml; all others are NaN."""
        return annotated_by(source)

    def keep(self, index: pd.DataFrame) -> NDArray[np.bool_]:
        """(records,) which recordings of the store take part, by the options of the source."""
        return np.ones(len(index), bool)

    # What every source shares ----------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The archive's folder.

        Raises:
            UserError: where it is not given or not there.
        """
        if self.root is None:
            raise UserError(f"data.root is missing: the folder of {self.source} as distributed.")
        path = Path(self.root).expanduser()
        if not path.is_dir():
            raise UserError(
                f"data.root: there is no folder '{self.root}'. {self.source} is expected there as distributed; "
                "`prepare --download` fetches a public archive."
            )
        return path

    def pack(self) -> Store:
        """The source's store, packed now if it is not there."""
        table, options = self.table(), self.options() | {"sampling_rate": self.sampling_rate}
        files = look_at(self.files(table))
        key = key_of(self.source, table, files, options)
        path = store_root(self.store_dir) / f"{self.source}-{self.sampling_rate}hz-{key}"
        facts = {"source": self.source, "options": options}
        reader = CheckedReader(self.reader(), self.reads_outside_root())
        return pack(path, table, reader, self.sampling_rate, facts, self.pack_workers, files)

    @cached_property
    def store(self) -> Store:
        """The packed source.

        Raises:
            NothingReadable: where every recording was set aside.
        """
        store = self.pack()
        if not len(store):
            reasons = Counter(str(reason).partition(":")[0] for reason in store.rejected["reason"])
            reasons_and_counts = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(5))
            raise NothingReadable(
                f"{self.source}: none of its {len(store.rejected):,} recordings could be read: {reasons_and_counts}. Are the signal "
                f"files in data.root '{self.root}'? Each one's reason is in {store.path / 'rejected.csv'}."
            )
        return store

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """(records of the store, terms) 1, 0 or NaN."""
        index = self.store.index
        targets = np.full((len(index), len(self.space)), np.nan, np.float32)
        annotators = self.annotators(index)
        for source in np.unique(annotators.astype(str)):
            rows = np.flatnonzero(annotators == source)
            codes = index["codes"].to_numpy()[rows]
            annotation_of = {text: self.annotation(text, source) for text in np.unique(codes.astype(str))}
            annotations = [annotation_of[text] for text in codes]
            targets[rows] = self.space.encode(
                [annotation.positive for annotation in annotations],
                self.annotated(source),
                [annotation.uncertain for annotation in annotations],
            )
        return targets

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """(records of the store,) fold of each recording, 1 … 10."""
        return folds(self.store.index, self.store.twins)

    @cached_property
    def is_kept(self) -> NDArray[np.bool_]:
        """(records of the store,) which recordings take part, by the options of the source."""
        return self.keep(self.store.index)

    def select(self, split: str) -> NDArray[np.int64]:
        """The usable rows of one split; of `train` without copies of recordings that are held out."""
        if split == "train":
            rows = self._rows_of_folds(self._train_folds)
            return self.subset(rows if self.allow_leak else np.setdiff1d(rows, self.copies))
        return self._rows_of_folds({"val": self.val_folds, "test": self.test_folds}[split])

    @cached_property
    def copies(self) -> NDArray[np.int64]:
        """(copies,) rows of the training folds that hold the same recording as a row of the validation or test folds."""
        held_out = self._rows_of_folds([*self.val_folds, *self.test_folds])
        return np.unique(self.store.copies(self._rows_of_folds(self._train_folds), held_out)[:, 0])

    @property
    def _train_folds(self) -> list[int]:
        return [fold for fold in range(1, FOLDS + 1) if fold not in (*self.val_folds, *self.test_folds)]

    def _rows_of_folds(self, chosen_folds: list[int]) -> NDArray[np.int64]:
        return np.flatnonzero(self.usable & np.isin(self.folds, chosen_folds))
