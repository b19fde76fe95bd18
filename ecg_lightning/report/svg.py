"""Small charts as inline SVG: they take the page's colours, light and dark, and its text; a hundred of them stay small."""

from collections.abc import Sequence
from math import floor, log10
from typing import Literal, NamedTuple

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike

LEFT, RIGHT, TOP, BOTTOM = 56, 10, 8, 36
"""Margins around the plotted area, in units of the drawing: pixels where the page has room."""
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Axis(NamedTuple):
    """One axis: its label, its ends, and its ticks with their texts."""

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    @classmethod
    def share(cls, label: str) -> "Axis":
        """The axis of a number from 0 to 1."""
        return cls(label, 0, 1, [(tick / 4, f"{tick / 4:g}") for tick in range(5)])

    @classmethod
    def around(cls, label: str, values: ArrayLike, whole: bool = False) -> "Axis":
        """The axis that shows all of some values, from one round number to another.

        Args:
            label: of the axis.
            values: any numbers; those that are not finite are left out.
            whole: ticks at whole numbers alone.
        """
        from matplotlib.ticker import MaxNLocator

        finite = np.asarray(values, np.float64)
        finite = finite[np.isfinite(finite)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        first, last = low, high
        if low == high:
            margin = 1.0 if whole else abs(low) * 0.1 or 0.5
            low, high = low - margin, high + margin
        ticks = np.asarray(MaxNLocator(nbins=5, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
        if not whole:
            low, high = float(ticks[0]), float(ticks[-1])
        else:
            ticks = ticks[(first <= ticks) & (ticks <= last)]  # a single epoch has none beside it
        shown = [float(tick) for tick in ticks if low <= tick <= high]
        largest = max(map(abs, shown), default=1.0)
        power = floor(log10(largest)) if 0 < largest < 0.1 else 0  # so that no text is longer than its margin
        unit = f" (×10{str(power).translate(RAISED)})" if power else ""
        return cls(label + unit, low, high, [(tick, f"{tick / 10**power:.4g}") for tick in shown])


class Chart:
    """A chart that is drawn layer by layer; `svg` returns it.

    Args:
        description: what a screen reader says in place of the chart.
        x: the horizontal axis.
        y: the vertical axis.
        width: of the whole drawing.
        height: of the whole drawing.
    """

    def __init__(self, description: str, x: Axis, y: Axis, width: int = 250, height: int = 240) -> None:
        self.description, self.x, self.y, self.width, self.height = description, x, y, width, height
        self.layers: list[str] = []

    def band(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, series: int = 1) -> None:
        """Shades what lies between two lines over the same x, each (points,)."""
        x, low, high = (np.asarray(values, np.float64) for values in (x, low, high))
        defined = np.isfinite(low) & np.isfinite(high)
        if defined.any():
            x, low, high = x[defined], low[defined], high[defined]
            outline = self._path(np.append(x, x[::-1]), np.append(low, high[::-1]))
            self.layers.append(f'<path class="band s{series}" d="{outline}Z"/>')

    def line(self, x: ArrayLike, y: ArrayLike, series: int = 1, dashes: int = 0) -> None:
        """Draws a line through points, each (points,); it is interrupted where y is not finite.

        Args:
            x: of the points.
            y: of the points.
            series: number of its colour.
            dashes: number of its pattern; 0 for a whole line.
        """
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        pieces = np.split(np.arange(y.size), np.flatnonzero(np.diff(np.isfinite(y))) + 1)
        path = "".join(self._path(x[piece], y[piece]) for piece in pieces if piece.size and np.isfinite(y[piece[0]]))
        if path:
            self.layers.append(f'<path class="curve s{series} d{dashes}" d="{path}"/>')

    def points(self, x: ArrayLike, y: ArrayLike, series: int = 1, texts: Sequence[str] = ()) -> None:
        """Draws dots, each (points,); a pointer that rests on one shows its text."""
        for number, (left, top) in enumerate(self._places(x, y)):
            title = f"<title>{escape(texts[number])}</title>" if texts else ""
            self.layers.append(f'<circle class="dot s{series}" cx="{left:.5g}" cy="{top:.5g}" r="3.5">{title}</circle>')

    def whiskers(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, series: int = 1) -> None:
        """Draws vertical intervals, each (points,)."""
        ends = zip(self._places(x, low), self._places(x, high), strict=True)
        path = "".join(f"M{left:.5g} {bottom:.5g}V{top:.5g}" for (left, bottom), (_, top) in ends)
        self.layers.append(f'<path class="whisker s{series}" d="{path}"/>')

    def diagonal(self) -> None:
        """Draws the line of chance, or of perfect calibration."""
        ends = [self.x.low, self.x.high]
        self.layers.append(f'<path class="reference" d="{self._path(np.array(ends), np.array(ends))}"/>')

    def level(self, y: float) -> None:
        """Draws a horizontal line of reference."""
        self.layers.append(
            f'<path class="reference" d="{self._path(np.array([self.x.low, self.x.high]), np.array([y, y]))}"/>'
        )

    def mark(self, x: float, text: str, anchor: Literal["start", "end"] = "start") -> None:
        """Draws a vertical line of reference with a text at its top."""
        [(left, top)] = self._places([x], [self.y.high])
        bottom = self.height - BOTTOM
        side = 4 if anchor == "start" else -4
        self.layers.append(
            f'<path class="reference" d="M{left:.5g} {top:.5g}V{bottom}"/>'
            f'<text class="note" x="{left + side:.5g}" y="{top + 10:.5g}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def svg(self) -> Markup:
        """Returns the chart as an element of a page."""
        bottom, right = self.height - BOTTOM, self.width - RIGHT
        parts = [f'<path class="frame" d="M{LEFT} {TOP}V{bottom}H{right}"/>']
        for value, text in self.x.ticks:
            [(left, _)] = self._places([value], [self.y.low])
            parts.append(
                f'<text class="tick" x="{left:.5g}" y="{bottom + 14}" text-anchor="middle">{escape(text)}</text>'
            )
        for value, text in self.y.ticks:
            [(_, top)] = self._places([self.x.low], [value])
            parts.append(f'<path class="grid" d="M{LEFT} {top:.5g}H{right}"/>')
            parts.append(
                f'<text class="tick" x="{LEFT - 5}" y="{top + 3.5:.5g}" text-anchor="end">{escape(text)}</text>'
            )
        middle, half = (LEFT + right) / 2, (TOP + bottom) / 2
        parts.append(
            f'<text class="label" x="{middle:.5g}" y="{self.height - 5}" text-anchor="middle">{escape(self.x.label)}</text>'
        )
        parts.append(
            f'<text class="label" x="0" y="0" transform="translate(10 {half:.5g}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y.label)}</text>"
        )
        head = f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self.description)}">'
        return Markup(head + "".join([*parts, *self.layers]) + "</svg>")

    def _places(self, x: ArrayLike, y: ArrayLike) -> list[tuple[float, float]]:
        """Returns the places of points in the drawing, from its left and from its top."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        across, down = self.width - LEFT - RIGHT, self.height - TOP - BOTTOM
        left = LEFT + (x - self.x.low) / (self.x.high - self.x.low) * across
        top = TOP + (self.y.high - y) / (self.y.high - self.y.low) * down
        return list(zip(left.tolist(), top.tolist(), strict=True))

    def _path(self, x: ArrayLike, y: ArrayLike) -> str:
        """Returns a line through points as the commands of a path, to a tenth of a unit."""
        places = [f"{left:.1f} {top:.1f}" for left, top in self._places(x, y)]
        return f"M{places[0]}L{' '.join(places[1:])}" if len(places) > 1 else f"M{places[0]}h0"
