"""MATLAB, HDF5, NPZ and NPY files as named arrays; the claimed size of an array is checked before it is read."""

import zipfile
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.files import check_numbers
from ecg_lightning.records.leads import listed
from ecg_lightning.records.matlab import is_matlab5, read_matlab5
from ecg_lightning.records.record import RecordError
from ecg_lightning.records.signal_csv import open_csv

Arrays = Mapping[str, NDArray[Any]]

_CPSC_STRUCT = "ECG"
_CPSC_RATE = 500.0  # stated by the challenge; its files do not say it
_FEW = 64  # members of a group, or numbers of an array, up to which these may describe the signal beside them
_MOST_LINKS = 16  # that a name may lead over


def open_arrays(path: Path, dataset: str | None = None, row: int | None = None) -> Arrays:
    """All arrays of a file; of one that may hold a whole archive, the dataset, or the row, and what is small beside it.

    Raises:
        RecordError: "too large", "no signal", "path outside the folder".
        Exception: whatever the libraries raise for a damaged file.
    """
    suffix = path.suffix.lower()
    if suffix in _HDF5:
        return _open_hdf5(path, dataset, row)
    if suffix == ".npy":
        return {"signal": _open_npy(path, row)}
    arrays = _OPENERS[suffix](path)
    return arrays if row is None else {name: _of_row(name, array, row) for name, array in arrays.items()}


def _of_row(name: str, array: Any, row: int | None) -> NDArray[Any]:
    """One recording of an array of several, or all of any other array (NumPy's or an HDF5 file's)."""
    takes_row = row is not None and array.ndim >= 3
    _check_claim(name, array.shape[1:] if takes_row else array.shape, array.dtype)
    if row is None or not takes_row:
        return np.asarray(array[()])
    if not 0 <= row < len(array):
        raise RecordError(f"no signal: there is no row {row}; the array has the rows 0 to {len(array) - 1}")
    return np.asarray(array[row])


def _check_claim(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    check_numbers(prod(shape) * max(1, dtype.itemsize // 8), f"the array '{name}' of shape {shape}")


def _open_matlab(path: Path) -> Arrays:
    if is_matlab5(path):
        contents = read_matlab5(path)
    else:
        from scipy.io import loadmat

        try:
            contents = loadmat(path)  # version 4
        except NotImplementedError:  # version 7.3 is HDF5
            return _open_hdf5(path)
    if isinstance(fields := contents.get(_CPSC_STRUCT), dict):
        contents |= fields | {"fs": np.array(_CPSC_RATE)}
    return {name: value for name, value in contents.items() if isinstance(value, np.ndarray)}


def _open_hdf5(path: Path, dataset: str | None = None, row: int | None = None) -> Arrays:
    import h5py

    arrays: dict[str, NDArray[Any]] = {}

    def attributes(item: h5py.Group | h5py.Dataset) -> None:
        for key in item.attrs:
            if prod(item.attrs.get_id(key).shape) <= _FEW:
                arrays[key] = np.asarray(item.attrs[key])

    def collect(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            _check_storage(name, item)
            arrays[name] = _of_row(name, item, row)
            check_numbers(sum(array.size for array in arrays.values()), "the file")
            attributes(item)

    with h5py.File(path, "r") as file:
        attributes(file)
        if dataset is None:
            file.visititems(collect)  # links are not followed
            return arrays
        linked_item = _linked(file, dataset)
        if not isinstance(linked_item, h5py.Dataset):
            raise RecordError(f"no signal: no array {dataset!r}, the file has {listed([*file]) or 'none'}")
        group = linked_item.parent
        attributes(group)
        for name in group if len(group) <= _FEW else ():
            item = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
            if isinstance(item, h5py.Dataset) and item.size is not None and item.size <= _FEW:
                collect(name, item)
        collect(dataset, linked_item)
    return arrays


def _linked(file: Any, name: str) -> Any:
    """What a name stands for within an HDF5 file, None where nothing; a link into another file is never followed."""
    import h5py

    item, parts = file, [part for part in name.split("/") if part]
    for _ in range(_MOST_LINKS * (len(parts) + 1)):
        if not parts or not isinstance(item, h5py.Group):
            break
        link = item.get(parts[0], getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise RecordError(
                f"path outside the folder: '{name}' is a link into the file '{link.filename}'; copy the signal into this file"
            )
        if isinstance(link, h5py.SoftLink):
            target = [part for part in link.path.split("/") if part]
            item, parts = (file if link.path.startswith("/") else item), target + parts[1:]
        else:
            item, parts = (item[parts[0]] if link is not None else None), parts[1:]
    return item if not parts else None


def _check_storage(name: str, item: Any) -> None:
    """Refuses an HDF5 dataset whose numbers lie in other files, or in one block that is larger than a recording."""
    if item.external or (item.is_virtual and any(source.file_name != "." for source in item.virtual_sources())):
        raise RecordError(
            f"path outside the folder: the numbers of '{name}' lie in another file; copy the signal into this file"
        )
    block: tuple[int, ...] = item.chunks or (1,)
    check_numbers(prod(block), f"a block of the array '{name}'")


def _open_npz(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                if file.read(6) == b"\x93NUMPY":
                    file.seek(0)
                    _check_claim(name.removesuffix(".npy"), *_npy_claim(file))
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _open_npy(path: Path, row: int | None) -> NDArray[Any]:
    with path.open("rb") as file:
        shape, dtype = _npy_claim(file)
    if len(shape) >= 3 and row is not None and 0 not in shape:
        return _of_row("signal", np.load(path, mmap_mode="r", allow_pickle=False), row)
    _check_claim("signal", shape, dtype)
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def _npy_claim(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type that NumPy's header says."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"a NumPy file of version {version}")
    read_array_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_array_header(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, not numbers")
    return shape, dtype


_HDF5 = (".h5", ".hdf5")
_OPENERS: dict[str, Callable[[Path], Arrays]] = {
    ".mat": _open_matlab,
    ".h5": _open_hdf5,
    ".hdf5": _open_hdf5,
    ".npz": _open_npz,
    ".npy": lambda path: {"signal": _open_npy(path, None)},
    ".csv": open_csv,
}
ARRAY_SUFFIXES = tuple(_OPENERS)
"""Of the files that `open_arrays` opens."""
