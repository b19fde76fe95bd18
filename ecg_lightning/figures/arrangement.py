"""Which part of which lead is where on a sheet: 3 × 4 and a rhythm strip, and what suits other recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from ecg_lightning.records import LEADS

TEN_SECONDS = 10.0
_LONGEST_LINE = 10.5  # s; recordings of 10.24 s (CODE) fit in one line
_SHORTEST_QUARTERS = 8.0  # s; below, a quarter has too few beats
_SHORTEST_HALVES = 5.0
_MOST_LINES = 12  # of single leads
_MOST_RHYTHM_LINES = 6
_RHYTHM_LEADS = ("II", "V1", "I", "V5")  # the first that was recorded is the rhythm strip


@dataclass(frozen=True)
class Strip:
    """A part of one lead, drawn from left to right.

    Attributes:
        lead: its name.
        row: counted from the top.
        left: seconds between the left edge of the traces and the beginning of the strip.
        start: second of the recording at which it begins.
        stop: second at which it ends.
        label: text at its beginning.
        shading: which of the shadings it gets.
    """

    lead: str
    row: int
    left: float
    start: float
    stop: float
    label: str
    shading: int = 0


def arrange(leads: Sequence[str], start: float, stop: float) -> list[Strip]:
    """Returns the strips of a sheet, row by row.

    | recording | strips |
    |---|---|
    | up to three leads | one row a lead, in lines of ten seconds |
    | limb leads alone | 3 × 2, and a rhythm strip |
    | 8 s and more | 3 × 4, one quarter of the first ten seconds a column, and a rhythm strip in lines of ten seconds |
    | below 8 s | 6 × 2, one half a column, and a rhythm strip; below 5 s every lead whole |

    Args:
        leads: the leads that were recorded, in any order; in the 3 × 4 and the 6 × 2 all twelve have a place.
        start: first second that is shown.
        stop: the last.
    """
    recorded = [lead for lead in LEADS if lead in leads]
    seconds = stop - start
    if len(recorded) <= 3:
        return _lines(recorded, 0, start, stop, _MOST_LINES // max(1, len(recorded)))
    if not {*recorded} & {*LEADS[6:]}:
        rows = [LEADS[row:6:3] for row in range(3)]
    elif seconds < _SHORTEST_QUARTERS:
        rows = [LEADS[row::6] for row in range(6)]
    else:
        rows = [LEADS[row::3] for row in range(3)]
    columns = len(rows[0])
    whole = seconds < _SHORTEST_HALVES
    shown = seconds if seconds <= _LONGEST_LINE else TEN_SECONDS
    width = shown if whole else shown / columns
    strips = [
        Strip(lead, row, column * width, begin := start + (0 if whole else column * width), begin + width, lead)
        for row, names in enumerate(rows)
        for column, lead in enumerate(names)
    ]
    if whole:
        return strips
    rhythm = next((lead for lead in _RHYTHM_LEADS if lead in recorded), recorded[0])
    return strips + _lines([rhythm], len(rows), start, stop, _MOST_RHYTHM_LINES)


def _lines(leads: Sequence[str], row: int, start: float, stop: float, most: int) -> list[Strip]:
    """Returns whole leads in lines of ten seconds, all leads of a line below each other.

    Args:
        leads: their names.
        row: that of the first line.
        start: first second.
        stop: last second.
        most: lines; what is beyond is not shown.
    """
    length = stop - start if stop - start <= _LONGEST_LINE else TEN_SECONDS
    count = min(most, max(1, ceil(round((stop - start) / length, 6))))
    return [
        Strip(
            lead,
            row + line * len(leads) + k,
            left=0,
            start=(begin := start + line * length),
            stop=min(begin + length, stop),
            label=f"{lead}  {begin:g} s" if line else lead,
        )
        for line in range(count)
        for k, lead in enumerate(leads)
    ]


def shown_until(strips: Sequence[Strip]) -> float:
    """Returns the last second of the recording that any strip shows."""
    return max((strip.stop for strip in strips), default=0.0)
