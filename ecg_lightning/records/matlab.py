"""MATLAB files of version 5 (what `save` writes but for -v7.3 and -v4): numbers, texts, cells of texts, and one struct.

scipy reads them too, but a damaged byte in one ends its whole process (1.17: an array that says that it is complex, with
no second part), and with it hours of packing. Here every length is checked against the size of the data before it is used.
Written from "MAT-File Format" (The MathWorks).
"""

import struct
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.files import check_numbers, read_bytes

HEAD = 128
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # data types
_MATRIX, _COMPRESSED = 14, 15
_ENCODINGS = {1: "latin-1", 2: "latin-1", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX = 0x0800
_DEEPEST = 8


class _Element(NamedTuple):
    kind: int
    data: memoryview


def is_matlab5(path: Path) -> bool:
    """Whether a file is a MATLAB file of version 5."""
    head, _ = read_bytes(path, HEAD)
    return len(head) == HEAD and head[126:] in (b"IM", b"MI") and 1 in head[124:126] and b"MATLAB 7.3" not in head


def read_matlab5(path: Path) -> dict[str, Any]:
    """The variables of a file by their names: arrays of numbers or texts, and a dictionary for a struct.

    What can be no signal nor describe one (sparse, complex, objects, functions) is left out.

    Raises:
        ValueError, struct.error, zlib.error: for a damaged file.
        RecordError: "too large".
    """
    data = memoryview(read_bytes(path)[0])
    order = "<" if bytes(data[126:128]) == b"IM" else ">"
    variables: dict[str, Any] = {}
    for kind, content in _elements(data[HEAD:], order):
        if kind == _COMPRESSED:
            kind, content = _unpacked(content, order)
        if kind == _MATRIX:
            name, value = _matrix(content, order, 0)
            if value is not None:
                variables[name] = value
    return variables


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    """The elements one after the other; each begins at a multiple of eight bytes, but for those that are compressed."""
    place = 0
    while place + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, place)
        start = place + 8
        if kind >> 16:  # up to four bytes stand beside their own tag
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            if size > 4:
                raise ValueError("a short element of more than four bytes")
        if start + size > len(data):
            raise ValueError("an element is longer than the file")
        yield _Element(kind, data[start : start + size])
        place = start + size if kind == _COMPRESSED else -(-(start + size) // 8) * 8


def _unpacked(content: memoryview, order: str) -> _Element:
    """The one element of a compressed one, of which no more is unpacked than its tag says."""
    stream = zlib.decompressobj()
    tag = stream.decompress(content, 8)
    kind, size = struct.unpack(f"{order}II", tag)
    check_numbers(size // 8, "a variable of the file")
    data = stream.decompress(stream.unconsumed_tail, size) if size else b""
    if len(data) < size:
        raise ValueError("a variable is cut off")
    return _Element(kind, memoryview(data))


def _matrix(content: memoryview, order: str, depth: int) -> tuple[str, Any]:
    """Name and value of an array; the value is None where it is none of numbers, texts, cells or structs."""
    if depth > _DEEPEST:
        raise ValueError("arrays within arrays, too deep")
    parts = _elements(content, order)
    flags = _numbers(next(parts, None), order)
    shape = tuple(map(int, _numbers(next(parts, None), order)))
    name = bytes(_data(next(parts, None))).decode("latin-1")
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"an array of shape {shape}")
    check_numbers(prod(shape), f"the array '{name}' of shape {shape}")
    kind, bits = int(flags[0]) & 0xFF, int(flags[0])
    if kind in _CLASSES and not bits & _COMPLEX:
        values = _numbers(next(parts, None), order)
        return name, values.astype(_CLASSES[kind]).reshape(shape, order="F")
    if kind == _CHAR:
        return name, _texts(next(parts, None), shape, order)
    if kind == _CELL:
        members = [_matrix(part.data, order, depth + 1)[1] for part in parts if part.kind == _MATRIX]
        texts = [str(member[0]) for member in members if isinstance(member, np.ndarray) and member.dtype.kind == "U"]
        return name, np.array(texts) if texts and len(texts) == len(members) else None
    if kind == _STRUCT and prod(shape) == 1:
        width = int(_numbers(next(parts, None), order)[0])
        names = bytes(_data(next(parts, None)))
        if width < 1:
            raise ValueError("a struct with names of no length")
        fields = [names[i : i + width].partition(b"\0")[0].decode("latin-1") for i in range(0, len(names), width)]
        contents = [_matrix(part.data, order, depth + 1)[1] for part in parts if part.kind == _MATRIX]
        return name, {field: value for field, value in zip(fields, contents, strict=True) if value is not None}
    return name, None


def _data(element: _Element | None) -> memoryview:
    if element is None:
        raise ValueError("an array is cut off")
    return element.data


def _numbers(element: _Element | None, order: str) -> NDArray[Any]:
    """The numbers of an element, in whichever type they are packed."""
    data = _data(element)
    if element is None or element.kind not in _NUMBERS:
        raise ValueError("an element holds no numbers")
    return np.frombuffer(data, np.dtype(f"{order}{_NUMBERS[element.kind]}"))


def _texts(element: _Element | None, shape: tuple[int, ...], order: str) -> NDArray[np.str_]:
    """One text a row; they lie letter by letter, all rows' first ones first."""
    data = _data(element)
    encoding = _ENCODINGS.get(element.kind if element else 0, "utf-16")
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if order == "<" else "-be"
    text = bytes(data).decode(encoding, "replace")
    if shape[0] <= 1:
        return np.array([text])
    letters = np.array([*text]).reshape(shape[0], -1, order="F")
    return np.array(["".join(row).rstrip() for row in letters.tolist()])
