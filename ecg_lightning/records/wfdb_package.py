"""WFDB recordings that the wfdb package reads: formats 8, 80, 212, 24, 32, FLAC, several files, segments, or frames."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ecg_lightning.records.files import check_file, check_numbers
from ecg_lightning.records.leads import lead_name
from ecg_lightning.records.record import RecordError
from ecg_lightning.records.units import millivolts
from ecg_lightning.records.wfdb_header import Header

_NO_FILE = "~"


@dataclass(frozen=True)
class Physical:
    """What wfdb makes of a record: each signal in its own unit and with its own number of samples."""

    signals: Sequence[NDArray[np.floating[Any]]]
    names: Sequence[str]
    units: Sequence[str]
    frame_rate: float  # Hz
    frames: int


def read_with_wfdb(stem: str, headers: Sequence[Header]) -> Physical:
    """Reads all signals of a recording.

    Args:
        stem: of its files, without a suffix.
        headers: its own, and those of its segments; every file that they name is looked at before wfdb opens it.

    Raises:
        RecordError: "unreadable by wfdb", "no such file", "no regular file", "too large".
    """
    import wfdb  # seconds of imports, for formats that most archives do not use

    for header in headers:
        check_numbers(header.samples * sum(line.layout.samples_per_frame for line in header.signals), "the signal")
        for file in {line.file_name for line in header.signals} - {_NO_FILE}:
            check_file(os.path.join(os.path.dirname(stem), file))
    check_numbers(headers[0].samples * max(len(header.signals) for header in headers), "the signal")
    mixed_rates = any(line.layout.samples_per_frame > 1 for header in headers for line in header.signals)
    try:
        record = wfdb.rdrecord(stem, smooth_frames=not mixed_rates)
    except Exception as error:  # wfdb raises anything from IndexError to its own; each means one unreadable record
        raise RecordError(f"unreadable by wfdb: {type(error).__name__}: {error}") from error
    signals = record.e_p_signal if mixed_rates else [*record.p_signal.T]
    return Physical(signals, list(record.sig_name), list(record.units), float(record.fs), int(record.sig_len))


def in_millivolts(physical: Physical, names: Sequence[str]) -> tuple[NDArray[np.floating[Any]], float, tuple[str, ...]]:
    """The signals at the rate of the lead that has most samples, in millivolts; those that are no leads are zero.

    Args:
        physical: the signals.
        names: one a signal.

    Returns:
        (signals, samples); the rate in Hz; and "upsampled:V1" for a lead that had fewer samples.
    """
    if len(names) != len(physical.signals):
        raise RecordError(f"wrong number of leads: {len(names)} names for {len(physical.signals)} signals")
    most = max(
        (len(values) for values, name in zip(physical.signals, names, strict=True) if lead_name(name)), default=0
    )
    signal = np.zeros((len(names), most))
    flags = []
    for row, (values, unit, name) in enumerate(zip(physical.signals, physical.units, names, strict=True)):
        if lead_name(name):
            if len(values) < most:
                ratio = Fraction(most, max(1, len(values)))
                values = resample_poly(values, ratio.numerator, ratio.denominator, padtype="line")
                flags.append(f"upsampled:{lead_name(name)}")
            signal[row] = values[:most] * millivolts(unit)
    return signal, physical.frame_rate * most / max(1, physical.frames), tuple(flags)
