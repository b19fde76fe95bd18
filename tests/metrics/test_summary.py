import json
from collections.abc import Callable

import numpy as np
import pytest

from ecg_lightning.metrics import auroc, average_precision, operating_point, summarise, table

NAN = np.nan
TERMS = ["AFIB", "PVC", "STACH"]
TARGETS = np.array([[1, 0, NAN], [0, 1, 0], [0, NAN, 0], [1, 0, 0]])
PROBABILITIES = np.array([[0.9, 0.2, 0.1], [0.6, 0.7, 0.2], [0.1, 0.4, 0.3], [0.5, 0.8, 0.4]])


def test_ranking_alone() -> None:
    numbers = summarise(PROBABILITIES, TARGETS, TERMS)
    assert list(numbers) == [
        f"{name}{term}" for name in ("auroc", "ap", "brier", "ece") for term in ("", "/AFIB", "/PVC", "/STACH")
    ]
    assert numbers["auroc/AFIB"] == 0.75 and numbers["auroc/PVC"] == 0.5 and np.isnan(numbers["auroc/STACH"])
    assert numbers["auroc"] == 0.625  # STACH has no positive: left out
    assert numbers["ap"] == pytest.approx(np.nanmean(average_precision(PROBABILITIES, TARGETS)))
    assert all(type(value) is float for value in numbers.values())


def test_with_thresholds() -> None:
    thresholds = np.array([0.55, 0.5, 0.35])
    numbers = summarise(PROBABILITIES, TARGETS, TERMS, thresholds)
    for name, values in operating_point(PROBABILITIES, TARGETS, thresholds).items():
        assert numbers[name] == pytest.approx(np.nanmean(values))
        assert [numbers[f"{name}/{term}"] for term in TERMS] == pytest.approx(values, nan_ok=True)
    assert numbers["f1/AFIB"] == 0.5 and numbers["specificity/STACH"] == pytest.approx(2 / 3)


def test_table_is_json() -> None:
    rows = table(PROBABILITIES, TARGETS, TERMS, [0.55, 0.5, 0.35])
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert [row["term"] for row in rows] == TERMS
    assert [rows[1][name] for name in ("annotated", "positive", "negative", "missing")] == [3, 1, 2, 1]
    outcomes = ("true_positive", "false_positive", "true_negative", "false_negative")
    assert [rows[1][name] for name in outcomes] == [1, 1, 1, 0]
    assert rows[1]["auroc"] == auroc(PROBABILITIES, TARGETS)[1] and rows[1]["threshold"] == 0.5
    assert rows[1]["brier"] == pytest.approx((0.2**2 + 0.3**2 + 0.8**2) / 3)
    assert rows[2]["auroc"] is None and rows[2]["f1"] is None
    assert "threshold" not in table(PROBABILITIES, TARGETS, TERMS)[0]


def test_nothing_to_summarise() -> None:
    empty = np.empty((0, 3))
    assert all(np.isnan(value) for value in summarise(empty, empty, TERMS, 0.5).values())
    assert [row["annotated"] for row in table(empty, empty, TERMS, 0.5)] == [0, 0, 0]


@pytest.mark.parametrize("function", [summarise, table])
def test_mistakes_are_named(function: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match=r"targets have the shape \(4, 3\) but there are 2 names of terms"):
        function(PROBABILITIES, TARGETS, ["AFIB", "PVC"])
