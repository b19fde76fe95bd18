"""One recording taken from the named arrays of a MATLAB, HDF5, NPZ, NPY or CSV file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.containers import Arrays, open_arrays
from ecg_lightning.records.files import check_file
from ecg_lightning.records.leads import agreed_leads, lead_name, listed
from ecg_lightning.records.patient import parse_age, parse_sex
from ecg_lightning.records.record import LEADS, RecordError, readable
from ecg_lightning.records.times import check_rate, rate_of_times
from ecg_lightning.records.units import millivolts

# How files call what a recording needs, in the order of preference.
_RATE_KEYS = ("sampling_rate", "sampling_frequency", "sample_rate", "curr_sample_rate", "fs", "frequency")
_UNIT_KEYS = ("unit", "units")
_LEAD_KEYS = ("leads", "lead_names", "sig_name")
_TIME_KEYS = ("time", "times", "t", "timestamps", "timestamp")
_RATE_TEXT = re.compile(r"([\d.]+)\s*(k?)(?:hz)?", re.IGNORECASE)


@dataclass(slots=True)
class Contents:
    """What a file says of a recording; None for everything that it does not say."""

    signal: NDArray[np.number[Any]]  # (leads, samples) in the file's unit
    leads: Sequence[str]
    sampling_rate: float | None = None
    unit: str | None = None
    age: float = nan
    sex: str = ""
    has_lead_names: bool = False  # whether the file says which lead a row is


def read_arrays(
    path: Path, dataset: str | None = None, leads: Sequence[str] | None = None, row: int | None = None
) -> Contents:
    """Reads the recording of one `.mat`, `.h5`, `.hdf5`, `.npz`, `.npy` or `.csv` file.

    Args:
        path: the file.
        dataset: name of the array; by default the only one of which a dimension is the number of leads.
        leads: lead names where the file has none; by default the standard twelve.
        row: which recording of an array (recordings, leads, samples).

    Raises:
        RecordError: "no such file", "too large", "unreadable file", "no signal", "ambiguous signal", "ambiguous orientation",
            "several recordings", "unknown lead names", "contradictory leads", "contradictory sampling rate", "uneven times".
    """
    check_file(path)
    try:
        arrays = open_arrays(path, dataset, row)
    except RecordError:
        raise
    except FileNotFoundError as error:
        raise RecordError(f"no such file: {readable(path)}") from error
    except Exception as error:  # of a damaged file the libraries raise anything from KeyError to ZeroDivisionError
        raise RecordError(f"unreadable file: {readable(str(error)) or type(error).__name__}") from error
    file_leads = _texts(arrays, _LEAD_KEYS)
    names = agreed_leads(file_leads, leads) or LEADS
    signal = _leads_first(_pick(arrays, dataset, len(names)), len(names))
    signal, unit = _one_unit(signal, _texts(arrays, _UNIT_KEYS), names)
    age, sex = _first(arrays, ("age",)), _texts(arrays, ("sex",))
    return Contents(
        signal,
        names,
        _rate(arrays, signal.shape[1]),
        unit,
        nan if age is None else parse_age(str(age)),
        parse_sex(sex[0]) if sex else "",
        any(map(lead_name, file_leads)),
    )


def _rate(arrays: Arrays, samples: int) -> float | None:
    """The rate that the file says, by a number or by the time of each sample."""
    stated_rate = _first(arrays, _RATE_KEYS)
    rate = None
    if stated_rate is not None:
        match = _RATE_TEXT.fullmatch(
            str(stated_rate.decode() if isinstance(stated_rate, bytes) else stated_rate).strip()
        )
        if match is None or match[1].count(".") > 1:
            raise RecordError(f"bad sampling rate: the file says {stated_rate!r}")
        rate = float(match[1]) * (1000 if match[2] else 1)
    for key in _TIME_KEYS:
        if key in arrays and arrays[key].size == samples > 1 and arrays[key].dtype.kind in "iuf":
            of_times = rate_of_times(arrays[key].ravel().astype(np.float64))
            if rate is not None:
                check_rate(rate, of_times, f"in the file, and the times of its samples are not those, in '{key}'")
            rate = rate or of_times
    return rate


def _one_unit(
    signal: NDArray[np.number[Any]], units: Sequence[str], names: Sequence[str]
) -> tuple[NDArray[np.number[Any]], str | None]:
    """The signal in one unit, where each lead has its own; a channel that is no lead needs none."""
    if len(units) <= 1:
        return signal, units[0] if units else None
    if len(units) != len(names):
        raise RecordError(f"ambiguous unit: {len(units)} units for {len(names)} leads")
    of_leads = [unit for unit, name in zip(units, names, strict=True) if lead_name(name)] or [*units]
    if len(set(of_leads)) == 1:
        return signal, of_leads[0]
    if not all(of_leads):
        raise RecordError(f"ambiguous unit: some leads have none, others {listed(sorted(set(filter(None, of_leads))))}")
    factors = [millivolts(unit) if lead_name(name) else 1.0 for unit, name in zip(units, names, strict=True)]
    return signal * np.array(factors)[:, None], "mV"


def _pick(arrays: Arrays, dataset: str | None, count: int) -> NDArray[np.number[Any]]:
    """Finds the array that is the signal."""
    if dataset is not None:
        if dataset not in arrays:
            raise RecordError(f"no signal: no array {dataset!r}, the file has {listed([*arrays]) or 'none'}")
        return np.asarray(arrays[dataset])
    fitting = [
        name
        for name, array in arrays.items()
        if np.issubdtype(array.dtype, np.number) and array.ndim >= 2 and count in array.shape and array.size != count
    ]
    shapes = listed([f"{name} {array.shape}" for name, array in arrays.items()])
    if not fitting:
        raise RecordError(
            f"no signal: no array of {count} leads among {shapes or 'none'}; other leads are named by data.file_leads "
            "or --leads"
        )
    if len(fitting) > 1:
        raise RecordError(f"ambiguous signal: {listed(fitting)} all fit; say which: data.file_dataset")
    return np.asarray(arrays[fitting[0]])


def _leads_first(values: NDArray[np.number[Any]], count: int) -> NDArray[np.number[Any]]:
    """Brings an array to (leads, samples); the dimension that equals the number of leads tells the orientation."""
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.dtype.kind not in "biuf":
        raise RecordError(f"no signal: an array of {values.dtype}, not of numbers")
    if values.ndim == 3 and count in values.shape[1:]:
        raise RecordError(f"several recordings: shape {values.shape}; say which of them by a column data.columns.row")
    if values.ndim != 2 or count not in values.shape:
        raise RecordError(
            f"wrong number of leads: shape {values.shape} for {count} leads; others are named by data.file_leads or --leads"
        )
    if values.shape == (count, count):
        raise RecordError(f"ambiguous orientation: shape {values.shape} could be either way round")
    return values if values.shape[0] == count else values.T


def _first(arrays: Arrays, keys: Sequence[str]) -> Any:
    """The value of the first key present that holds a single one."""
    return next((arrays[key].item() for key in keys if key in arrays and arrays[key].size == 1), None)


def _texts(arrays: Arrays, keys: Sequence[str]) -> tuple[str, ...]:
    """The texts of the first key present; () when there is none."""
    return next((tuple(map(_text, np.atleast_1d(arrays[key]).ravel().tolist())) for key in keys if key in arrays), ())


def _text(value: Any) -> str:
    """A text, whether it is one, bytes, or a cell of MATLAB that holds one."""
    if isinstance(value, np.ndarray):
        return _text(value.ravel()[0]) if value.size == 1 else ""
    return value.decode("utf-8", "replace").strip() if isinstance(value, bytes) else str(value).strip()
