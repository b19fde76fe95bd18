"""The text of a CSV file as lines, cells and numbers: separators, decimal commas, quotes, comments, empty cells."""

import csv
import re
from collections.abc import Collection, Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.missing import stated
from ecg_lightning.records.record import RecordError

_SEPARATORS = (";", "\t", ",", "|")
_CLOCK = re.compile(r"(?:\d+:)?\d+:\d+(?:\.\d*)?")  # 0:01.250 and 12:00:01.250 are seconds
_EMPTY = ' \t,;|"'


class Table:
    """Lines of cells, split where they are needed: most lines hold nothing but numbers.

    Attributes:
        lines: those that hold something, without comments at the beginning.
        comments: the latter, without their mark.
    """

    def __init__(self, text: str) -> None:
        lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip(_EMPTY)]
        if lines and (match := re.fullmatch(r"sep=(.)", lines[0].strip())):  # Excel's own
            del lines[0]
            self._separator: str | None = match[1]
        else:
            self._separator = next((mark for mark in _SEPARATORS if lines and mark in lines[-1]), None)
        self.comments: list[str] = []
        while lines and lines[0].startswith("#") and len(self._split(lines[0])) != len(self._split(lines[-1])):
            self.comments.append(lines.pop(0).lstrip("# "))
        self.lines = lines

    def cells(self, number: int) -> list[str]:
        """The cells of a line, without quotes and white space; a "#" before names of columns is none of them."""
        line = self.lines[number]
        return [cell.strip(" \t'") for cell in self._split(line.lstrip("# ") if line.startswith("# ") else line)]

    def first_cells(self) -> list[str]:
        """The first cell of each line."""
        mark = self._separator
        return [(line.partition(mark)[0] if mark else line.split(None, 1)[0]).strip(" \t\"'") for line in self.lines]

    def numbers(self, start: int, skip_cells: int = 0, required: Collection[int] | None = None) -> NDArray[np.float64]:
        """The numbers of the lines from `start` on; NaN for an empty cell or a word for nothing.

        Args:
            start: the first line.
            skip_cells: cells at the beginning of each line that are no numbers.
            required: columns that must be numbers; all by default.

        Raises:
            RecordError: "unreadable file", with line and cell.
        """
        lines = self.lines[start:]
        if self._separator != ",":
            lines = [line.replace(",", ".") for line in lines]
        if not skip_cells:
            try:
                return np.loadtxt(lines, delimiter=self._separator, quotechar='"', comments=None, ndmin=2)
            except ValueError:  # slower, cell by cell
                pass
        rows: list[list[float]] = []
        for number, line in enumerate(lines, start + 1):
            cells = self._split(line)[skip_cells:]
            if rows and len(cells) != len(rows[0]):
                raise RecordError(f"unreadable file: line {number} has {len(cells)} cells, those before {len(rows[0])}")
            optional = (required is not None and place not in required for place in range(len(cells)))
            rows.append([_number(cell, number, skip) for cell, skip in zip(cells, optional, strict=True)])
        return np.array(rows, np.float64)

    def _split(self, line: str) -> list[str]:
        if self._separator is None:
            return line.split()
        return next(csv.reader([line], delimiter=self._separator, skipinitialspace=True), [])


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a decimal point or comma."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def is_running(cells: Sequence[str]) -> bool:
    """Whether cells are the numbers 0, 1, 2 … or 1, 2, 3 …: of columns, since no sample of an ECG looks like that.

    >>> is_running(["0", "1", "2"]), is_running(["1.0", "2.0"]), is_running(["0", "2"])
    (True, True, False)
    """
    if len(cells) < 2 or not all(map(is_number, cells)):
        return False
    values = [float(cell.replace(",", ".")) for cell in cells]
    return values[0] in (0, 1) and all(value == values[0] + place for place, value in enumerate(values))


def _number(cell: str, line: int, optional: bool) -> float:
    text = cell.strip(" \t'").replace(",", ".")
    try:
        if _CLOCK.fullmatch(text):
            return sum(float(part) * 60.0**place for place, part in enumerate(reversed(text.split(":"))))
        return float(text)
    except ValueError:
        if optional or not stated(text):
            return nan
        raise RecordError(f"unreadable file: line {line}: '{cell.strip()[:40]}' is not a number") from None
