"""An ECG on standard paper: 25 mm/s, 10 mm/mV, with grid, calibration mark and lead names; one millimetre is one millimetre."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.errors import UserError
from ecg_lightning.figures.arrangement import Strip, arrange, shown_until
from ecg_lightning.figures.shading import LEVELS, Shading, levels_at
from ecg_lightning.figures.sheet import MARGIN, PULSE_LEFT, PULSE_WIDTH, SPEED, SQUARE, Sheet, Trace, plan
from ecg_lightning.figures.style import GREY, INK, LARGE_GRID, LINE, MM, SHADE, SMALL_GRID, wrap, write
from ecg_lightning.records import LEADS, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TRACE_WIDTH, _SHADING_WIDTH = 0.3, 2.4  # mm
_SHADING_ALPHA = 0.3  # of one level; the levels lie on each other
_TICK = 3  # mm of the mark between two leads of a row, above and below the line


def ecg_figure(
    record: Record,
    *,
    title: str = "",
    notes: Sequence[str] = (),
    start: float = 0.0,
    gain: float | None = None,
    shadings: Sequence[tuple[str, Shading]] = (),
    below: float = 0.0,
    least_width: int = 130,
) -> "Figure":
    """Draws a recording on paper; `figure.axes[0]` has millimetres as its coordinates.

    Nothing is filtered; the median of each strip is on its line. Leads that were not recorded have no trace, and the text
    below the grid names them. A recording that is too large for 10 mm/mV is drawn at 5 or 2.5 mm/mV, and that text says
    so. No name and no id is drawn but what `title` says.

    Args:
        record: the recording.
        title: a line above the grid.
        notes: lines below the grid, for example flags of quality.
        start: first second that is shown.
        gain: mm/mV, in place of the automatic one.
        shadings: what is shaded, each with the name of its term: the first on all strips, each other one on a strip of
            its own with the lead that it shades most.
        below: mm of free room below the notes.
        least_width: mm of the sheet.

    Raises:
        UserError: where the recording does not reach to `start`, or the gain is not possible.
    """
    seconds = record.signal.shape[1] / record.sampling_rate
    if not 0 <= start < seconds:
        raise UserError(
            f"The recording has {seconds:.4g} seconds: it cannot be drawn from second {start:g}. Choose an earlier start."
        )
    if gain is not None and not 0 < gain <= 100:
        raise UserError(f"A gain of {gain:g} mm/mV is not possible. Choose one above 0, up to 100; the standard is 10.")
    recorded = [lead for lead in LEADS if f"missing:{lead}" not in record.quality]
    strips = arrange(recorded, start, seconds)
    sheet = plan(record, [*strips, *_strips_of_terms(shadings[1:], strips)], gain, least_width)
    text = [part for line in [*_scale(record, sheet, start), *notes] for part in wrap(line, sheet.width - 2 * MARGIN)]
    axes = _empty(sheet, MARGIN + LINE * bool(title), MARGIN + LINE * len(text) + below)
    for trace in sheet.traces:
        _draw_trace(axes, sheet, trace, [shading for _, shading in shadings])
    _draw_pulses(axes, sheet)
    if title:
        write(axes, MARGIN, sheet.height + 1.5, title, weight="bold")
    for number, line in enumerate(text, 1):
        write(axes, MARGIN, -LINE * number, line, colour=GREY)
    figure: Figure = axes.figure  # type: ignore[assignment]
    return figure


def _strips_of_terms(shadings: Sequence[tuple[str, Shading]], strips: Sequence[Strip]) -> list[Strip]:
    """Returns a strip in a row of its own for each shading, as long as the longest one of the sheet."""
    if not shadings:
        return []
    longest = max(strips, key=lambda strip: strip.stop - strip.start)
    rows = max(strip.row for strip in strips) + 1
    leads = [LEADS[shading.strongest_lead()] for _, shading in shadings]
    return [
        replace(longest, lead=lead, row=rows + number, left=0, label=f"{lead}: {term}", shading=number + 1)
        for number, (lead, (term, _)) in enumerate(zip(leads, shadings, strict=True))
    ]


def _scale(record: Record, sheet: Sheet, start: float) -> list[str]:
    """Returns the lines below the grid that say the scale, and what of the recording is not on the sheet."""
    seconds = record.signal.shape[1] / record.sampling_rate
    until = shown_until([trace.strip for trace in sheet.traces])
    scale = f"{SPEED:g} mm/s   {sheet.gain:g} mm/mV   {record.sampling_rate:g} Hz"
    scale += f"   seconds {start:g} to {round(until, 2):g}"
    if until < seconds - 0.5 / record.sampling_rate:
        scale += f" of {round(seconds, 2):g}"
    missing = [flag.removeprefix("missing:") for flag in record.quality if flag.startswith("missing:")]
    lines = [scale]
    if missing:
        lines.append(f"not recorded: {', '.join(missing)}")
    if sheet.cut_leads:
        lines.append(f"beyond the paper, and cut where triangles are: {', '.join(sheet.cut_leads)}")
    return lines


def _empty(sheet: Sheet, above: float, below: float) -> "Axes":
    """Makes a figure with a grid; the axes fill it, and their coordinates are millimetres from the grid's lower edge."""
    from matplotlib.figure import Figure

    millimetres = np.array([sheet.width, sheet.height + above + below])
    # a hair more, so that no pixel is lost when pixels are counted
    figure = Figure(figsize=tuple((millimetres + 1e-6) / 25.4), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, sheet.width)
    axes.set_ylim(-below, sheet.height + above)
    left, right = MARGIN, sheet.width - MARGIN
    for step, colour, width in ((1, SMALL_GRID, 0.1), (SQUARE, LARGE_GRID, 0.2)):
        across = [(x, x, 0, sheet.height) for x in range(left, right + 1, step)]
        along = [(left, right, y, y) for y in range(0, sheet.height + 1, step)]
        ends = np.array(across + along, float)
        gaps = np.full((len(ends), 1), np.nan)
        x, y = (np.hstack([pair, gaps]).ravel() for pair in (ends[:, :2], ends[:, 2:]))
        axes.plot(x, y, color=colour, linewidth=width * MM, zorder=step / SQUARE, gid=f"grid_{step}mm")
    return axes


