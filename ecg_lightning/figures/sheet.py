"""The plan of a sheet of ECG paper: where each trace and label is, in millimetres; without matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.figures.arrangement import Strip
from ecg_lightning.records import LEADS, Record

SPEED = 25.0
"""mm/s."""
GAINS = {10.0: 50.0, 5.0: 40.0, 2.5: 25.0}
"""mm/mV: the standard, and what is used where a recording is too large for it; with the mm above or below its line at which a
trace is cut, and marked."""
LIMIT = GAINS[10.0]
"""That of another gain, mm."""
SQUARE = 5
"""mm of a large square of the paper; rows and edges are on its lines."""
MARGIN = 5
"""mm around the grid."""
TRACES = 15
"""mm from the left edge of the sheet to the traces; before them is the calibration mark."""
PULSE_LEFT, PULSE_WIDTH = 8, 5
"""mm from the left edge to the calibration mark's rise, and its width: 200 ms."""
LABEL_WIDTH, LABEL_HEIGHT = 2.2, 3.5
"""mm of a character of a label, and of a line."""
_LEAST_DISTANCE = 20.0  # mm between rows
_GAP = 2.0  # mm between what is drawn in two rows
_BEYOND = 0.02  # s of a strip that may be beyond the limit: a spike, and not every R wave


@dataclass(frozen=True, eq=False)
class Trace:
    """A strip on the sheet.

    Attributes:
        strip: which part of which lead.
        times: (samples,) seconds of the recording.
        x: (samples,) mm from the left edge of the sheet.
        y: (samples,) mm above the row's line.
        cut: (samples,) whether a sample is beyond the limit.
        label_y: mm above the row's line at which the label stands.
        missing: whether the lead was not recorded; it has no samples.
    """

    strip: Strip
    times: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    cut: NDArray[np.bool_]
    label_y: float
    missing: bool

    @property
    def left(self) -> float:
        """Mm from the left edge of the sheet to the beginning of the strip."""
        return TRACES + SPEED * self.strip.left


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sheet; the origin of the heights is the lower edge of the grid.

    Attributes:
        width: mm, from edge to edge of the sheet.
        height: mm, of the grid.
        gain: mm/mV.
        lines: height of each row's line (the median of a strip), mm.
        traces: the strips.
    """

    width: int
    height: int
    gain: float
    lines: tuple[float, ...]
    traces: tuple[Trace, ...]

    @property
    def cut_leads(self) -> list[str]:
        """The leads that go beyond the paper somewhere."""
        cut = {trace.strip.lead for trace in self.traces if trace.cut.any()}
        return [lead for lead in LEADS if lead in cut]


def plan(record: Record, strips: Sequence[Strip], gain: float | None = None, least_width: int = 0) -> Sheet:
    """Plans a sheet on which no two traces touch.

    Neighbouring rows are as far apart as their traces need at each place, in whole large squares.

    Args:
        record: the recording.
        strips: of the arrangement.
        gain: mm/mV; the largest of `GAINS` at which the recording fits by default.
        least_width: mm.
    """
    gain = _gain(record, strips) if gain is None else gain
    traces = tuple(_trace(record, strip, gain) for strip in strips)
    width = max(least_width, _whole(max(trace.left + SPEED * _seconds(trace.strip) for trace in traces) + 1) + MARGIN)
    rows = [_envelope(traces, row, width, gain) for row in range(max(strip.row for strip in strips) + 1)]
    distances = [
        _whole(max(_LEAST_DISTANCE, float((upper[0] + lower[1]).max()) + _GAP)) for upper, lower in pairwise(rows)
    ]
    below, above = (_whole(float(rows[end][side].max()) + _GAP) for end, side in ((-1, 0), (0, 1)))
    lines = tuple(float(below + sum(distances[row:])) for row in range(len(rows)))
    return Sheet(width, below + sum(distances) + above, gain, lines, traces)


def _seconds(strip: Strip) -> float:
    return strip.stop - strip.start


def _whole(length: float) -> int:
    """Returns a length, rounded up to whole large squares."""
    return SQUARE * ceil(round(length / SQUARE, 6))


def _samples(record: Record, strip: Strip) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the seconds and the millivolts of a strip, whose median is 0."""
    rate = record.sampling_rate
    first, last = (round(moment * rate) for moment in (strip.start, strip.stop))
    # one sample more, so that the strips of one lead meet without a gap
    values = record.signal[LEADS.index(strip.lead), first : last + 1].astype(np.float64)
    times = np.arange(first, first + len(values)) / rate
    return times, values - (np.median(values) if len(values) else 0.0)


def _trace(record: Record, strip: Strip, gain: float) -> Trace:
    left = TRACES + SPEED * strip.left
    if f"missing:{strip.lead}" in record.quality:
        nothing = np.empty(0)
        return Trace(strip, nothing, nothing, nothing, np.empty(0, np.bool_), SQUARE, missing=True)
    times, millivolts = _samples(record, strip)
    x, y = left + SPEED * (times - strip.start), gain * millivolts
    limit = GAINS.get(gain, LIMIT)
    cut = np.abs(y) > limit
    y = np.clip(y, -limit, limit)
    beside = y[x < left + 1 + LABEL_WIDTH * (len(strip.label) + 1)]
    return Trace(strip, times, x, y, cut, max(SQUARE, float(beside.max(initial=0)) + 1), missing=False)


def _gain(record: Record, strips: Sequence[Strip]) -> float:
    """Returns the largest gain at which almost no sample of any lead is beyond the limit."""
    spike = int(_BEYOND * record.sampling_rate)
    strips_millivolts = [np.sort(np.abs(_samples(record, strip)[1])) for strip in strips]
    needed = max((float(y[-1 - min(spike, len(y) - 1)]) for y in strips_millivolts if len(y)), default=0.0)
    return next((gain for gain, limit in GAINS.items() if gain * needed <= limit), min(GAINS))


def _envelope(
    traces: Sequence[Trace], row: int, width: int, gain: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns how far a row goes down and up from its line, mm, in each millimetre of the width."""
    down, up = np.full(width + 2, 3.0), np.full(width + 2, 3.0)
    up[PULSE_LEFT - 2 : PULSE_LEFT + PULSE_WIDTH + 3] = gain + 1
    for trace in traces:
        if trace.strip.row != row:
            continue
        label = slice(int(trace.left), int(trace.left + 2 + LABEL_WIDTH * len(trace.strip.label)) + 1)
        up[label] = np.maximum(up[label], trace.label_y + LABEL_HEIGHT)
        for place in (np.floor(trace.x), np.ceil(trace.x)):  # a line between two samples is in both millimetres
            columns = place.astype(np.int64)
            np.maximum.at(up, columns, trace.y)
            np.maximum.at(down, columns, -trace.y)
    return down, up
