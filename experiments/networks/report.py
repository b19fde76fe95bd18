"""The tables and the figure of the study, from the logits that each run wrote for fold 10."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from costs import Cost, Length
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecg_lightning.evaluation.predictions import Predictions, check_comparable, read_predictions
from ecg_lightning.files import read_json
from ecg_lightning.metrics import auroc_differences, auroc_intervals
from ecg_lightning.transfer.results import Estimate

TITLES = {"paper7": "paper7", "ptbxl_super": "super"}
COLOURS = ("#1f6f8b", "#b2452f")


class Result(NamedTuple):
    """A network that was trained and measured.

    Attributes:
        network: its name.
        seconds: of its input.
        cost: CPU time.
        length: of its training.
        folders: by label space, the runs of all seeds.
    """

    network: str
    seconds: float
    cost: Cost
    length: Length
    folders: Mapping[str, Sequence[Path]]

    @property
    def seeds(self) -> int:
        """The number of runs in each label space."""
        return len(next(iter(self.folders.values())))

    @property
    def passes(self) -> float:
        """How often each training recording was seen."""
        return self.length.epochs * self.length.batches / self.cost.batches

    @property
    def minutes(self) -> str:
        """CPU time of a training, the median over the runs that were not interrupted."""
        times = [read_json(folder / "ended.json")["cpu_seconds"] for runs in self.folders.values() for folder in runs]
        uninterrupted = [seconds for seconds in times if seconds is not None]
        return f"{median(uninterrupted) / 60:.1f}" if uninterrupted else "–"


def logits(result: Result, space: str) -> tuple[NDArray[np.float64], Predictions]:
    """Returns the logits of all seeds, (seeds, recordings, terms), and one seed's predictions.

    Raises:
        UserError: where the seeds were measured on different recordings.
    """
    measured = [read_predictions(folder) for folder in result.folders[space]]
    check_comparable(measured)
    return np.stack([each.logits for each in measured]), measured[0]


def macro(result: Result, space: str, resamples: int) -> Estimate:
    """Computes the macro AUROC on fold 10, the mean over the seeds."""
    scores, first = logits(result, space)
    return Estimate.of(auroc_intervals(scores, first.targets, first.patients, resamples=resamples).macro)


def difference(result: Result, baseline: Result, space: str, resamples: int) -> Estimate:
    """Computes the paired difference in macro AUROC of two networks on the same recordings."""
    scores, first = logits(result, space)
    baseline_scores, baseline_first = logits(baseline, space)
    check_comparable([first, baseline_first])
    return Estimate.of(
        auroc_differences(scores, baseline_scores, first.targets, first.patients, resamples=resamples).macro
    )


def network_table(results: Sequence[Result], resamples: int) -> str:
    """Returns the Markdown table of the networks in the order of fold 9; differences are to the first."""
    first = results[0]
    titles = [f"{TITLES[space]} | − {first.network}" for space in first.folders]
    lines = [
        f"| network | parameters | records/s | passes | CPU min | seeds | {' | '.join(titles)} |",
        f"|---|---:|---:|---:|---:|---:|{'---|---|' * len(titles)}",
    ]
    for result in results:
        cells = [
            result.network, f"{result.cost.parameters:,}", f"{result.cost.throughput:.0f}", f"{result.passes:.1f}",
            result.minutes, str(result.seeds),
        ]  # fmt: skip
        for space in result.folders:
            cells.append(str(macro(result, space, resamples)))
            cells.append("" if result is first else difference(result, first, space, resamples).signed)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def crop_table(pairs: Sequence[tuple[Result, Result]], resamples: int) -> str:
    """Returns the Markdown table of networks on crops beside the same networks on whole recordings."""
    lines = [
        "| network | task | seeds | passes, whole | passes, crops | whole | crops | crops − whole |",
        "|---|---|---:|---:|---:|---|---|---|",
    ]
    for crop, whole in pairs:
        for space in crop.folders:
            estimates = (macro(whole, space, resamples), macro(crop, space, resamples))
            gain = difference(crop, whole, space, resamples).signed
            cells = [crop.network, TITLES[space], str(crop.seeds), f"{whole.passes:.1f}", f"{crop.passes:.1f}"]
            lines.append(f"| {' | '.join([*cells, *map(str, estimates), gain])} |")
    return "\n".join(lines)


def figure(results: Sequence[Result], crops: Sequence[Result], resamples: int) -> Figure:
    """Draws the macro AUROC of each network with its 95 % interval, a panel for each label space."""
    spaces = list(results[0].folders)
    chart = Figure(figsize=(4.2 * len(spaces), 0.34 * len(results) + 1.4), layout="constrained")
    panels = chart.subplots(1, len(spaces), sharey=True, squeeze=False)[0]
    rows = {result.network: -row for row, result in enumerate(results)}
    for axes, space in zip(panels, spaces, strict=True):
        for group, colour, shift, label in (
            (results, COLOURS[0], 0.0, "whole 10 s"),
            (crops, COLOURS[1], -0.25, "2.5-s crops, averaged"),
        ):
            points = [macro(result, space, resamples) for result in group]
            if not points:
                continue
            values = np.array([point.value for point in points])
            bounds = np.array([[point.value - point.low, point.high - point.value] for point in points]).T
            heights = [rows[result.network] + shift for result in group]
            axes.errorbar(values, heights, xerr=bounds, fmt="o", markersize=4, color=colour, elinewidth=1, label=label)
        axes.set_title(TITLES[space])
        axes.set_xlabel("macro AUROC on fold 10")
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(list(rows.values()), list(rows))
    chart.legend(*panels[-1].get_legend_handles_labels(), frameon=False, loc="outside upper right", ncols=2, fontsize=8)
    return chart