def _draw_trace(axes: "Axes", sheet: Sheet, trace: Trace, shadings: Sequence[Shading]) -> None:
    """Draws one strip: its shading, its trace, its name, and a mark where it follows another lead."""
    strip = trace.strip
    line = sheet.lines[strip.row]
    write(axes, trace.left + 1, line + trace.label_y, strip.label, weight="bold")
    if strip.left > 0:
        axes.plot([trace.left] * 2, [line - _TICK, line + _TICK], color=INK, linewidth=0.2 * MM, zorder=4)
    if trace.missing:
        write(axes, trace.left + 1, line, "not recorded", colour=GREY)
        return
    y = line + trace.y
    if strip.shading < len(shadings):
        _shade(axes, strip, trace, y, shadings[strip.shading])
    axes.plot(
        trace.x, y, color=INK, linewidth=_TRACE_WIDTH * MM, solid_joinstyle="round", zorder=5, gid=f"lead_{strip.lead}"
    )
    for first, last in _runs(trace.cut):
        x, edge = trace.x[first:last].mean(), y[first]
        marker = "^" if edge > line else "v"
        axes.plot([x], [edge], marker=marker, color=INK, markersize=2 * MM, linestyle="none", zorder=6)


def _shade(axes: "Axes", strip: Strip, trace: Trace, y: NDArray[np.float64], shading: Shading) -> None:
    """Draws a broad line below the trace, the stronger the more a moment speaks for the term."""
    reached = levels_at(shading.smoothed()[LEADS.index(strip.lead)], shading, trace.times)
    for level in range(1, len(LEVELS) + 1):
        if (reached >= level).any():
            axes.plot(
                trace.x,
                np.where(reached >= level, y, np.nan),
                color=SHADE,
                alpha=_SHADING_ALPHA,
                linewidth=_SHADING_WIDTH * MM,
                solid_capstyle="round",
                solid_joinstyle="round",
                zorder=3,
                gid=f"shading_{strip.lead}",
            )


def _draw_pulses(axes: "Axes", sheet: Sheet) -> None:
    """Draws the calibration mark of each row: 1 mV high, 200 ms wide."""
    rise, fall = PULSE_LEFT, PULSE_LEFT + PULSE_WIDTH
    for line in sheet.lines:
        x = [rise - 1.5, rise, rise, fall, fall, fall + 1.5]
        y = [line, line, line + sheet.gain, line + sheet.gain, line, line]
        axes.plot(x, y, color=INK, linewidth=_TRACE_WIDTH * MM, solid_joinstyle="miter", zorder=5, gid="calibration")


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Returns the first position and the one behind the last of each run of True."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
