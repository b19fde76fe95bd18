"""What one exported file says: samples in millivolts and what is known of the patient, before the leads are put in order."""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Export:
    """The recording of one file.

    Attributes:
        names: of the leads, as the file has them.
        signal: (leads, samples); millivolts where `has_unit`, else as they are stored.
        sampling_rate: Hz, exact.
        has_unit: whether the file states the unit of its samples.
        patient_id: "" where it is unknown.
        age: years, NaN where it is unknown.
        sex: F, M or "".
        date: ISO 8601, "" where it is unknown.
        statements: the diagnoses that the device or a physician wrote, without names.
        flags: what was odd.
        truncation: in which way the end of the recording is missing; "" where it is whole.
    """

    names: tuple[str, ...]
    signal: NDArray[np.float64]
    sampling_rate: float
    has_unit: bool = True
    patient_id: str = ""
    age: float = nan
    sex: str = ""
    date: str = ""
    statements: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    truncation: str = ""
