"""Which recordings, cut where, make the batches of an epoch; and the dataset that reads them in one call."""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil
from typing import NotRequired, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ecg_lightning.store import Store
from ecg_lightning.store.windows import cuts_of

Cut = NDArray[np.int64]
"""(batch, 2): a recording's row among the rows of the dataset, and the first sample of its window."""


class RawBatch(TypedDict):
    """What leaves the dataset: signals as packed, so that the little that travels to the device is int16."""

    signals: Tensor  # (batch, samples, 12) int16 microvolts
    valid: Tensor  # (batch,) samples that are signal; the rest is padding
    targets: Tensor  # (batch, terms) 1, 0, NaN
    record: Tensor  # (batch,) row in the index
    window: Tensor  # (batch,) first sample of the window
    metadata: NotRequired[Tensor]  # (batch, columns) float32 patient data, NaN where unknown


def cuts_of_process(cuts: Cut) -> Cut:
    """(cuts of the process, 2) the cuts that this process reads under distributed training; every process has equally many.

    The first cuts are repeated where their number is no multiple of the number of processes.
    """
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return cuts
    world = dist.get_world_size()
    return cuts[np.resize(np.arange(len(cuts)), -(-len(cuts) // world) * world)][dist.get_rank() :: world]


class TrainingBatches(Sampler[Cut]):
    """Every recording once an epoch in a new order, each cut at a random place; a function of seed and epoch alone.

    Args:
        lengths: (records,) samples of each recording.
        window: samples of a batch.
        batch_size: recordings a batch.
        seed: of the order and of the places.
        weights: (records,) probability weights; with them an epoch draws `len(lengths)` recordings with replacement.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        window: int,
        batch_size: int,
        seed: int,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.room = np.maximum(lengths - window, 0)
        self.batch_size, self.seed, self.weights, self.epoch = batch_size, seed, weights, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._edges(len(cuts_of_process(np.zeros((len(self.room), 2), np.int64))))) - 1

    def _edges(self, count: int) -> list[int]:
        """Where batches begin and end; a batch of one has no statistics to normalise by and joins the one before."""
        edges = [*range(0, count, self.batch_size), count]
        return edges if len(edges) < 3 or count - edges[-2] > 1 else [*edges[:-2], count]

    def __iter__(self) -> Iterator[Cut]:
        random = np.random.default_rng([self.seed, self.epoch])
        count = len(self.room)
        if self.weights is None:
            order = random.permutation(count)
        else:
            order = random.choice(count, count, p=self.weights / self.weights.sum())
        starts = (random.random(count) * (self.room[order] + 1)).astype(np.int64)
        cuts = cuts_of_process(np.stack([order, starts], axis=1))
        yield from (cuts[begin:end] for begin, end in pairwise(self._edges(len(cuts))))


class EvaluationBatches(Sampler[Cut]):
    """Every recording in order, covered by windows whose logits are averaged afterwards.

    Args:
        lengths: (records,) samples of each recording.
        window: samples of a batch.
        batch_size: windows a batch.
    """

    def __init__(self, lengths: NDArray[np.int64], window: int, batch_size: int) -> None:
        self.cuts = cuts_of(lengths.tolist(), window)
        self.batch_size = batch_size

    def __len__(self) -> int:
        return ceil(len(cuts_of_process(self.cuts)) / self.batch_size)

    def __iter__(self) -> Iterator[Cut]:
        cuts = cuts_of_process(self.cuts)
        yield from (cuts[first : first + self.batch_size] for first in range(0, len(cuts), self.batch_size))


class Recordings(Dataset[RawBatch]):
    """Some rows of a store with their targets; indexed by a whole batch of cuts.

    Args:
        store: the packed source.
        rows: (records,) positions in the store's index.
        targets: (records, terms) 1, 0 or NaN.
        window: samples of a batch.
        metadata: (records, columns) patient data; None where the network sees the signal alone.
    """

    def __init__(
        self,
        store: Store,
        rows: NDArray[np.int64],
        targets: NDArray[np.float32],
        window: int,
        metadata: NDArray[np.float32] | None = None,
    ) -> None:
        self.store, self.rows, self.window = store, rows, window
        self.metadata = None if metadata is None else torch.from_numpy(metadata)
        self.targets = torch.from_numpy(np.ascontiguousarray(targets))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, cut: Cut) -> RawBatch:
        rows, starts = self.rows[cut[:, 0]], cut[:, 1]
        signals, valid = self.store.read(rows, starts, self.window)
        places = torch.from_numpy(cut[:, 0])
        batch: RawBatch = {
            "signals": torch.from_numpy(signals),
            "valid": torch.from_numpy(valid),
            "targets": self.targets[places],
            "record": torch.from_numpy(rows),
            "window": torch.from_numpy(starts.copy()),
        }
        if self.metadata is not None:
            batch["metadata"] = self.metadata[places]
        return batch
