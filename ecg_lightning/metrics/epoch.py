"""The outputs of a network for a whole data set: one row a record, however many windows and processes."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from ecg_lightning.metrics.pairs import Floats
from ecg_lightning.metrics.windows import average_windows


class RecordOutputs(NamedTuple):  # not a frozen dataclass: torchmetrics refuses to return one
    """Logits and targets with one row a record, in ascending order of record."""

    logits: Floats  # (records, terms), the mean over the record's windows
    targets: Floats  # (records, terms), NaN where not annotated
    records: NDArray[np.int64]  # (records,), the record's index in the data set


class OutputCollector(Metric):
    """Collects logits and targets on their device; `compute` gathers them from all processes as `RecordOutputs`.

    Distributed samplers repeat records to give each process the same number: a window that comes twice counts once.
    """

    full_state_update = False
    logits: list[Tensor]
    targets: list[Tensor]
    records: list[Tensor]
    windows: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("logits", "targets", "records", "windows"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, logits: Tensor, targets: Tensor, records: Tensor, windows: Tensor | None = None) -> None:
        """Adds a batch.

        Args:
            logits: (batch, terms).
            targets: (batch, terms).
            records: the index of the record that each row was cut from, (batch,).
            windows: which of the record's windows each row is, (batch,); all 0 where None.

        Raises:
            ValueError: when the shapes do not fit together.
        """
        windows = torch.zeros_like(records) if windows is None else windows
        if logits.ndim != 2 or targets.shape != logits.shape:
            raise ValueError(
                f"logits have the shape {tuple(logits.shape)} and targets {tuple(targets.shape)}: "
                "both must be (batch, terms)"
            )
        if not records.shape == windows.shape == logits.shape[:1]:
            raise ValueError(
                f"records have the shape {tuple(records.shape)} and windows {tuple(windows.shape)}: "
                f"both must be {tuple(logits.shape[:1])}, one index a row of the logits"
            )
        self.logits.append(logits.detach() if logits.dtype == torch.float64 else logits.detach().float())
        self.targets.append(targets.detach().float())
        self.records.append(records.long())
        self.windows.append(windows.long())

    def compute(self) -> RecordOutputs:
        """Returns the epoch's outputs, the same in every process.

        Raises:
            ValueError: when no batch was added.
        """
        logits, targets = (dim_zero_cat(rows).double().cpu().numpy() for rows in (self.logits, self.targets))
        records, windows = (dim_zero_cat(indices).cpu().numpy() for indices in (self.records, self.windows))
        _, distinct = np.unique(np.stack([records, windows]), axis=1, return_index=True)  # by record, then window
        means = average_windows(logits[distinct], records[distinct])
        records, first = np.unique(records[distinct], return_index=True)
        return RecordOutputs(means, targets[distinct][first], records)
