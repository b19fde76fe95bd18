"""Files that hold arrays: MATLAB, HDF5, NPZ, NPY and CSV, as named arrays from which one recording is taken."""

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.leads import agreed_leads, lead_name, listed
from ecg_lightning.records.patient import parse_age, parse_sex
from ecg_lightning.records.record import LEADS, RecordError
from ecg_lightning.records.signal_csv import open_csv

Arrays = Mapping[str, NDArray[Any]]

# How files call what a recording needs, in the order of preference.
_RATE_KEYS = ("sampling_rate", "sampling_frequency", "sample_rate", "curr_sample_rate", "fs", "frequency")
_UNIT_KEYS = ("unit", "units")
_LEAD_KEYS = ("leads", "lead_names", "sig_name")
_CPSC_STRUCT = "ECG"
_CPSC_RATE = 500.0  # stated by the challenge; its files do not say it
_FEW = 64  # members of a group, or numbers of an array, up to which these may describe the signal beside them


@dataclass(slots=True)
class Contents:
    """What a file says of a recording; None where it is silent."""

    signal: NDArray[np.number[Any]]  # (leads, samples) in the file's unit
    leads: Sequence[str]
    sampling_rate: float | None = None
    unit: str | None = None
    age: float = nan
    sex: str = ""
    named: bool = False  # whether the file says which lead a row is


def read_arrays(
    path: Path, dataset: str | None = None, leads: Sequence[str] | None = None, row: int | None = None
) -> Contents:
    """Read the recording of one `.mat`, `.h5`, `.hdf5`, `.npz`, `.npy` or `.csv` file.

    Args:
        path: the file.
        dataset: name of the array; by default the only one of which a dimension is the number of leads.
        leads: lead names where the file has none; by default the standard twelve.
        row: which recording of an array (recordings, leads, samples).

    Raises:
        RecordError: "no such file", "unreadable file", "no signal", "ambiguous signal", "ambiguous orientation",
            "several recordings", "unknown lead names", "contradictory leads".
    """
    try:
        arrays = _open(path, dataset, row)
    except RecordError:
        raise
    except FileNotFoundError as error:
        raise RecordError(f"no such file: {path}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordError(f"unreadable file: {error}") from error
    said = _texts(arrays, _LEAD_KEYS)
    names = agreed_leads(said, leads) or LEADS
    count = len(names)
    values = _pick(arrays, dataset, count)
    rate, unit = _first(arrays, _RATE_KEYS), _texts(arrays, _UNIT_KEYS)
    age, sex = _first(arrays, ("age",)), _texts(arrays, ("sex",))
    return Contents(
        _leads_first(values, count),
        names,
        None if rate is None else float(rate),
        unit[0] if unit else None,
        nan if age is None else parse_age(str(age)),
        parse_sex(sex[0]) if sex else "",
        any(map(lead_name, said)),
    )


def _pick(arrays: Arrays, dataset: str | None, count: int) -> NDArray[np.number[Any]]:
    """Find the array that is the signal."""
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
    """Bring an array to (leads, samples); the dimension that equals the number of leads tells the orientation."""
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
    for key in keys:
        if key in arrays:
            values = np.atleast_1d(arrays[key]).ravel().tolist()
            return tuple(value.decode() if isinstance(value, bytes) else str(value) for value in values)
    return ()


def _open(path: Path, dataset: str | None, row: int | None) -> Arrays:
    suffix = path.suffix.lower()
    if suffix in _HDF5:
        return _open_hdf5(path, dataset, row)
    if suffix == ".npy" and row is not None:
        return {"signal": _of_row(np.load(path, mmap_mode="r", allow_pickle=False), row)}
    arrays = _OPENERS[suffix](path)
    return arrays if row is None else {name: _of_row(array, row) for name, array in arrays.items()}


def _of_row(array: Any, row: int | None) -> NDArray[Any]:
    """One recording of an array of several, or all of any other array (NumPy's or an HDF5 file's)."""
    if row is None or array.ndim < 3:
        return np.asarray(array[()])
    if not 0 <= row < len(array):
        raise RecordError(f"no signal: there is no row {row}, the first of {len(array)} is 0")
    return np.asarray(array[row])


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


def _open_hdf5(path: Path, dataset: str | None = None, row: int | None = None) -> Arrays:
    """All arrays and attributes; of a file that may hold a whole archive, the dataset and what is small beside it."""
    import h5py

    arrays: dict[str, NDArray[Any]] = {}

    def attributes(item: h5py.Group | h5py.Dataset) -> None:
        arrays.update({key: np.asarray(value) for key, value in item.attrs.items()})

    def collect(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = _of_row(item, row)
            attributes(item)

    with h5py.File(path, "r") as file:
        attributes(file)
        if dataset is None:
            file.visititems(collect)
            return arrays
        chosen = file.get(dataset)
        if not isinstance(chosen, h5py.Dataset):
            raise RecordError(f"no signal: no array {dataset!r}, the file has {listed([*file]) or 'none'}")
        group = chosen.parent
        attributes(group)
        for name, item in group.items() if len(group) <= _FEW else ():
            if isinstance(item, h5py.Dataset) and item.size is not None and item.size <= _FEW:
                collect(name, item)
        collect(dataset, chosen)
    return arrays


def _open_npz(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _open_npy(path: Path) -> Arrays:
    return {"signal": np.load(path, allow_pickle=False)}


_HDF5 = (".h5", ".hdf5")
_OPENERS: dict[str, Callable[[Path], Arrays]] = {
    ".mat": _open_matlab,
    ".h5": _open_hdf5,
    ".hdf5": _open_hdf5,
    ".npz": _open_npz,
    ".npy": _open_npy,
    ".csv": open_csv,
}
ARRAY_SUFFIXES = tuple(_OPENERS)
