"""Files that hold arrays: MATLAB, HDF5, NPZ, NPY and CSV, as named arrays from which one recording is taken."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.leads import lead_name
from ecg_lightning.records.record import LEADS, RecordError
from ecg_lightning.records.wfdb_header import parse_age, parse_sex

Arrays = Mapping[str, NDArray[Any]]

# How files call what a recording needs, in the order of preference.
_RATE_KEYS = ("sampling_rate", "sampling_frequency", "sample_rate", "curr_sample_rate", "fs", "frequency")
_UNIT_KEYS = ("unit", "units")
_LEAD_KEYS = ("leads", "lead_names", "sig_name")
_CPSC_STRUCT = "ECG"
_CPSC_RATE = 500.0  # stated by the challenge; its files do not say it
_COLUMN_UNIT = re.compile(r"(.*?)\s*[\[(]\s*([^\])]*V)\s*[\])]$", re.IGNORECASE)


@dataclass(slots=True)
class Contents:
    """What a file says of a recording; None where it is silent."""

    signal: NDArray[np.number[Any]]  # (leads, samples) in the file's unit
    leads: Sequence[str]
    sampling_rate: float | None = None
    unit: str | None = None
    age: float = nan
    sex: str = ""


def read_arrays(path: Path, dataset: str | None, leads: Sequence[str] | None) -> Contents:
    """Read the recording of one `.mat`, `.h5`, `.hdf5`, `.npz`, `.npy` or `.csv` file.

    Args:
        path: the file.
        dataset: name of the array; by default the only one of which a dimension is the number of leads.
        leads: lead names; by default the file's own, or the standard twelve.

    Raises:
        RecordError: "no such file", "unreadable file", "no signal", "ambiguous signal", "ambiguous orientation".
    """
    try:
        arrays = _OPENERS[path.suffix.lower()](path)
    except RecordError:
        raise
    except FileNotFoundError as error:
        raise RecordError(f"no such file: {path}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RecordError(f"unreadable file: {error}") from error
    names = leads or _texts(arrays, _LEAD_KEYS)
    count = len(names or LEADS)
    values = _pick(arrays, dataset, count)
    rate, unit = _first(arrays, _RATE_KEYS), _texts(arrays, _UNIT_KEYS)
    age, sex = _first(arrays, ("age",)), _texts(arrays, ("sex",))
    return Contents(
        _leads_first(values, count),
        names or LEADS,
        None if rate is None else float(rate),
        unit[0] if unit else None,
        nan if age is None else parse_age(str(age)),
        parse_sex(sex[0]) if sex else "",
    )


def _pick(arrays: Arrays, dataset: str | None, count: int) -> NDArray[np.number[Any]]:
    """Find the array that is the signal."""
    if dataset is not None:
        if dataset not in arrays:
            raise RecordError(f"no signal: no array {dataset!r}, the file has {', '.join(arrays) or 'none'}")
        return np.asarray(arrays[dataset])
    fitting = [
        name
        for name, array in arrays.items()
        if np.issubdtype(array.dtype, np.number) and array.ndim >= 2 and count in array.shape and array.size != count
    ]
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    if not fitting:
        raise RecordError(
            f"no signal: no array of {count} leads among {shapes or 'none'}; name the leads, or the dataset"
        )
    if len(fitting) > 1:
        raise RecordError(f"ambiguous signal: {', '.join(fitting)} all fit; name the dataset")
    return np.asarray(arrays[fitting[0]])


def _leads_first(values: NDArray[np.number[Any]], count: int) -> NDArray[np.number[Any]]:
    """Bring an array to (leads, samples); the dimension that equals the number of leads tells the orientation."""
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2 or count not in values.shape:
        raise RecordError(f"wrong number of leads: shape {values.shape} for {count} leads; name the leads")
    if values.shape == (count, count):
        raise RecordError(f"ambiguous orientation: shape {values.shape} could be either way round")
    return values if values.shape[0] == count else values.T


def _first(arrays: Arrays, keys: Sequence[str]) -> Any:
    """The value of the first key present that holds a single one."""
    return next((arrays[key].item() for key in keys if key in arrays and arrays[key].size == 1), None)


def _texts(arrays: Arrays, keys: Sequence[str]) -> tuple[str, ...]:
    """The texts of the first key present; () when there is none."""
    for key in keys:
        if key in arrays:
            values = np.atleast_1d(arrays[key]).ravel().tolist()
            return tuple(value.decode() if isinstance(value, bytes) else str(value) for value in values)
    return ()


def _open_matlab(path: Path) -> Arrays:
    from scipy.io import loadmat, matlab

    try:
        contents = loadmat(path)
    except NotImplementedError:  # version 7.3 is HDF5
        return _open_hdf5(path)
    except matlab.MatReadError as error:
        raise RecordError(f"unreadable file: {error}") from error
    arrays = {name: np.asarray(value) for name, value in contents.items() if not name.startswith("__")}
    if _CPSC_STRUCT in arrays and arrays[_CPSC_STRUCT].dtype.names:
        struct = arrays.pop(_CPSC_STRUCT)[0, 0]
        arrays |= {name: np.asarray(struct[name]) for name in struct.dtype.names}
        arrays["fs"] = np.array(_CPSC_RATE)
    return arrays


def _open_hdf5(path: Path) -> Arrays:
    import h5py

    arrays: dict[str, NDArray[Any]] = {}
    with h5py.File(path, "r") as file:

        def collect(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                arrays[name] = np.asarray(item[()])
                arrays.update({key: np.asarray(value) for key, value in item.attrs.items()})

        arrays.update({key: np.asarray(value) for key, value in file.attrs.items()})
        file.visititems(collect)
    return arrays


def _open_npz(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _open_npy(path: Path) -> Arrays:
    return {"signal": np.load(path, allow_pickle=False)}


def _open_csv(path: Path) -> Arrays:
    """Read a table with one column a lead, with or without a row of names and a column of time.

    Comma, semicolon (then with decimal commas too) and tab separate. Units may stand in the names: `V1 (uV)`.
    """
    text = path.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = max(";\t,", key=first.count)
    cells = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    named = any(lead_name(_column(cell)[0]) for cell in cells)
    if delimiter != ",":
        text = text.replace(",", ".")
    if named:
        text = text.partition("\n")[2]
    if not text.strip():
        raise RecordError("empty signal: no rows")
    try:
        table = np.loadtxt(io.StringIO(text), delimiter=delimiter, ndmin=2)
    except ValueError:  # empty cells: slower, and gives NaN for them
        table = np.genfromtxt(io.StringIO(text), delimiter=delimiter)
    if not named:
        columns = table.shape[1] if table.ndim == 2 else 0
        has_time = columns == len(LEADS) + 1 and bool(np.all(np.diff(table[:, 0]) > 0))
        return {"signal": table[:, 1:] if has_time else table}
    # Every named column but the time is a lead, known or to be dropped later by name.
    kept = [i for i, cell in enumerate(cells) if not re.match(r"time|t\b|sample|index|$", cell, re.IGNORECASE)]
    columns_ = [_column(cells[i]) for i in kept]
    arrays = {"signal": table[:, kept], "leads": np.array([name for name, _ in columns_])}
    units = {unit for _, unit in columns_ if unit}
    if len(units) > 1:
        raise RecordError(f"ambiguous unit: {', '.join(sorted(units))} in one table")
    return arrays | ({"unit": np.array(units.pop())} if units else {})


def _column(cell: str) -> tuple[str, str]:
    """Split `V1 (uV)` into name and unit."""
    match = _COLUMN_UNIT.match(cell)
    return (match.group(1), match.group(2)) if match else (cell, "")


_OPENERS: dict[str, Callable[[Path], Arrays]] = {
    ".mat": _open_matlab,
    ".h5": _open_hdf5,
    ".hdf5": _open_hdf5,
    ".npz": _open_npz,
    ".npy": _open_npy,
    ".csv": _open_csv,
}
ARRAY_SUFFIXES = tuple(_OPENERS)
