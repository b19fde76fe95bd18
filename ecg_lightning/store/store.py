"""A source packed once into plain arrays, read at memory speed.

A store is a folder: `signals.bin` (int16 microvolts, time-major, recordings of any length one after another),
`index.parquet` (one row a recording), `fingerprints.npy` (by which a recording is known in another archive),
`copies.npy` (pairs of rows that hold the same recording), `rejected.csv`, and `meta.json` with the size and hash of
each. It appears under its name only when it is complete.

Sizes and counts are checked when it is opened; the hash of each file when that file is read, and of the signals by `verify`. No file of a store names code or another file.
"""

import hashlib
import os
import weakref
from collections.abc import Callable
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.errors import UserError, one_line
from ecg_lightning.files import parse_json
from ecg_lightning.records import LEADS
from ecg_lightning.records.fingerprints import SIZE
from ecg_lightning.store.part import INDEX, SAMPLE, hash_of
from ecg_lightning.store.sealed import unseal

FORMAT = 7
"""Version of the layout on disk; it is part of every store's key."""
FILES = ("signals.bin", "index.parquet", "fingerprints.npy", "copies.npy", "rejected.csv")

T = TypeVar("T")


def store_root(folder: str | None = None) -> Path:
    """The folder of all stores: `folder`, else `$ECG_STORE`, else `~/.cache/ecg_lightning`."""
    return Path(folder or os.environ.get("ECG_STORE") or Path.home() / ".cache" / "ecg_lightning").expanduser()


