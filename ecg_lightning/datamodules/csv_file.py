"""CSV files as text: strict about the cells of a row, where pandas would shift, drop or invent some."""

import csv
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from pathlib import Path

import pandas as pd

from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.errors import UserError

_strip = lru_cache(1 << 16)(str.strip)  # a million rows share their texts


def first_row(path: Path, delimiter: str | None = None) -> list[str]:
    """Reads the names of a table's columns, without white space around them."""
    return next(all_rows(path, delimiter), [])


def all_rows(path: Path, delimiter: str | None = None) -> Iterator[list[str]]:
    """Reads the cells of every row that is not empty, one row after another."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from (row for _, _, row in _rows(file, delimiter or _delimiter(path)))


def read_csv(path: Path, names: Sequence[str], delimiter: str | None = None) -> pd.DataFrame:
    """Reads some columns of a CSV file in UTF-8: every cell as text without white space around it, and why a row is refused.

    A row with fewer or more cells than the first one is refused, since it does not tell which cell belongs where; empty
    cells behind the last column and empty lines do not count.

    Args:
        path: the file.
        names: columns that it has.
        delimiter: between cells; by default comma, semicolon or tab, whichever the first line has most of.

    Returns:
        The columns, and `REFUSED`: "" for a row that can be used. A refused row has empty cells.

    Raises:
        UserError: where most rows have another number of cells than the first, or two columns have one name.
        UnicodeDecodeError: for another encoding.
        csv.Error: where the file is no CSV.
    """
    read_columns = list(dict.fromkeys(names))
    delimiter = delimiter or _delimiter(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = _rows(file, delimiter)
        _, _, columns = next(rows, (0, 0, []))
        for name in read_columns:
            if columns.count(name) > 1:
                raise UserError(f"{path} has {columns.count(name)} columns '{name}'; give them different names.")
        places = [columns.index(name) for name in read_columns]
        pick = itemgetter(*places) if len(places) > 1 else lambda row: tuple(row[place] for place in places)
        cells: list[tuple[str, ...]] = []
        refused = 0
        for first, last, row in rows:
            reason = _refusal(row, len(columns), last - first, delimiter)
            if not reason:
                cells.append((*pick(row), ""))
                continue
            refused += 1
            for line in range(first, last + 1):
                cells.append((*[""] * len(read_columns), f"bad row: line {line} of {path.name} {reason}"))
    if refused and 2 * refused > len(cells):
        first_reason = next(row[-1] for row in cells if row[-1])
        raise UserError(f"{path}: {first_reason.partition(': ')[2]}, and most rows are like that.")
    return pd.DataFrame(cells, columns=[*read_columns, REFUSED], dtype=object)


def _refusal(row: list[str], expected: int, more_lines: int, delimiter: str) -> str:
    """Why a row cannot be used; "" where it can."""
    count = len(row)
    if count < expected or any(row[expected:]):
        reason = f"has {count} cells and the first line {expected}"
        if more_lines:
            return f"is one of several lines whose row {reason}; a quote is opened and not closed where it should be"
        return reason + "; a cell that holds the separator of cells must stand in quotes" * (count > expected)
    if more_lines and any(_swallows(cell, place, expected, delimiter) for place, cell in enumerate(row)):
        return "is in quotes with other rows"
    return "holds a NUL" if "\0" in "".join(row) else ""


def _swallows(cell: str, place: int, expected: int, delimiter: str) -> bool:
    """Whether a cell of several lines is the end of one row and the beginning of another, by a quote that is not closed."""
    first, *_, last = (line.count(delimiter) + 1 for line in (cell if "\n" in cell else "\n").split("\n"))
    return expected > 1 and place + first == expected and last == place + 1


def _rows(file: Iterator[str], delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """The first and last line of each row that is not empty, and its cells; Excel's line `sep=;` is left out."""
    reader = csv.reader(file, delimiter=delimiter)
    last = 0
    for row in reader:
        first, last = last + 1, reader.line_num
        cells = [*map(_strip, row)]
        if any(cells) and not (last == 1 and cells[0].lower() == "sep="):
            yield first, last, cells


def _delimiter(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as file:
        line = file.readline()
    return max(",;\t", key=line.count)
