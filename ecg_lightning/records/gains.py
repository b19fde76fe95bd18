"""Gains of WFDB headers that contradict their own samples, and the three rules that mend them.

Every rule needs proof within the recording, so that a header that agrees with its samples is never changed. Every rule
ends at 1 µV per ADC unit, the resolution of the archives in which such headers are known.

1. *Applied already* (headers of the CinC challenge of 2020: 4880/mV). A device with ADC units of 4.88 µV was exported in
   microvolts, and the header repeats the device's resolution. Every sample is then a multiple of gain / 1000, rounded
   or cut to an integer, which no true gain brings about. aVR, aVL and aVF, computed with halves, are left out.
2. *Fitted to each lead* (LUDB 1.0.1). The gain of every lead is its own range, so that each lead spans exactly 1 mV,
   and I + III = II fails by up to 0.7 mV; for the ADC units themselves it holds to the last digit.
3. *A thousand times too high* (PTB and INCART in the headers of 2020: 2000000/mV, 306000/mV). With such a gain the 65536
   values of a sample span less than the 0.3 mV of the smallest recording.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.leads import lead_name

MICROVOLT_GAIN = 1000.0  # ADC units per millivolt
# Range of a lead in mV, the median of the leads: in 3,300 recordings of eleven archives it lies between 0.47 and 50.
_PLAUSIBLE = (0.3, 50.0)
_LEAST_MULTIPLE = 3.0  # below, too many integers are multiples to within their rounding
_AUGMENTED = ("aVR", "aVL", "aVF")


def are_contradicted(adc_units: NDArray[np.int16], gains: NDArray[np.float64], names: Sequence[str]) -> bool:
    """Whether the samples prove that the header's gains are wrong and that an ADC unit is 1 µV.

    Args:
        adc_units: (samples, leads) as stored.
        gains: (leads,) ADC units per millivolt.
        names: lead names.
    """
    equal_gains = bool(np.all(gains == gains[0]))
    if equal_gains and gains[0] < _LEAST_MULTIPLE * MICROVOLT_GAIN:
        return False
    ranges = adc_units.max(axis=0).astype(np.float64) - adc_units.min(axis=0)
    if not _PLAUSIBLE[0] <= np.median(ranges) / MICROVOLT_GAIN <= _PLAUSIBLE[1]:
        return False
    if not equal_gains:
        return bool(np.all(ranges == gains))
    if 2**16 / gains[0] < _PLAUSIBLE[0]:
        return True
    size = gains[0] / MICROVOLT_GAIN
    original_leads = adc_units[:, [i for i, name in enumerate(names) if lead_name(name) not in _AUGMENTED]]
    return bool(np.all(np.abs(np.rint(original_leads / size) * size - original_leads) < 1))
