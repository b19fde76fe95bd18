"""Several stores read as one: the recordings of one source after those of another."""

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.records import LEADS
from ecg_lightning.records.fingerprints import matches
from ecg_lightning.store import Store

UNNAMED = "folder"
"""The source of a hospital of one's own that has been given no name."""


class JoinedStore(Store):
    """The stores of several sources with the interface of one; their signals stay where they are.

    In its index a recording's id and a patient's id begin with the source (``georgia/E00001``), so that equal numbers of two
    archives stay apart; patients by the archive, so that the same archive twice has the same patients. Hospitals of your
    own that have no name are told apart by their order.

    Args:
        stores: at least one, by the name of the source; all of one sampling rate.
    """

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self.stores = dict(stores)
        parts = list(self.stores.values())
        self.path = parts[0].path.parent
        self.sampling_rate = parts[0].sampling_rate
        self.fingerprint = sha256("".join(store.fingerprint for store in parts).encode()).hexdigest()
        rejected = sum(int(store.meta["rejected"]) for store in parts)
        self.meta = {"source": "mixed", "sampling_rate": self.sampling_rate, "rejected": rejected}
        self.first = np.cumsum([0, *map(len, parts)])
        """(sources + 1,) the row at which each source begins."""
        self.index = pd.concat(
            [_named(store, name) for name, store in self.stores.items()], join="inner", ignore_index=True
        )
        self._lengths = np.concatenate([store.lengths for store in parts])

    def __reduce__(self) -> tuple[type[Store], tuple[Any, ...]]:
        return JoinedStore, (self.stores,)

    def source_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(rows,) the number of each row's source."""
        return np.searchsorted(self.first, rows, side="right") - 1

    @cached_property
    def content(self) -> NDArray[Any]:
        """One descriptor a recording."""
        return np.concatenate([store.content for store in self.stores.values()])

    @property
    def rejected(self) -> pd.DataFrame:
        """The recordings that were set aside: record_id, file, reason."""
        each = [
            store.rejected.assign(record_id=name + "/" + store.rejected["record_id"])
            for name, store in self.stores.items()
        ]
        return pd.concat(each, ignore_index=True)

    def verify(self) -> None:
        """Compares the hash of every file of every store with that of what was packed, see ``Store.verify``."""
        for store in self.stores.values():
            store.verify()

    def copies(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """(pairs, 2) a row of ``first`` and a row of ``second`` that hold the same recording."""
        pairs = matches(self.content[first], self.content[second])
        return np.stack([first[pairs[:, 0]], second[pairs[:, 1]]], axis=1)

    def read(
        self, rows: NDArray[np.int64], starts: NDArray[np.int64], length: int
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Slices of many recordings at once, see ``Store.read``."""
        batch = np.empty((len(rows), length, len(LEADS)), np.int16)
        valid = np.empty(len(rows), np.int64)
        source = self.source_of(rows)
        for number, store in enumerate(self.stores.values()):
            mine = source == number
            if mine.any():
                batch[mine], valid[mine] = store.read(rows[mine] - self.first[number], starts[mine], length)
        return batch, valid


def _named(store: Store, name: str) -> pd.DataFrame:
    patient = store.index["patient_id"]
    archive = store.meta["source"] if store.meta["source"] != UNNAMED else name
    return store.index.drop(columns="offset").assign(
        source=name,
        record_id=name + "/" + store.index["record_id"].astype(str),
        patient_id=(archive + "/" + patient).where(patient != "", ""),
    )
