"""The charts of a page: curves of a term, and the course of a training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from ecg_lightning.metrics.curves import GRID, Curve, Reliability
from ecg_lightning.report.palette import SERIES
from ecg_lightning.report.run import Epoch
from ecg_lightning.report.svg import Axis, Chart
from ecg_lightning.report.tables import fixed

DASHES = 4


@dataclass(frozen=True)
class Drawing:
    """A chart with the text below it."""

    drawing: Markup
    caption: str


@dataclass(frozen=True)
class Line:
    """One line of a chart: its text in the legend, its colour and its pattern."""

    text: str
    series: int
    dashes: int

    @classmethod
    def number(cls, number: int, text: str) -> "Line":
        """The line of a number, counted from 0; no two of the first 24 look alike."""
        return cls(text, number % SERIES + 1, (number // SERIES + number) % DASHES)


def roc_chart(term: str, curve: Curve, row: Mapping[str, Any]) -> Drawing:
    """Draws a term's ROC curve with its band, and the place of the threshold on it.

    Args:
        term: its name.
        curve: its points and its band.
        row: of the term in `test.json`.
    """
    text = f"{term}: ROC curve, AUROC {fixed(row.get('auroc'))}"
    chart = Chart(text, Axis.share("1 − specificity"), Axis.share("sensitivity"))
    chart.diagonal()
    chart.band(GRID, curve.low, curve.high)
    chart.line(curve.x, curve.y)
    sensitivity, specificity = row.get("sensitivity"), row.get("specificity")
    if sensitivity is not None and specificity is not None:
        place = f"threshold {fixed(row.get('threshold'))}: sensitivity {fixed(sensitivity)}, specificity {fixed(specificity)}"
        chart.points([1 - specificity], [sensitivity], 2, [place])
    return Drawing(chart.svg(), f"ROC. AUROC {fixed(row.get('auroc'))}")


def precision_recall_chart(term: str, curve: Curve, row: Mapping[str, Any]) -> Drawing:
    """Draws a term's precision-recall curve with its band, the share of positives, and the place of the threshold."""
    text = f"{term}: precision-recall curve, average precision {fixed(row.get('ap'))}"
    chart = Chart(text, Axis.share("sensitivity (recall)"), Axis.share("PPV (precision)"))
    chart.level(row["positive"] / max(1, row["positive"] + row["negative"]))
    chart.band(GRID, curve.low, curve.high)
    chart.line(curve.x, curve.y)
    if row.get("sensitivity") is not None and row.get("ppv") is not None:
        place = (
            f"threshold {fixed(row.get('threshold'))}: sensitivity {fixed(row['sensitivity'])}, PPV {fixed(row['ppv'])}"
        )
        chart.points([row["sensitivity"]], [row["ppv"]], 2, [place])
    return Drawing(chart.svg(), f"Precision–recall. Average precision {fixed(row.get('ap'))}")


def reliability_chart(term: str, before: Reliability, after: Reliability | None, row: Mapping[str, Any]) -> Drawing:
    """Draws how often a term is there against its probability, without and with the calibration."""
    largest = max(float(part.probability.max()) for part in (before, after) if part is not None)
    top = max(largest, *(float(part.frequency.max()) for part in (before, after) if part is not None))
    end = next((limit for limit in (0.1, 0.2, 0.5) if top <= limit), 1.0)
    ticks = [(end * tick / 5, f"{end * tick / 5:.3g}") for tick in range(6)]
    text = f"{term}: reliability, calibration error {fixed(row.get('ece'))}"
    caption = f"Reliability. ECE {fixed(row.get('ece'))}"
    if after is not None:
        text += f" before and {fixed(row.get('ece_calibrated'))} after calibration"
        caption += f", {fixed(row.get('ece_calibrated'))} calibrated"
    chart = Chart(text, Axis("probability", 0, end, ticks), Axis("frequency", 0, end, ticks))
    chart.diagonal()
    for part, series, dashes in ((before, 1, 0), (after, 3, 1)):
        if part is None:
            continue
        if series == 1:
            chart.whiskers(part.probability, np.clip(part.low, 0, end), np.clip(part.high, 0, end), series)
        chart.line(part.probability, part.frequency, series, dashes)
        texts = [
            f"{records} recordings: mean probability {probability:.3f}, frequency {frequency:.3f}"
            for probability, frequency, records in zip(part.probability, part.frequency, part.records, strict=True)
        ]
        chart.points(part.probability, part.frequency, series, texts)
    return Drawing(chart.svg(), caption)


def training_chart(
    label: str, lines: Sequence[tuple[Line, Sequence[Epoch], str]], marks: Mapping[int, str] | None = None
) -> Drawing | None:
    """Draws numbers of a training over its epochs.

    Args:
        label: of the vertical axis.
        lines: each with its epochs and the name of its number in `metrics.csv`.
        marks: texts at epochs.

    Returns:
        The chart; None where no epoch has any of the numbers.
    """
    series = [
        (
            line,
            [epoch.epoch for epoch in epochs if name in epoch.values],
            [epoch.values[name] for epoch in epochs if name in epoch.values],
        )
        for line, epochs, name in lines
    ]
    series = [entry for entry in series if entry[1]]
    if not series:
        return None
    chart = Chart(
        _described(label, series),
        Axis.around("epoch", [number for _, numbers, _ in series for number in numbers], whole=True),
        Axis.around(label, [value for _, _, values in series for value in values]),
        340,
        240,
    )
    for epoch, text in (marks or {}).items():
        chart.mark(epoch, text, "start" if epoch <= (chart.x.low + chart.x.high) / 2 else "end")
    for line, numbers, values in series:
        chart.line(numbers, values, line.series, line.dashes)
        if len(numbers) <= 30:
            texts = [f"{line.text}, epoch {number}: {value:.4g}" for number, value in zip(numbers, values, strict=True)]
            chart.points(numbers, values, line.series, texts)
    return Drawing(chart.svg(), label)


def _described(label: str, series: Sequence[tuple[Line, list[int], list[float]]]) -> str:
    """Says where each line of a training begins and ends."""
    ends = [
        f"{line.text}: {values[0]:.4g} in epoch {numbers[0]}, {values[-1]:.4g} in epoch {numbers[-1]}"
        for line, numbers, values in series
    ]
    return f"{label} over the epochs. {'; '.join(ends)}"


def forest(row: Mapping[str, Any], metric: str, low_end: float = 0.5) -> Markup | None:
    """Draws an interval from `low_end` to 1 as a bar with its estimate, for a cell of a table."""
    interval, value = (row.get("intervals") or {}).get(metric) or {}, row.get(metric)
    if value is None or interval.get("low") is None:
        return None
    low, middle, high = (
        84 * min(1, max(0, (number - low_end) / (1 - low_end))) for number in (interval["low"], value, interval["high"])
    )
    return Markup(
        '<svg class="forest" viewBox="0 0 84 10" aria-hidden="true"><path class="grid" d="M0 5H84"/>'
        f'<path class="curve s1" d="M{low:.1f} 5H{max(high, low + 0.5):.1f}"/><circle class="dot s1" cx="{middle:.1f}" cy="5" r="3"/></svg>'
    )
