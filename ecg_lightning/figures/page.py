"""The page of a prediction: the ECG on paper with what speaks for its terms, and the probabilities with their thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from ecg_lightning.figures.paper import ecg_figure
from ecg_lightning.figures.shading import Shading
from ecg_lightning.figures.sheet import MARGIN
from ecg_lightning.figures.style import ACCENT, GREY, INK, LINE, MM, PALE, TRACK, write
from ecg_lightning.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 12
_COLUMNS, _COLUMN = 2, 135  # columns of bars, and mm that each needs
_BAR_LEFT, _BAR_LENGTH, _BAR_HEIGHT = 76.0, 30.0, 2.4  # mm
_MOST_CHARACTERS = 43  # of a term and its name, before a bar


@dataclass(frozen=True)
class Bar:
    """One term of a prediction.

    Attributes:
        term: its short name.
        name: what it means.
        probability: of the term.
        threshold: probability from which it is positive.
        positive: whether it is.
    """

    term: str
    name: str
    probability: float
    threshold: float
    positive: bool


def prediction_page(
    record: Record,
    bars: Sequence[Bar],
    *,
    shadings: Sequence[tuple[str, Shading]] = (),
    title: str = "",
    notes: Sequence[str] = (),
) -> "Figure":
    """Draws the page of one recording.

    Args:
        record: the recording.
        bars: the terms in the order in which they are shown; of more than `MOST_BARS`, a line counts the rest.
        shadings: see `ecg_figure`; a line names the term of the first.
        title: a line above the ECG.
        notes: lines below it.
    """
    shown = bars[:MOST_BARS]
    lines = list(notes)
    if shadings:
        others = "; in the rows below, for the term that is named there" if len(shadings) > 1 else ""
        lines.insert(0, f"shaded: what speaks for {shadings[0][0]}{others} (integrated gradients)")
    if len(bars) > len(shown):
        lines.append(
            f"bars: the {len(shown)} of {len(bars)} terms that are farthest over or nearest to their thresholds"
        )
    rows = ceil(len(shown) / _COLUMNS)
    height = LINE * (rows + 0.5)
    width = 2 * MARGIN + _COLUMNS * _COLUMN
    figure = ecg_figure(record, title=title, notes=lines, shadings=shadings, below=height, least_width=width)
    axes = figure.axes[0]
    top = axes.get_ylim()[0] + MARGIN + height
    for number, bar in enumerate(shown):
        column, row = divmod(number, rows)
        _draw_bar(axes, MARGIN + column * _COLUMN, top - LINE * (row + 1.5), bar)
    return figure


def _draw_bar(axes: "Axes", left: float, y: float, bar: Bar) -> None:
    """Draws the name of a term, its probability as a bar, and its threshold as a mark across the bar."""
    text = f"{bar.term}  {bar.name}" if bar.name and bar.name != bar.term else bar.term
    if len(text) > _MOST_CHARACTERS:
        text = text[: _MOST_CHARACTERS - 1].rstrip() + "…"
    start, end = left + _BAR_LEFT, left + _BAR_LEFT + _BAR_LENGTH
    low, high = y - 0.3, y - 0.3 + _BAR_HEIGHT

    def fill(right: float, colour: str, zorder: float) -> None:
        axes.fill([start, right, right, start], [low, low, high, high], color=colour, linewidth=0, zorder=zorder)

    fill(end, TRACK, 1)
    fill(start + _BAR_LENGTH * bar.probability, ACCENT if bar.positive else PALE, 2)
    mark = start + _BAR_LENGTH * bar.threshold
    axes.plot([mark, mark], [low - 0.5, high + 0.5], color=INK, linewidth=0.4 * MM, zorder=3)
    weight = "bold" if bar.positive else "normal"
    write(axes, left, y, text, weight=weight, colour=INK if bar.positive else GREY)
    numbers = f"{_number(bar.probability)} {'≥' if bar.positive else '<'} {_number(bar.threshold)}"
    write(axes, end + 2, y, numbers, weight=weight, colour=INK if bar.positive else GREY)


def _number(probability: float) -> str:
    """Returns a probability with two decimals, or two digits where it is small."""
    return f"{probability:.2f}" if probability >= 0.095 or probability == 0 else f"{probability:.2g}"
