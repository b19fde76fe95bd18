"""The figures of a sweep as SVG, drawn by Optuna: parallel coordinates, importance of each parameter, course of the search."""

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import create_trial

from ecg_lightning.sweep.parameters import Choice, Parameter, Range, Value, as_text
from ecg_lightning.sweep.trials import Trials

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def importances(trials: Trials) -> dict[str, float]:
    """Returns how much each varied parameter decides whether a trial is among the best (PED-ANOVA), largest first, with sum 1.

    Source: Watanabe et al., PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces,
    IJCAI 2023, as implemented by Optuna. Empty with fewer than four finished trials, or where nothing varied.
    """
    results, names = list(trials.results().values()), _varied_parameters(trials)
    if len(results) < 4 or not names or len({trial.values[0] for trial in results}) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(_study(trials), evaluator=evaluator, params=names))


def parallel_coordinates(trials: Trials) -> str:
    """Draws a line for each finished trial across an axis for each varied parameter; the colour is the metric; "" where none varied."""
    from optuna.visualization.matplotlib import plot_parallel_coordinate

    names = _varied_parameters(trials)
    if not names:
        return ""
    study = _study_of_values(trials)
    width = max(7.0, 2.6 * (len(names) + 1))
    return _svg(lambda: plot_parallel_coordinate(study, params=names, target_name=trials.sweep.metric), width)


def importance_bars(trials: Trials) -> str:
    """Draws a bar for each varied parameter; "" where `importances` is empty."""
    from optuna.visualization.matplotlib import plot_param_importances

    names = list(importances(trials))
    if not names:
        return ""
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return _svg(lambda: plot_param_importances(_study(trials), evaluator, names, target_name=trials.sweep.metric), 7.0)


def course(trials: Trials) -> str:
    """Draws the value of each finished trial by its number, and the best value so far."""
    from optuna.visualization.matplotlib import plot_optimization_history

    return _svg(lambda: plot_optimization_history(_study(trials), target_name=trials.sweep.metric), 7.0)


def _varied_parameters(trials: Trials) -> list[str]:
    """Returns the parameters of which the finished trials have more than one value."""
    rows = [trials.sweep.values(trial.params) for trial in trials.results().values()]
    return [p.name for p in trials.sweep.parameters if len({as_text(values[p.name]) for values in rows}) > 1]


def _study(trials: Trials) -> optuna.Study:
    """Returns the last try of each trial as a study in memory, where a trial's number is its index in the sweep."""
    study = optuna.create_study(direction=trials.sweep.goal)
    study.add_trials(trials.latest().values())
    return study


def _study_of_values(trials: Trials) -> optuna.Study:
    """Returns the finished trials as a study in memory, with the values of the runs in place of Optuna's samples."""
    results = list(trials.results().values())
    rows = [{key: _plain(value) for key, value in trials.sweep.values(trial.params).items()} for trial in results]
    distributions = {p.name: _extent(p, [values[p.name] for values in rows]) for p in trials.sweep.parameters}
    study = optuna.create_study(direction=trials.sweep.goal)
    for values, trial in zip(rows, results, strict=True):
        study.add_trial(create_trial(value=trial.value, params=values, distributions=distributions))
    return study


def _plain(value: Value) -> int | float | str:
    """Returns a value as Optuna draws it: a number, or a text."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else as_text(value)


def _extent(parameter: Parameter, values: list[int | float | str]) -> BaseDistribution:
    """Returns what a parameter's axis covers: every choice, or the range from the smallest to the largest value."""
    if isinstance(parameter, Choice):
        return CategoricalDistribution([_plain(value) for value in parameter.values])
    numbers = [float(value) for value in values]
    return FloatDistribution(min(numbers), max(numbers), log=isinstance(parameter, Range) and parameter.log)


def _svg(draw: "Callable[[], Axes]", width: float) -> str:
    """Returns one of Optuna's figures as an SVG element, without its title, since the page has headings."""
    from matplotlib import pyplot

    pyplot.switch_backend("agg")  # a figure for a file needs no display
    text = io.StringIO()
    with pyplot.rc_context(), warnings.catch_warnings():  # Optuna changes the style for the whole process
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        axes = draw()
        for side in ("center", "left"):
            axes.set_title("", loc=side)
        figure = pyplot.gcf()
        figure.set_size_inches(width, 4.2)
        figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
    return text.getvalue()[text.getvalue().index("<svg") :]
