"""How a recording that is longer than a network's input is covered by windows."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def windows_of(length: int, window: int) -> list[int]:
    """First samples of the fewest windows that cover a recording; the last window ends with the recording.

    >>> windows_of(1000, 1000), windows_of(2500, 1000), windows_of(700, 1000)
    ([0], [0, 750, 1500], [0])
    """
    count = max(1, -(-length // window))
    return [round(k * (length - window) / (count - 1)) for k in range(count)] if count > 1 else [0]


def cuts_of(lengths: Iterable[int], window: int) -> NDArray[np.int64]:
    """(windows, 2) the windows that cover several recordings: each one's recording, counted from 0, and its first sample.

    Args:
        lengths: samples of each recording.
        window: samples of a window.

    >>> cuts_of([700, 1500], 1000).tolist()
    [[0, 0], [1, 0], [1, 500]]
    """
    cuts = [(row, start) for row, length in enumerate(lengths) for start in windows_of(length, window)]
    return np.array(cuts, np.int64).reshape(-1, 2)
