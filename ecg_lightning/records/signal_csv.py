"""Signals in CSV files: one column a lead (or one row), with or without names, units, running numbers, and times.

What is taken from a file: names of leads; units behind the names (`V1 (uV)`, `V1_uV`) or in a line of their own; the
rate from a column of times, or from comments at the beginning (`# sampling rate: 500 Hz`). Running numbers over the
columns or before the lines are no samples. Anything else is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.csv_table import Table, is_number, is_running
from ecg_lightning.records.files import decoded, read_bytes
from ecg_lightning.records.leads import lead_name
from ecg_lightning.records.missing import stated
from ecg_lightning.records.record import RecordError
from ecg_lightning.records.times import check_rate, is_count, rate_of_times, time_unit

_MOST_BYTES = 1 << 29
_UNIT = re.compile(r"(.*?)\s*[\[(]\s*([^\])]*)\s*[\])]$|(.+?)[\s_]+([munµμ]?V|m?s|[uµμn]s)$", re.IGNORECASE)
_VOLTAGE = re.compile(r"[munµμ]?V", re.IGNORECASE)
_TIME = re.compile(
    r"(?:elapsed )?(?:time|times|timestamp|zeit|temps|tiempo|tempo|tid|t|seconds|sec|milliseconds)\b.*|m?s",
    re.IGNORECASE,
)
_COUNT = re.compile(
    r"(?:unnamed: 0|index|idx|#|n|nr|no|number|row|id|samples?(?:[\s_](?:no|nr|number|index|id))?)\.?|", re.IGNORECASE
)
_RATE_COMMENT = re.compile(r"\b(?:sampling|sample)[\s_-]*(?:rate|frequency)|\bfs\b", re.IGNORECASE)
_UNIT_COMMENT = re.compile(r"\bunits?\b\s*[:=,;]?\s*([munµμ]?V)\b", re.IGNORECASE)
_HERTZ = re.compile(r"(\d+(?:\.\d+)?)\s*(k?)(?:Hz)?\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Column:
    """What the head of a column says of it."""

    name: str = ""
    unit: str = ""


def open_csv(path: Path) -> dict[str, NDArray[Any]]:
    """Reads `signal`, and `leads`, `units` and `fs` where the file says them.

    Raises:
        RecordError: "empty signal", "unreadable file", "ambiguous unit", "uneven times", "contradictory sampling rate".
    """
    table = Table(decoded(read_bytes(path, most=_MOST_BYTES)[0]))
    if not table.lines:
        raise RecordError("empty signal: no rows")
    if sum(bool(_column(cell).name and lead_name(_column(cell).name)) for cell in table.first_cells()[:100]) > 1:
        columns, values = _of_rows(table)
    else:
        columns, values = _of_columns(table)
    arrays = _recording(columns, values)
    for comment in table.comments:
        _add_comment(arrays, comment)
    return arrays


def _of_columns(table: Table) -> tuple[list[_Column], NDArray[np.float64]]:
    """What the first lines say of each column, and the numbers below."""
    heads: list[list[str]] = []
    while len(heads) < len(table.lines) and _is_head(cells := table.cells(len(heads)), first=not heads):
        heads.append(cells)
    if len(heads) == len(table.lines):
        leads = any(lead_name(_column(cell).name) for cell in heads[0])
        raise RecordError("empty signal: no rows" if leads else "unreadable file: no line of numbers")
    if len(heads) > 2:
        raise RecordError(f"unreadable file: line 3 holds no numbers: {', '.join(heads[2])[:80]}")
    names, units = ([], heads[0]) if len(heads) == 1 and _are_units(heads[0]) else (*heads, [], [])[:2]
    if len(heads) == 2 and not _are_units(units):
        raise RecordError(f"unreadable file: line 2 holds neither numbers nor units: {', '.join(units)[:80]}")
    width = len(names or units)
    columns = [_column(name) for name in names] or [_Column()] * width
    required = {i for i, column in enumerate(columns) if lead_name(column.name) or _TIME.fullmatch(column.name)}
    values = table.numbers(len(heads), required=required or None)
    if heads and values.shape[1] != width:
        raise RecordError(f"unreadable file: {width} names over {values.shape[1]} columns")
    columns = columns or [_Column()] * values.shape[1]
    if units:
        columns = [_with_unit(column, unit) for column, unit in zip(columns, units, strict=True)]
    if is_running([column.name for column in columns if column.name and is_number(column.name)]):
        columns = [_Column("" if is_number(column.name) else column.name, column.unit) for column in columns]
    return columns, values


def _is_head(cells: Sequence[str], first: bool) -> bool:
    """Whether a line says something of the columns: words, or in the first line running numbers."""
    non_empty = [cell for cell in cells if stated(cell)]
    numbers = [cell for cell in non_empty if is_number(cell)]
    if first and (is_running(non_empty) or (is_running(non_empty[1:]) and not is_number(non_empty[0]))):
        return True
    return bool(non_empty) and len(numbers) <= len(non_empty) / 2


def _of_rows(table: Table) -> tuple[list[_Column], NDArray[np.float64]]:
    """The same of a table with one lead a line: its name, perhaps its unit, and its samples."""
    firsts = table.first_cells()
    start = 0 if lead_name(_column(firsts[0]).name) or _TIME.fullmatch(_column(firsts[0]).name) else 1
    units = [table.cells(number)[1] for number in range(start, len(firsts))]
    skip_cells = 2 if all(map(_VOLTAGE.fullmatch, map(_bare, units))) else 1
    columns = [_column(name) for name in firsts[start:]]
    if skip_cells == 2:
        columns = [_with_unit(column, unit) for column, unit in zip(columns, units, strict=True)]
    values = table.numbers(start, skip_cells).T
    if start:  # a line above the first lead: running numbers, or times
        row_above = [cell for cell in table.cells(0)[skip_cells:] if cell]
        if all(map(is_number, row_above)) and len(row_above) == len(values):
            return [_Column(), *columns], np.column_stack(
                [np.array([float(cell.replace(",", ".")) for cell in row_above]), values]
            )
        if any(map(is_number, row_above)):
            raise RecordError(
                f"unreadable file: line 1 is neither of leads nor of times: {', '.join(table.cells(0))[:80]}"
            )
    return columns, values


def _recording(columns: Sequence[_Column], values: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Tells leads from times and running numbers."""
    has_names = any(column.name for column in columns)
    if not has_names and len(values) < values.shape[1]:  # one line a lead without its name, perhaps numbered
        values = (values[:, 1:] if is_count(values[:, 0]) else values).T
        columns = [_Column()] * values.shape[1]
    rates: list[float] = []
    signal_columns: list[int] = []
    for place, column in enumerate(columns):
        numbers = values[:, place]
        if not column.name and np.isnan(numbers).all():
            continue  # behind a separator at the end of each line
        if _TIME.fullmatch(column.name) or (not column.name and place == 0 and _rises(numbers)):
            if not is_count(numbers) or column.unit:
                rates.append(rate_of_times(numbers, time_unit(column.unit) or time_unit(column.name)))
        elif column.name and _COUNT.fullmatch(column.name):
            if not is_count(numbers):
                raise RecordError(f"uneven times: the column '{column.name}' does not rise by one; remove it")
        else:
            signal_columns.append(place)
    arrays: dict[str, NDArray[Any]] = {"signal": values[:, signal_columns]}
    if any(columns[place].name for place in signal_columns):
        arrays["leads"] = np.array([columns[place].name for place in signal_columns])
    units = [columns[place].unit for place in signal_columns]
    if any(units):
        arrays["units"] = np.array(units)
    for rate in rates:
        check_rate(rate, rates[0], "in one column of times")
        arrays["fs"] = np.array(rates[0])
    return arrays


