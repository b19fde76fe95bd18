"""The figure of a transfer study: AUROC on the small archive against the number of its recordings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ecg_lightning.transfer.results import Estimate, Results, count
from ecg_lightning.transfer.study import ARMS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"small": "#b2452f", "large": "#6b6b6b", "tuned": "#1f6f8b", "both": "#7a5195"}


def figure(results: Results, rows: Sequence[dict[str, object]], large: Estimate) -> "Figure":
    """Draws a line with its 95 % band for each arm, a point for each seed, and a level for the large archive's network."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    chart = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = chart.add_subplot()
    sizes = [count(str(row["size"]), results.records) for row in rows]
    ends = [sizes[0] / 1.15, sizes[-1] * 1.15]
    axes.fill_between(ends, large.low, large.high, color=COLOURS["large"], alpha=0.10, linewidth=0)
    axes.plot(ends, [large.value] * 2, color=COLOURS["large"], linestyle="--", label=f"{ARMS['large']} (no recording)")
    for arm in reversed(results.arms):
        values = [row[arm] for row in rows]
        means = [value for value in values if isinstance(value, Estimate)]
        colour = COLOURS[arm]
        axes.fill_between(sizes, [m.low for m in means], [m.high for m in means], color=colour, alpha=0.15, linewidth=0)
        axes.plot(sizes, [m.value for m in means], color=colour, marker="o", markersize=4, label=ARMS[arm])
        for size, row in zip(sizes, rows, strict=True):
            scores = results.seeds(arm, str(row["size"]))
            axes.plot([size] * len(scores), scores, color=colour, marker=".", markersize=3, linestyle="none", alpha=0.6)
    axes.set_xscale("log")
    axes.set_xlim(ends[0], ends[1])
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{size:,}" for size in sizes])
    axes.set_xlabel("training recordings of the small archive")
    axes.set_ylabel("macro AUROC on its test folds")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return chart
