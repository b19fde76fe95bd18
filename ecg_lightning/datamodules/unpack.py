"""From a store back to a recording."""

import numpy as np

from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.records import Record


def record_of(data: PackedDataModule, row: int) -> Record:
    """Returns a packed recording, with age, sex and flags, in millivolts."""
    store, entry = data.store, data.store.index.iloc[row]
    microvolts, _ = store.read(np.array([row]), np.zeros(1, np.int64), int(store.lengths[row]))
    return Record(
        np.ascontiguousarray(microvolts[0].T, np.float32) / np.float32(1000),
        float(store.sampling_rate),
        age=float(entry["age"]),
        sex=str(entry["sex"]),
        quality=tuple(flag for flag in str(entry["quality"]).split("|") if flag),
    )
