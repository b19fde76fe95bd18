"""Two dangers of DICOM waveforms: padding with 0, which is a sample, and compressed files."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.record import RecordError

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META = 4096  # bytes in which the transfer syntax stands


@contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Collects warnings in place of printing them; pydicom also logs them, with values that may be names."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield caught
    finally:
        logger.setLevel(level)


def check_compression(data: bytes) -> None:
    """Refuses a file that is compressed as a whole, since a small one of them may fill the memory.

    Raises:
        RecordError: "unsupported format".
    """
    if _DEFLATED in data[:_META]:
        raise RecordError("unsupported format: a compressed DICOM file (deflated); export it without compression")


def padded_with_zero(path: Path, samples: int) -> bool:
    """Whether the group with this number of samples says that padding is 0.

    Programs write 0 there without padding anything. Then a 0 in the middle of a wave is a sample, not a gap.
    """
    import pydicom

    with quiet():
        groups: Any = pydicom.dcmread(path).get("WaveformSequence") or []
        sizes = [int(group.get("NumberOfWaveformSamples") or 0) for group in groups]
        padding = groups[sizes.index(samples)].get("WaveformPaddingValue") if samples in sizes else None
    return isinstance(padding, bytes) and len(padding) > 0 and not padding.strip(b"\0")


def with_zeros(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Samples with 0 in place of NaN; in the units of the file."""
    return np.nan_to_num(samples, nan=0.0)
