"""Several stores read as one: the recordings of one source after those of another."""

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.records import LEADS
from ecg_lightning.records.fingerprints import matching_pairs
from ecg_lightning.store import Store

UNNAMED = "folder"
"""The source of a user's own recordings that has no name."""


class JoinedStore(Store):
    """The stores of several sources with the interface of one. Their signals stay in their own files.

    In its index a recording's id begins with the name of its source (`georgia/E00001`), so that equal numbers of two archives
    stay apart. A patient's id begins with the archive, so that the same archive twice has the same patients; for a user's own
    recordings, which have no archive, with the name of the source.

    Args:
        stores: at least one, by the name of the source; all of one sampling rate.
    """

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self.stores = dict(stores)
        parts = list(self.stores.values())
        self.path = parts[0].path.parent
        self.sampling_rate = parts[0].sampling_rate
        self.sha256 = sha256("".join(store.sha256 for store in parts).encode()).hexdigest()
        rejected = sum(int(store.meta["rejected"]) for store in parts)
        self.meta = {"source": "mixed", "sampling_rate": self.sampling_rate, "rejected": rejected}
        self.first = np.cumsum([0, *map(len, parts)])
        """(sources + 1,) the row at which each source begins."""
        self.index = pd.concat(
            [_index_of(store, name) for name, store in self.stores.items()], join="inner", ignore_index=True
        )
        self._lengths = np.concatenate([store.lengths for store in parts])

    def __reduce__(self) -> tuple[type[Store], tuple[Any, ...]]:
        return JoinedStore, (self.stores,)

    def source_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(rows,) the number of each row's source."""
        return np.searchsorted(self.first, rows, side="right") - 1

    @cached_property
    def fingerprints(self) -> NDArray[np.int8]:
        """(recordings, 256) int8, see `Store.fingerprints`."""
        return np.concatenate([store.fingerprints for store in self.stores.values()])

    @property
    def rejected(self) -> pd.DataFrame:
        """The recordings that were set aside: record_id, file, reason."""
        each = [
            store.rejected.assign(record_id=name + "/" + store.rejected["record_id"])
            for name, store in self.stores.items()
        ]
        return pd.concat(each, ignore_index=True)

    def verify(self) -> None:
        """Compares the hash of every file of every store with that of what was packed, see `Store.verify`."""
        for store in self.stores.values():
            store.verify()

    def copies_between(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """(pairs, 2) a row of `first` and a row of `second` that hold the same recording."""
        pairs = matching_pairs(self.fingerprints[first], self.fingerprints[second])
        return np.stack([first[pairs[:, 0]], second[pairs[:, 1]]], axis=1)

    def read(
        self, rows: NDArray[np.int64], starts: NDArray[np.int64], length: int
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Slices of many recordings at once, see `Store.read`."""
        batch = np.empty((len(rows), length, len(LEADS)), np.int16)
        valid = np.empty(len(rows), np.int64)
        source = self.source_of(rows)
        for number, store in enumerate(self.stores.values()):
            of_source = source == number
            if of_source.any():
                first_row = self.first[number]
                batch[of_source], valid[of_source] = store.read(rows[of_source] - first_row, starts[of_source], length)
        return batch, valid


def _index_of(store: Store, name: str) -> pd.DataFrame:
    """The index of a source, whose ids begin with its name."""
    patient = store.index["patient_id"]
    archive = store.meta["source"] if store.meta["source"] != UNNAMED else name
    return store.index.drop(columns="offset").assign(
        source=name,
        record_id=name + "/" + store.index["record_id"].astype(str),
        patient_id=(archive + "/" + patient).where(patient != "", ""),
    )
