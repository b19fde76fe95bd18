"""A source packed once into memory-mapped arrays, read at memory speed.

A store is a folder: ``signals.bin`` (int16, 1 µV a step, time-major, recordings of any length one after another),
``index.parquet`` (one row a recording), ``content.npy`` (descriptors that recognise a recording elsewhere),
``twins.npy`` (pairs of rows that hold the same recording), ``rejected.csv`` and ``meta.json``. It appears under its name
only when it is complete.
"""

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS

FORMAT = 6
"""Version of the layout on disk; it is part of every store's key."""


def store_root(folder: str | None = None) -> Path:
    """Where stores lie: the given folder, else ``$ECG_STORE``, else ``~/.cache/ecg_lightning``."""
    return Path(folder or os.environ.get("ECG_STORE") or Path.home() / ".cache" / "ecg_lightning").expanduser()


class Store:
    """A packed source, opened for reading.

    Attributes:
        path: the store's folder.
        index: one row a recording: record_id, patient_id, age, sex, date, site, codes (joined by ``|``), fold, file,
            offset and length (in samples), original_rate (Hz), quality (flags joined by ``|``).
        signals: (samples of all recordings, 12) int16, 1 µV a step, memory-mapped.
        sampling_rate: Hz.
        fingerprint: hash of signals and index; equal wherever the same recordings were packed with the same options.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.meta: dict[str, Any] = json.loads((self.path / "meta.json").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UserError(
                f"{self.path} is not a store: it has no meta.json. Pack the source with `prepare`."
            ) from error
        self.index = pd.read_parquet(self.path / "index.parquet")
        self.sampling_rate: int = self.meta["sampling_rate"]
        self.fingerprint: str = self.meta["fingerprint"]
        file = self.path / "signals.bin"
        self.signals: NDArray[np.int16] = (
            np.memmap(file, np.int16, mode="r").reshape(-1, len(LEADS))
            if file.stat().st_size
            else np.empty((0, len(LEADS)), np.int16)
        )
        self._offsets = self.index["offset"].to_numpy(np.int64)
        self._lengths = self.index["length"].to_numpy(np.int64)

    def __len__(self) -> int:
        return len(self.index)

    def __reduce__(self) -> tuple[type["Store"], tuple[Any, ...]]:
        return Store, (self.path,)  # a worker process maps the file itself

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Samples of each recording."""
        return self._lengths

    @property
    def content(self) -> NDArray[Any]:
        """One descriptor a recording, for finding it again in another archive (see ``records.fingerprints``)."""
        found: NDArray[Any] = np.load(self.path / "content.npy", mmap_mode="r")
        return found

    @cached_property
    def twins(self) -> NDArray[np.int64]:
        """(pairs, 2) rows of recordings that the source holds twice, under two ids."""
        found: NDArray[np.int64] = np.load(self.path / "twins.npy")
        return found

    def copies(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """(pairs, 2) a row of ``first`` and a row of ``second`` that hold the same recording."""
        pairs = np.concatenate([self.twins, self.twins[:, ::-1]])
        return pairs[np.isin(pairs[:, 0], first) & np.isin(pairs[:, 1], second)]

    @property
    def rejected(self) -> pd.DataFrame:
        """The recordings that were set aside: record_id, file, reason."""
        return pd.read_csv(self.path / "rejected.csv", dtype=str, keep_default_na=False)

    def read(
        self, rows: NDArray[np.int64], starts: NDArray[np.int64], length: int
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Slices of many recordings at once.

        Args:
            rows: (batch,) positions in the index.
            starts: (batch,) first samples, counted from each recording's own start.
            length: samples to read; where a recording ends earlier, the rest is zero.

        Returns:
            (batch, length, 12) int16, and (batch,) the number of valid samples of each slice.
        """
        first = self._offsets[rows] + starts
        valid = np.minimum(length, self._lengths[rows] - starts)
        batch = np.empty((len(rows), length, len(LEADS)), np.int16)
        signals = self.signals
        for item, begin, count in zip(batch, first.tolist(), valid.tolist(), strict=True):
            item[:count] = signals[begin : begin + count]
            item[count:] = 0
        return batch, valid


def summary(store: Store) -> dict[str, float | int]:
    """Records, patients, hours and rejected recordings of a store."""
    known = store.index["patient_id"] != ""
    return {
        "records": len(store),
        "patients": int(store.index.loc[known, "patient_id"].nunique()) + int((~known).sum()),
        "hours": round(float(store.lengths.sum()) / store.sampling_rate / 3600, 2),
        "rejected": int(store.meta["rejected"]),
    }
