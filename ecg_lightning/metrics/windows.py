"""From the windows of a recording to one answer for the recording."""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.metrics.pairs import Floats


def average_windows(logits: Floats, records: NDArray[np.int64]) -> Floats:
    """(records, terms) the mean logits over the windows of each recording, in ascending order of the recordings.

    Args:
        logits: (windows, terms).
        records: (windows,) the recording of each window, in ascending order.

    >>> average_windows(np.array([[1.0], [2.0], [4.0]]), np.array([0, 3, 3])).tolist()
    [[1.0], [3.0]]
    """
    _, first, counts = np.unique(records, return_index=True, return_counts=True)
    return np.add.reduceat(logits, first, axis=0) / counts[:, None]
