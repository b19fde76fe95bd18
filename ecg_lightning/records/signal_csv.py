"""Signals in CSV files: one column a lead (or one row), with or without names, units in the names, and a column of time."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.leads import lead_name
from ecg_lightning.records.record import LEADS, RecordError

_UNIT = re.compile(r"(.*?)\s*[\[(]\s*([^\])]*V)\s*[\])]$|(.+?)[\s_]+([munµμ]V)$", re.IGNORECASE)
_TIME = re.compile(r"time|zeit|t\b|sample|index|$", re.IGNORECASE)


def open_csv(path: Path) -> dict[str, NDArray[Any]]:
    """Read ``signal``, and ``leads`` and ``unit`` where a row (or column) of names says them.

    Comma, semicolon (then with decimal commas too) and tab separate. Units may stand in the names: `V1 (uV)`, `V1_uV`.

    Raises:
        RecordError: "empty signal", "ambiguous unit".
        ValueError: for a cell that is no number.
    """
    text = path.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = max(";\t,", key=first.count)
    cells = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    words = [bool(cell) and not _is_number(cell) for cell in cells]
    if delimiter != ",":
        text = text.replace(",", ".")
    if len(cells) > 3 and not any(words[1:]) and lead_name(_column(cells[0])[0]):  # one row a lead, its name first
        rows = [line.partition(delimiter) for line in text.splitlines() if line.strip()]
        return _named(_numbers("\n".join(row[2] for row in rows), delimiter).T, [row[0].strip(' "') for row in rows])
    if any(words):
        text = text.partition("\n")[2]
    if not text.strip():
        raise RecordError("empty signal: no rows")
    table = _numbers(text, delimiter)
    if not any(words):
        has_time = table.shape[1] == len(LEADS) + 1 and bool(np.all(np.diff(table[:, 0]) > 0))
        return {"signal": table[:, 1:] if has_time else table}
    # Every named column but the time is a lead, known or to be dropped later by name.
    kept = [i for i, cell in enumerate(cells) if not _TIME.match(cell)]
    if table.shape[1] != len(cells):
        raise ValueError(f"{len(cells)} names over {table.shape[1]} columns")
    return _named(table[:, kept], [cells[i] for i in kept])


def _named(signal: NDArray[Any], names: list[str]) -> dict[str, NDArray[Any]]:
    columns = [_column(name) for name in names]
    arrays = {"signal": signal, "leads": np.array([name for name, _ in columns])}
    units = {unit for _, unit in columns if unit}
    if len(units) > 1:
        raise RecordError(f"ambiguous unit: {', '.join(sorted(units))} in one table")
    return arrays | ({"unit": np.array(units.pop())} if units else {})


def _numbers(text: str, delimiter: str) -> NDArray[np.float64]:
    try:
        return np.loadtxt(io.StringIO(text), delimiter=delimiter, ndmin=2)
    except ValueError:  # empty cells: slower, and gives NaN for them
        table = np.genfromtxt(io.StringIO(text), delimiter=delimiter)
        if table.ndim != 2:
            raise ValueError("it holds no table of numbers") from None
        return table


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _column(cell: str) -> tuple[str, str]:
    """Split `V1 (uV)` into name and unit."""
    match = _UNIT.match(cell)
    if match is None:
        return cell, ""
    name, unit, bare, suffix = match.groups()
    return (name, unit) if name is not None else (bare, suffix)
