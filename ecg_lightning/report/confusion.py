"""Confusion between terms, as a table of cells for few terms and as a drawing for many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

MOST_CELLS = 12
"""Terms up to which the matrix is a table with numbers."""
SHADES = 8
SIZE = 10  # of a cell of the drawing
LETTER = 4.6  # width of a letter of a name
LONGEST = 16  # letters of a name that are shown


@dataclass(frozen=True)
class HeatCell:
    """A cell of the matrix: its text, how strongly it is shaded (0 to 1), and whether it is on the diagonal."""

    text: str
    share: float
    is_diagonal: bool


@dataclass(frozen=True)
class Heat:
    """The matrix as a table: the names of the terms, and a row of cells for each."""

    terms: Sequence[str]
    rows: Sequence[tuple[str, Sequence[HeatCell]]]


def heat_table(terms: Sequence[str], shares: NDArray[np.float64]) -> Heat:
    """Returns the matrix with percentages.

    Args:
        terms: the names.
        shares: (terms, terms), see `confusion_between`.
    """
    rows = [
        (
            there,
            [
                HeatCell(
                    "–" if np.isnan(share) else f"{100 * share:.0f}",
                    0.0 if np.isnan(share) else float(share),
                    row == column,
                )
                for column, share in enumerate(shares[row].tolist())
            ],
        )
        for row, there in enumerate(terms)
    ]
    return Heat(terms, rows)


def heat_map(terms: Sequence[str], shares: NDArray[np.float64]) -> Markup:
    """Draws the matrix: a square for each pair, the stronger the more often the column's term is called."""
    names = [term if len(term) <= LONGEST else f"{term[: LONGEST - 1]}…" for term in terms]
    margin = round(8 + LETTER * max(map(len, names)))
    side = margin + SIZE * len(terms)
    text = (
        f"Confusion between {len(terms)} terms: a row is a term that is there, a column a term that is called. "
        "The table of the most frequent confusions says the same in numbers."
    )
    parts = [f'<svg class="heatmap" viewBox="0 0 {side} {side}" role="img" aria-label="{text}">']
    paths: dict[tuple[bool, int], list[str]] = {}
    for row, column in np.argwhere(np.nan_to_num(shares) > 0).tolist():
        shade = max(1, round(SHADES * shares[row, column]))
        place = f"M{margin + SIZE * column} {margin + SIZE * row}h{SIZE - 1}v{SIZE - 1}h{1 - SIZE}Z"
        paths.setdefault((row == column, shade), []).append(place)
    for (is_diagonal, shade), places in sorted(paths.items()):
        kind = "own" if is_diagonal else "other"
        parts.append(f'<path class="{kind}" opacity="{shade / SHADES:.3g}" d="{"".join(places)}"/>')
    for number, name in enumerate(names):
        middle = margin + SIZE * number + 7
        parts.append(f'<text x="{margin - 4}" y="{middle}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<text transform="translate({middle} {margin - 4}) rotate(-90)">{escape(name)}</text>')
    return Markup("".join([*parts, "</svg>"]))
