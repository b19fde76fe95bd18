"""From a store back to a recording, and to all that its codes say."""

import numpy as np

from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.metadata import number_columns
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.records import Record
from ecg_lightning.store.joined import JoinedStore


def record_of(data: PackedDataModule, row: int) -> Record:
    """Returns a packed recording, with its patient data and flags, in millivolts."""
    store, entry = data.store, data.store.index.iloc[row]
    microvolts, _ = store.read(np.array([row]), np.zeros(1, np.int64), int(store.lengths[row]))
    return Record(
        np.ascontiguousarray(microvolts[0].T, np.float32) / np.float32(1000),
        float(store.sampling_rate),
        age=float(entry["age"]),
        sex=str(entry["sex"]),
        quality=tuple(flag for flag in str(entry["quality"]).split("|") if flag),
        numbers={name: float(entry[name]) for name in number_columns(store.index)},
    )


def stated_terms(data: PackedDataModule, row: int) -> list[str]:
    """Returns every term of the vocabulary that a packed recording's codes state, whatever the label space has."""
    part: PackedDataModule = data
    if isinstance(data.store, JoinedStore):
        number = int(data.store.source_of(np.array([row]))[0])
        part, row = list(data.sources.values())[number], row - int(data.store.first[number])
    if not isinstance(part, ECGDataModule):
        return []
    entry = part.store.index.iloc[[row]]
    [annotator] = part.annotators(entry)
    return sorted(part.annotation(str(entry["codes"].iloc[0]), str(annotator)).positive)
