"""One evaluation as named numbers for a logger, and as a table with a row a term for a file."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.metrics.calibration import brier, expected_calibration_error
from ecg_lightning.metrics.ranking import auroc, average_precision, macro
from ecg_lightning.metrics.thresholds import confusion, operating_point, rates


def summarise(
    probabilities: ArrayLike, targets: ArrayLike, terms: Sequence[str], thresholds: ArrayLike | None = None
) -> dict[str, float]:
    """Computes macro averages and the values of each term: `auroc`, `auroc/AFIB`, …, `ap`, `ap/AFIB`, …, `brier`, `ece`.

    With thresholds also `sensitivity`, `specificity`, `ppv`, `npv`, `gmean`, `f1` and `f2`. A term without a value is
    NaN, and left out of the macro average; the keys are always the same.

    Args:
        probabilities: (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        terms: the names of the columns.
        thresholds: (terms,), from validation; a term with the threshold NaN has none of these values.

    Raises:
        ValueError: when the number of names is not that of the columns; further errors as of `brier`.
    """
    _check_names(terms, targets)
    values = {
        "auroc": auroc(probabilities, targets),
        "ap": average_precision(probabilities, targets),
        "brier": brier(probabilities, targets),
        "ece": expected_calibration_error(probabilities, targets),
    }
    if thresholds is not None:
        values |= operating_point(probabilities, targets, thresholds)
    numbers = {}
    for name, column in values.items():
        numbers[name] = macro(column)
        numbers |= {f"{name}/{term}": float(value) for term, value in zip(terms, column, strict=True)}
    return numbers


def table(
    probabilities: ArrayLike, targets: ArrayLike, terms: Sequence[str], thresholds: ArrayLike | None = None
) -> list[dict[str, str | int | float | None]]:
    """Returns a row for each term: counts, ranking, calibration, and with thresholds the decisions; ready for JSON.

    Arguments and errors as of `summarise`. A number that does not exist is None.
    """
    _check_names(terms, targets)
    targets = np.asarray(targets, np.float64)
    columns: dict[str, NDArray[Any]] = {
        "annotated": np.count_nonzero(~np.isnan(targets), axis=0),
        "positive": np.count_nonzero(targets == 1, axis=0),
        "negative": np.count_nonzero(targets == 0, axis=0),
        "missing": np.count_nonzero(np.isnan(targets), axis=0),
        "auroc": auroc(probabilities, targets),
        "ap": average_precision(probabilities, targets),
        "brier": brier(probabilities, targets),
        "ece": expected_calibration_error(probabilities, targets),
    }
    if thresholds is not None:
        counts = confusion(probabilities, targets, thresholds)
        threshold = np.broadcast_to(np.asarray(thresholds, np.float64), len(terms))
        outcomes = {name: count.astype(object) for name, count in zip(counts._fields, counts, strict=True)}
        for outcome in outcomes.values():
            outcome[np.isnan(threshold)] = None
        columns |= {"threshold": threshold, **outcomes, **rates(counts)}
    rows = zip(terms, *(column.tolist() for column in columns.values()), strict=True)
    return [
        {"term": term}
        | {
            name: None if value is None or math.isnan(value) else value
            for name, value in zip(columns, row, strict=True)
        }
        for term, *row in rows
    ]


def _check_names(terms: Sequence[str], targets: ArrayLike) -> None:
    if np.shape(targets)[1:] != (len(terms),):
        raise ValueError(f"targets have the shape {np.shape(targets)} but there are {len(terms)} names of terms")
