"""Tables of a page, as data for its template, and how numbers are written in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

NOTHING = "–"
"""What stands for a number that does not exist."""
ALIKE = "no interval"
"""What stands for an interval without a width."""


@dataclass(frozen=True)
class Cell:
    """One cell: its text, a smaller text below it, the value by which it is sorted, and a drawing of its interval."""

    text: str
    small: str = ""
    value: float | str | None = None
    forest: Markup | None = None


@dataclass(frozen=True)
class Column:
    """The head of one column, and a sentence that explains it."""

    title: str
    help: str = ""
    is_text: bool = False


@dataclass(frozen=True)
class Row:
    """One row: its head, its cells, where its head leads, and whether it sums up the others."""

    head: Cell
    cells: Sequence[Cell]
    link: str = ""
    is_whole: bool = False


@dataclass(frozen=True)
class Table:
    """A table with its caption; the first column holds the heads of the rows."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row] = field(default_factory=tuple)
    sortable: bool = False


@dataclass(frozen=True)
class Fact:
    """One of the numbers on top of a page."""

    label: str
    text: str
    small: str = ""


def fixed(value: float | None, digits: int = 3) -> str:
    """Writes a number with so many digits; a dash where there is none.

    >>> fixed(0.96449), fixed(None)
    ('0.964', '–')
    """
    return NOTHING if value is None else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """Writes a difference with its sign.

    >>> signed(-0.0123), signed(0.5)
    ('−0.012', '+0.500')
    """
    return NOTHING if value is None else f"{value:+.3f}".replace("-", "−")


def bounds(values: Mapping[str, Any] | None, with_sign: bool = False) -> str:
    """Writes the bounds of an interval as `test.json` has it; nothing where there are none.

    Where all resamples give the same number, as when no positive is missed, bounds would look like certainty; and a number that
    rests on one patient has none.

    >>> bounds({"low": 0.931, "high": 0.979}), bounds({"low": -0.02, "high": 0.01}, with_sign=True)
    ('0.931–0.979', '−0.020 to +0.010')
    """
    if not values or values.get("low") is None or values.get("high") is None:
        return ALIKE if values and values.get("value") is not None else ""
    if values["low"] == values["high"]:
        return ALIKE
    if with_sign:
        return f"{signed(values['low'])} to {signed(values['high'])}"
    return f"{fixed(values['low'])}–{fixed(values['high'])}"


def estimate(values: Mapping[str, Any] | None, with_sign: bool = False) -> Cell:
    """Returns the cell of a number with its interval."""
    value = (values or {}).get("value")
    return Cell((signed if with_sign else fixed)(value), bounds(values, with_sign), value)


def whole(count: int | None) -> Cell:
    """Returns the cell of a count."""
    return Cell(NOTHING if count is None else f"{count:,}", value=count)


def p_value(value: float | None) -> str:
    """Writes a p-value.

    >>> p_value(0.0004), p_value(0.0312)
    ('< 0.001', '0.031')
    """
    return "< 0.001" if value is not None and value < 0.001 else fixed(value)
