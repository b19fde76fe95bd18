"""The figures of a test that W&B shows: ROC, precision-recall and reliability, one line a term."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.metrics.pairs import annotated_terms, checked
from ecg_lightning.metrics.ranking import cumulative_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED_LINES = 10
"""Terms that have a colour and a name, those with most positives; the other ones are grey."""
BINS = 10
"""Bins of equal numbers of recordings in the reliability diagram."""


def figures_of(
    probabilities: NDArray[np.floating], targets: NDArray[np.floating], terms: Sequence[str]
) -> "dict[str, Figure]":
    """Draws the figures of a test; empty where no term has both positives and negatives.

    Args:
        probabilities: (records, terms).
        targets: (records, terms) 1, 0, or NaN where not annotated.
        terms: the names of the columns.
    """
    scores, labels = checked(probabilities, targets)
    columns = {term: (column, positive) for term, column, positive in annotated_terms(scores, labels)}
    if not columns:
        return {}
    named_terms = sorted(columns, key=lambda term: -int(columns[term][1].sum()))[:NAMED_LINES]
    charts, axes = {}, {}
    for name, x, y in (
        ("roc", "1 - specificity", "sensitivity"),
        ("precision_recall", "sensitivity", "positive predictive value"),
        ("reliability", "probability", "frequency"),
    ):
        charts[name], axes[name] = _chart(x, y, diagonal=name != "precision_recall")
    for term in [*(term for term in columns if term not in named_terms), *named_terms]:
        column, positive = columns[term]
        _, hits, alarms = cumulative_counts(column, positive)
        style: dict[str, Any] = {"color": "#bbbbbb", "linewidth": 0.6}
        if term in named_terms:
            style = {"color": f"C{named_terms.index(term)}", "linewidth": 1.4, "label": terms[term]}
        axes["roc"].plot(np.append(0, alarms / alarms[-1]), np.append(0, hits / hits[-1]), **style)
        axes["precision_recall"].plot(hits / hits[-1], hits / (hits + alarms), **style)
        bins = np.array_split(np.argsort(column, kind="stable"), min(BINS, column.size))
        means = [(column[rows].mean(), positive[rows].mean()) for rows in bins]
        axes["reliability"].plot(*zip(*means, strict=True), marker=".", **style)
    for each in axes.values():
        each.legend(frameon=False, fontsize="small")
    return charts


def _chart(x: str, y: str, diagonal: bool) -> "tuple[Figure, Axes]":
    """Returns an empty chart from 0 to 1 on both axes."""
    from matplotlib.figure import Figure

    chart = Figure(figsize=(5.6, 5.0), layout="constrained")
    axes = chart.add_subplot()
    axes.set(xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    if diagonal:
        axes.plot([0, 1], [0, 1], color="#888888", linestyle="--", linewidth=0.8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return chart, axes
