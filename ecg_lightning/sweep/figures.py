"""The figures of a sweep as SVG: parallel coordinates, importance of each parameter, and the course of the search."""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ecg_lightning.sweep.definition import Sweep
from ecg_lightning.sweep.parameters import Choice, Parameter, Range, as_text
from ecg_lightning.sweep.table import Row
from ecg_lightning.sweep.trials import Trials

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def importances(trials: Trials) -> dict[str, float]:
    """How much each varied parameter explains of which trials are among the best (PED-ANOVA), largest first; sums to 1.

    Source: Watanabe et al., PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces,
    IJCAI 2023, as implemented by Optuna. Empty with fewer than four finished trials, or where nothing varied.
    """
    import optuna

    results = list(trials.results().values())
    varied = [p.name for p in trials.sweep.parameters if len({t.params.get(p.name) for t in results}) > 1]
    if len(results) < 4 or not varied or len({trial.values[0] for trial in results}) < 2:
        return {}
    return dict(optuna.importance.get_param_importances(trials.study, params=varied))


def parallel_coordinates(sweep: Sweep, rows: Sequence[Row]) -> str:
    """One line a finished trial across an axis for each varied parameter, coloured by the metric."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    done = [row for row in rows if row.value is not None and row.state == "done"]
    varied = [p for p in sweep.parameters if len({as_text(row.values.get(p.name)) for row in done}) > 1]
    scores = np.array([row.value for row in done], dtype=float)
    figure = Figure(figsize=(max(7.0, 2.2 * (len(varied) + 1)), 4.2), layout="constrained")
    axes = figure.add_subplot()
    low, high = float(scores.min()), float(scores.max())
    heights = np.array([[_height(p, row.values[p.name], done) for p in varied] for row in done]).reshape(
        len(done), len(varied)
    )
    heights = np.column_stack([heights, (scores - low) / ((high - low) or 1.0)])
    spread = np.linspace(-0.03, 0.03, len(done))  # lines through the same choices are told apart
    for x, parameter in enumerate(varied):
        if isinstance(parameter, Choice):
            heights[:, x] += spread
    colour, norm = colormaps["viridis_r" if sweep.goal == "maximize" else "viridis"], Normalize(low, high)
    order = np.argsort(scores if sweep.goal == "maximize" else -scores)
    for i in order:  # the best are dark and on top
        axes.plot(range(len(varied) + 1), heights[i], color=colour(norm(scores[i])), alpha=0.85, linewidth=1.6)
    for x, parameter in enumerate(varied):
        for height, text in _ticks(parameter, done):
            _label(axes, x, height, text)
    for share in (0.0, 0.5, 1.0):
        _label(axes, len(varied), share, f"{low + share * (high - low):.4g}")
    axes.set_xticks(range(len(varied) + 1), [*(p.name for p in varied), sweep.metric])
    axes.set_yticks([])
    axes.set_ylim(-0.07, 1.07)
    for x in range(len(varied) + 1):
        axes.axvline(x, color="0.6", linewidth=0.8, zorder=0)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    return _svg(figure)


def importance_bars(found: dict[str, float]) -> str:
    """A bar for each parameter."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 0.9 + 0.4 * len(found)), layout="constrained")
    axes = figure.add_subplot()
    names = list(found)[::-1]
    bars = axes.barh(names, [found[name] for name in names], color="#31688e")
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlabel("importance (PED-ANOVA)")
    axes.set_xlim(0, 1.1 * max(found.values()) or 1.0)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def course(sweep: Sweep, rows: Sequence[Row]) -> str:
    """Each finished trial's value by its number, and the best so far."""
    from matplotlib.figure import Figure

    done = [row for row in rows if row.value is not None and row.state == "done"]
    numbers, scores = [row.trial for row in done], np.array([row.value for row in done], dtype=float)
    best = np.maximum.accumulate(scores) if sweep.goal == "maximize" else np.minimum.accumulate(scores)
    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(numbers, scores, "o", color="#31688e", label="trial")
    axes.step(numbers, best, where="post", color="#d95f02", label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(sweep.metric)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def _height(parameter: Parameter, value: object, rows: Sequence[Row]) -> float:
    """Where a value stands on its axis, from 0 to 1."""
    if isinstance(parameter, Choice):
        texts = [as_text(choice) for choice in parameter.values]
        return texts.index(as_text(value)) / max(1, len(texts) - 1)  # type: ignore[arg-type]
    low, high, log = _extent(parameter, rows)
    number = float(value)  # type: ignore[arg-type]
    if log:
        return math.log(number / low) / math.log(high / low)
    return (number - low) / (high - low)


def _extent(parameter: Parameter, rows: Sequence[Row]) -> tuple[float, float, bool]:
    """The ends of a number's axis and whether it is logarithmic."""
    if isinstance(parameter, Range):
        return parameter.low, parameter.high, parameter.log
    numbers = [float(row.values[parameter.name]) for row in rows]  # type: ignore[arg-type]
    return min(numbers), max(numbers), False


def _ticks(parameter: Parameter, rows: Sequence[Row]) -> list[tuple[float, str]]:
    if isinstance(parameter, Choice):
        return [(i / max(1, len(parameter.values) - 1), as_text(value)) for i, value in enumerate(parameter.values)]
    low, high, log = _extent(parameter, rows)
    middle = math.sqrt(low * high) if log else (low + high) / 2
    return [(0.0, f"{low:.3g}"), (0.5, f"{middle:.3g}"), (1.0, f"{high:.3g}")]


def _label(axes: "Axes", x: float, y: float, text: str) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0}
    axes.text(x + 0.02, y, text, fontsize=8, va="center", bbox=box, zorder=5)


def _svg(figure: "Figure") -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]
