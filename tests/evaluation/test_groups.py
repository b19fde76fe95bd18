"""Groups of recordings: who belongs to them, and their numbers against those of the same recordings alone."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecg_lightning.evaluation.groups import MOST, NO_FLAG, REST, Division, divisions, measure_groups
from ecg_lightning.metrics import Outputs, auroc, auroc_differences, auroc_intervals, operating_point

INDEX = pd.DataFrame(
    {
        "sex": ["F", "M", "F", "", "M", "F"],
        "age": [17.9, 18.0, 64.0, 65.0, 90.0, np.nan],
        "site": ["1", "1", "2", "", "2", "2"],
        "quality": ["", "flat:V1|flat:V2", "", "saturated:I|flat:V1", "", ""],
    }
)


def of_kind(index: pd.DataFrame, sources: dict[str, Any] | None = None) -> dict[str, Division]:
    return {division.by: division for division in divisions(index, sources or {})}


def test_who_belongs_to_which_group() -> None:
    kinds = of_kind(INDEX)
    assert [*kinds] == ["sex", "age", "site", "quality"]  # no device, and one source
    assert {name: np.flatnonzero(rows).tolist() for name, rows in kinds["sex"].groups.items()} == {
        "F": [0, 2, 5], "M": [1, 4]
    }  # fmt: skip
    assert (kinds["sex"].unknown, kinds["sex"].reference) == (1, "F")
    assert {name: np.flatnonzero(rows).tolist() for name, rows in kinds["age"].groups.items()} == {
        "0-17": [0], "18-39": [1], "40-64": [2], "65-79": [3], "80+": [4]
    }  # fmt: skip
    assert {name: np.flatnonzero(rows).tolist() for name, rows in kinds["quality"].groups.items()} == {
        NO_FLAG: [0, 2, 4, 5], "flat": [1, 3], "saturated": [3]
    }  # fmt: skip


def test_sites_of_several_sources_are_different_places_and_a_device_is_a_kind_of_group() -> None:
    first = np.arange(6) < 3
    kinds = of_kind(INDEX.assign(device=["X", "Y", "X", "Y", "X", None]), {"a": first, "b": ~first})
    assert {*kinds["site"].groups} == {"a: 1", "a: 2", "b: 2"}
    assert {*kinds["source"].groups} == {"a", "b"} and kinds["device"].unknown == 1


def test_the_smaller_of_many_sites_are_put_together() -> None:
    index = pd.DataFrame(
        {"sex": "F", "age": 50.0, "quality": "", "site": [f"s{k}" for k in range(20) for _ in range(k + 1)]}
    )
    (site,) = divisions(index, {})
    assert len(site.groups) == MOST and REST in site.groups
    assert sum(rows.sum() for rows in site.groups.values()) == len(index) and site.groups[REST].sum() == sum(
        range(1, 10)
    )


@pytest.fixture(scope="module")
def measured() -> tuple[Outputs, np.ndarray, np.ndarray, dict[str, Any]]:
    rng = np.random.default_rng(0)
    targets = (rng.random((240, 3)) < [0.3, 0.2, 0.02]).astype(float)
    women = rng.random(240) < 0.6
    probabilities = 1 / (1 + np.exp(-(rng.normal(size=targets.shape) + np.where(women, 2.0, 0.5)[:, None] * targets)))
    outputs = Outputs.of(probabilities, targets, 0.6)
    patients = np.arange(240) // 2
    (kinds,) = measure_groups(
        outputs, patients, [Division("sex", {"F": women, "M": ~women}, 0)], ("A", "B", "C"), resamples=100
    )
    return outputs, patients, women, kinds


def test_the_numbers_of_a_group_are_those_of_its_recordings_alone(measured: Any) -> None:
    outputs, patients, women, kinds = measured
    assert (kinds["by"], kinds["reference"]) == ("sex", "F")
    for group, rows in zip(kinds["groups"], (women, ~women), strict=True):
        alone = outputs.at(rows)
        assert group["records"] == rows.sum() and group["patients"] == np.unique(patients[rows]).size
        areas = auroc(alone.probabilities, alone.targets)
        assert group["metrics"]["auroc"].estimate == pytest.approx(np.nanmean(areas))
        rates = operating_point(alone.probabilities, alone.targets, 0.6)
        for k, term in enumerate(group["terms"]):
            assert term["positive"] == (alone.targets[:, k] == 1).sum()
            assert term["sensitivity"].estimate == pytest.approx(rates["sensitivity"][k], nan_ok=True)
        assert "C" in group["few"] and "A" not in group["few"]


def test_a_gap_is_a_difference_in_the_same_resamples(measured: Any) -> None:
    _, _, _, kinds = measured
    reference, other = kinds["groups"]
    assert reference["gaps"] == {}
    gap = other["gaps"]["auroc"]
    both = [k for k in range(3) if all(np.isfinite(g["terms"][k]["auroc"].estimate) for g in kinds["groups"])]
    means = [np.mean([group["terms"][k]["auroc"].estimate for k in both]) for group in (other, reference)]
    assert gap.estimate == pytest.approx(means[0] - means[1])
    assert gap.low < gap.estimate < gap.high < 0  # the network is worse for men


def test_a_group_of_few_patients_is_counted_and_not_measured(measured: Any) -> None:
    """In resamples of one positive and one negative, an AUROC of 1 and its gap have intervals of no or hardly any width."""
    outputs, patients, _, _ = measured
    few = np.arange(240) < 18  # of nine patients
    division = Division("site", {"a": ~few, "b": few}, 0)
    (kind,) = measure_groups(outputs, patients, [division], ("A", "B", "C"), resamples=20)
    _, small = kind["groups"]
    assert (small["name"], small["records"], small["patients"]) == ("b", 18, 9)
    numbers = [*small["metrics"].values(), *small["gaps"].values(), *(term["auroc"] for term in small["terms"])]
    assert all(np.isnan(number.estimate) and number.resamples == 0 for number in numbers)
    assert small["terms"][0]["positive"] == (outputs.targets[few, 0] == 1).sum()


def test_where_groups_are_all_records_a_gap_is_the_paired_difference() -> None:
    """A group that holds every recording has the intervals of the whole."""
    rng = np.random.default_rng(1)
    targets = (rng.random((80, 2)) < 0.4).astype(float)
    outputs = Outputs.of(rng.random(targets.shape), targets)
    everything = np.ones(80, bool)
    (kinds,) = measure_groups(outputs, np.arange(80), [Division("x", {"a": everything}, 0)], ("A", "B"), 50)
    (group,) = kinds["groups"]
    whole = auroc_intervals(outputs.probabilities, targets, np.arange(80), resamples=50)
    assert group["metrics"]["auroc"] == pytest.approx(whole.macro)
    assert auroc_differences(outputs.probabilities, outputs.probabilities, targets, resamples=5).macro.estimate == 0