class Store:
    """A packed source, opened for reading.

    Attributes:
        path: the store's folder.
        index: one row a recording: record_id, patient_id, age, sex, date, site, codes (joined by `|`), fold, file,
            offset and length (in samples), original_rate (Hz), quality (flags joined by `|`).
        sampling_rate: Hz.
        sha256: of signals and index; equal wherever the same recordings were packed with the same options.

    Raises:
        UserError: where the folder is no store, is of another layout, or is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.meta = self._read_meta()
        for name in FILES:
            self._check_size(name)
        self.index = self._load("index.parquet", pd.read_parquet)
        self._offsets, self._lengths = self._load_places()
        # Read with preadv, not memory-mapped: where the file is cut off or its disk fails, this raises an error, whereas a map
        # would kill the process by a signal. It is at least as fast.
        self._file = os.open(self.path / "signals.bin", os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def _read_meta(self) -> dict[str, Any]:
        try:
            text = (self.path / "meta.json").read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(
                f"{self.path.absolute()} is not a store: it has no meta.json. If `prepare` made it, it is damaged: remove "
                "it and run the command again. Otherwise pack the source with `prepare`."
            ) from error
        try:
            version = parse_json(text).get("format")
            if version != FORMAT:
                raise UserError(
                    f"The store {self.path.absolute()} has layout {version}, and this version reads layout {FORMAT}. "
                    "Pack the source again with `prepare`."
                )
            meta = unseal(text)
            self.sampling_rate, self.sha256 = int(meta["sampling_rate"]), str(meta["sha256"])
            self._sizes = {name: int(meta["files"][name]["bytes"]) for name in FILES}
            self._hashes = {name: str(meta["files"][name]["sha256"]) for name in FILES}
            self._records, meta["rejected"] = int(meta["records"]), int(meta["rejected"])
        except (ValueError, TypeError, KeyError) as error:
            raise self._damaged(f"meta.json cannot be understood ({one_line(error, 100)})") from error
        return meta

    def _check_size(self, name: str) -> None:
        try:
            size = os.stat(self.path / name).st_size
        except FileNotFoundError as error:
            raise self._damaged(f"{name} is missing") from error
        if size != self._sizes[name]:
            raise self._damaged(f"{name} has {size:,} bytes, and {self._sizes[name]:,} were packed")

    def _load(self, name: str, parse: Callable[[BytesIO], T]) -> T:
        """Parses a small file after its hash was compared."""
        data = (self.path / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != self._hashes[name]:
            raise self._damaged(f"{name} has changed since packing")
        try:
            return parse(BytesIO(data))
        except Exception as error:
            raise self._damaged(f"{name} cannot be understood ({one_line(error, 100)})") from error

    def _load_array(self, name: str, dtype: type[np.generic], width: int) -> NDArray[Any]:
        """A (rows, width) array; never an object, which could be of any class."""
        array: NDArray[Any] = self._load(name, lambda file: np.load(file, allow_pickle=False))
        if array.dtype != dtype or array.ndim != 2 or array.shape[1] != width:
            raise self._damaged(f"{name} holds an array of another kind")
        return array

    def _load_places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First sample and length of each recording, which must lie within the signals."""
        if missing := [column for column in INDEX if column not in self.index]:
            raise self._damaged(f"index.parquet has no column {missing[0]}")
        if len(self.index) != self._records:
            raise self._damaged(f"index.parquet has {len(self.index):,} recordings, and {self._records:,} were packed")
        try:
            offsets, lengths = (self.index[name].to_numpy(np.int64) for name in ("offset", "length"))
        except (ValueError, TypeError) as error:
            raise self._damaged(f"index.parquet cannot be understood ({one_line(error, 100)})") from error
        samples = self._sizes["signals.bin"] // SAMPLE
        if ((offsets < 0) | (lengths < 0) | (offsets > samples - lengths)).any():
            raise self._damaged("index.parquet names samples that signals.bin does not have")
        return offsets, lengths

    def _damaged(self, detail: str) -> UserError:
        return UserError(
            f"The store {self.path.absolute()} is damaged: {detail}. Remove that folder and run the command again: the source "
            "is packed again."
        )

    def verify(self) -> None:
        """Compares the hash of every file with that of what was packed.

        Raises:
            UserError: which files differ.
        """
        if changed := [name for name in FILES if hash_of(self.path / name) != self._hashes[name]]:
            raise self._damaged(f"{', '.join(changed)} {'has' if len(changed) == 1 else 'have'} changed since packing")

    def __len__(self) -> int:
        return len(self.index)

    def __reduce__(self) -> tuple[type["Store"], tuple[Any, ...]]:
        return Store, (self.path,)  # a worker process opens the file itself

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Samples of each recording."""
        return self._lengths

    @property
    def signals(self) -> NDArray[np.int16]:
        """(samples of all recordings, 12) int16 microvolts, memory-mapped, to look at them; batches come from `read`."""
        if not self._sizes["signals.bin"]:
            return np.empty((0, len(LEADS)), np.int16)
        return np.memmap(self.path / "signals.bin", np.int16, mode="r").reshape(-1, len(LEADS))

    @cached_property
    def fingerprints(self) -> NDArray[np.int8]:
        """(recordings, 256) int8, to find a recording in another archive (see `records.fingerprints`)."""
        fingerprints = self._load_array("fingerprints.npy", np.int8, SIZE)
        if len(fingerprints) != len(self):
            raise self._damaged(
                f"fingerprints.npy has {len(fingerprints):,} rows, and {len(self):,} recordings were packed"
            )
        return fingerprints

    @cached_property
    def copy_pairs(self) -> NDArray[np.int64]:
        """(pairs, 2) rows of recordings that the source holds twice, under two ids."""
        pairs = self._load_array("copies.npy", np.int64, 2)
        if ((pairs < 0) | (pairs >= len(self))).any():
            raise self._damaged("copies.npy names rows that the index does not have")
        return pairs

    def copies_between(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """(pairs, 2) a row of `first` and a row of `second` that hold the same recording."""
        pairs = np.concatenate([self.copy_pairs, self.copy_pairs[:, ::-1]])
        return pairs[np.isin(pairs[:, 0], first) & np.isin(pairs[:, 1], second)]

    @property
    def rejected(self) -> pd.DataFrame:
        """The recordings that were set aside: record_id, file, reason."""
        return self._load("rejected.csv", lambda file: pd.read_csv(file, dtype=str, keep_default_na=False))

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

        Raises:
            UserError: where the signals were cut off while the store was open.
        """
        first = self._offsets[rows] + starts
        valid = np.minimum(length, self._lengths[rows] - starts)
        batch = np.empty((len(rows), length, len(LEADS)), np.int16)
        for item, begin, count in zip(batch, first.tolist(), valid.tolist(), strict=True):
            if os.preadv(self._file, [item[:count].data], begin * SAMPLE) != count * SAMPLE:
                raise self._damaged("signals.bin was cut off while it was open")
            item[count:] = 0
        return batch, valid


def summary(store: Store) -> dict[str, float | int]:
    """Records, patients, hours and rejected recordings of a store."""
    has_patient = store.index["patient_id"] != ""
    return {
        "records": len(store),
        "patients": int(store.index.loc[has_patient, "patient_id"].nunique()) + int((~has_patient).sum()),
        "hours": round(float(store.lengths.sum()) / store.sampling_rate / 3600, 2),
        "rejected": int(store.meta["rejected"]),
    }


def format_of(path: Path) -> int:
    """The layout of the store in a folder; 0 where it does not say one."""
    try:
        return int(parse_json((path / "meta.json").read_bytes())["format"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0