def _rises(values: NDArray[np.float64]) -> bool:
    """Whether every value is larger than the one before: times or a count, and no lead."""
    return len(values) > 2 and bool(np.all(np.diff(values) > 0))


def _add_comment(arrays: dict[str, NDArray[Any]], comment: str) -> None:
    """Takes a rate and a unit from a comment, which must agree with what the table says."""
    rate_comment = _RATE_COMMENT.search(comment)
    if rate_comment and (match := _HERTZ.search(comment, rate_comment.end())):
        rate = float(match[1]) * (1000 if match[2] else 1)
        check_rate(float(arrays["fs"]) if "fs" in arrays else rate, rate, "by its column of times")
        arrays.setdefault("fs", np.array(rate))
    if match := _UNIT_COMMENT.search(comment):
        arrays.setdefault("units", np.array([match[1]]))


def _column(cell: str) -> _Column:
    """Splits `V1 (uV)` into name and unit; what stands in brackets and is no unit belongs to the name."""
    match = _UNIT.match(cell)
    if match is None:
        return _Column(cell)
    name, unit, bare, suffix = match.groups()
    if name is None:
        return _Column(bare, suffix)
    return _Column(name, unit) if _VOLTAGE.fullmatch(unit) or time_unit(unit) else _Column(cell)


def _bare(cell: str) -> str:
    return cell.strip(" []()")


def _are_units(cells: Sequence[str]) -> bool:
    """Whether a line is one of units: voltages, and perhaps a time."""
    units = [_bare(cell) for cell in cells if cell]
    voltages = sum(_VOLTAGE.fullmatch(unit) is not None for unit in units)
    return voltages > 0 and voltages >= len(units) / 2


def _with_unit(column: _Column, cell: str) -> _Column:
    unit = _bare(cell)
    if unit and column.unit and unit.casefold() != column.unit.casefold():
        raise RecordError(f"ambiguous unit: the column '{column.name}' has two units, {column.unit} and {unit}")
    return _Column(column.name, unit or column.unit)
