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
    """The names of a table's columns, without white space around them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(_rows(file, delimiter or _delimiter(path)), (0, 0, []))[2]


def read_csv(path: Path, names: Sequence[str], delimiter: str | None = None) -> pd.DataFrame:
    """Some columns of a CSV file in UTF-8, every cell as text without white space around it, and why a row is refused.

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
    wanted = list(dict.fromkeys(names))
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = _rows(file, delimiter or _delimiter(path))
        _, _, columns = next(rows, (0, 0, []))
        for name in wanted:
            if columns.count(name) > 1:
                raise UserError(f"{path} has {columns.count(name)} columns '{name}'; give them different names.")
        places = [columns.index(name) for name in wanted]
        pick = itemgetter(*places) if len(places) > 1 else lambda row: tuple(row[place] for place in places)
        cells: list[tuple[str, ...]] = []
        refused = 0
        for first, last, row in rows:
            if len(row) == len(columns) or (len(row) > len(columns) and not any(row[len(columns) :])):
                cells.append((*pick(row), ""))
            else:
                refused += 1
                cells += [
                    (*[""] * len(wanted), _reason(line, last, path, len(row), len(columns)))
                    for line in range(first, last + 1)
                ]
    if refused and 2 * refused > len(cells):
        raise UserError(
            f"{next(row[-1] for row in cells if row[-1]).partition(': ')[2]}, and most rows are like that. A cell that "
            "holds the separator of cells must stand in quotes."
        )
    return pd.DataFrame(cells, columns=[*wanted, REFUSED], dtype=object)


def _reason(line: int, last: int, path: Path, count: int, expected: int) -> str:
    quote = f" (a quote opened before line {last} is closed there)" if line < last else ""
    return f"bad row: line {line} of {path.name} has {count} cells and the first line {expected}{quote}"


def _rows(file: Iterator[str], delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """The first and last line of each row that is not empty, and its cells; Excel's line ``sep=;`` is left out."""
    reader = csv.reader(file, delimiter=delimiter)
    before = 0
    for row in reader:
        first, before = before + 1, reader.line_num
        cells = [*map(_strip, row)]
        if any(cells) and not (before == 1 and cells[0].lower() == "sep="):
            yield first, before, cells


def _delimiter(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as file:
        line = file.readline()
    return max(",;\t", key=line.count)
