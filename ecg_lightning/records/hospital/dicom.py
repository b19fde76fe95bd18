"""Two dangers of DICOM waveforms: padding with 0, which is a sample, and compressed files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.record import RecordError

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META = 4096  # bytes in which the transfer syntax stands


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

    groups: Any = pydicom.dcmread(path).get("WaveformSequence") or []
    for group in groups:
        if int(group.get("NumberOfWaveformSamples") or 0) == samples:
            padding = group.get("WaveformPaddingValue")
            return isinstance(padding, bytes) and len(padding) > 0 and not padding.strip(b"\0")
    return False


def with_zeros(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Samples with 0 in place of NaN; in the units of the file."""
    return np.nan_to_num(samples, nan=0.0)
