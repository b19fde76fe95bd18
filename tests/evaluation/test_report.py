"""What test.json says, from predictions whose numbers are known."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import small
from ecg_lightning.commands.measure import _print_report
from ecg_lightning.evaluation.predictions import Predictions
from ecg_lightning.evaluation.report import report_of
from ecg_lightning.labels import LabelSpace
from ecg_lightning.metrics import Calibration, auroc, auroc_intervals, average_precision

RECORDS = 90


def measured(
    predictions: Predictions, space: LabelSpace, rule: str = "youden", trained_on: str = "ptbxl"
) -> dict[str, Any]:
    terms = len(predictions.terms)
    index = pd.DataFrame({"sex": ["F", "M"] * (RECORDS // 2), "age": 50.0, "quality": "", "site": ""})
    data = SimpleNamespace(
        source="ptbxl",
        store=SimpleNamespace(index=index),
        by_source=lambda rows: {},
        describe=lambda: {"source": "ptbxl"},
        space=space,
    )
    module = SimpleNamespace(thresholds=np.full(terms, 0.5), calibration=Calibration(np.ones(terms), np.zeros(terms)))
    card = SimpleNamespace(
        threshold_rule=rule, calibration_method="platt" if rule else "", data=SimpleNamespace(source=trained_on)
    )
    checkpoint = SimpleNamespace(name="best.ckpt", sha256="ab", card=card)
    report = report_of(predictions, module, data, checkpoint, "test")  # type: ignore[arg-type]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    return report


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    rng = np.random.default_rng(0)
    space = LabelSpace.load("cinc2021")
    targets = (rng.random((RECORDS, len(space))) < 0.15).astype(float)
    targets[:, 3] = 0  # BRADY, which no recording has
    targets[rng.random(targets.shape) < 0.1] = np.nan
    logits = 2 * np.nan_to_num(targets) - 1 + rng.normal(size=targets.shape)
    return small.predictions(logits, targets, np.arange(RECORDS) // 2, space.terms)


@pytest.fixture(scope="module")
def report(predictions: Predictions) -> dict[str, Any]:
    return measured(predictions, LabelSpace.load("cinc2021"))


def test_every_number_has_the_interval_of_the_bootstrap_by_patient(
    predictions: Predictions, report: dict[str, Any]
) -> None:
    assert (report["records"], report["patients"], report["split"]) == (RECORDS, RECORDS // 2, "test")
    expected = auroc_intervals(predictions.probabilities, predictions.targets, predictions.patients)
    for row, interval in zip(report["terms"], expected.terms, strict=True):
        if row["term"] != "BRADY":
            assert row["auroc"] == pytest.approx(interval.estimate)
            bounds = row["intervals"]["auroc"]
            assert (bounds["low"], bounds["high"], bounds["resamples"]) == pytest.approx(interval[1:])
            assert row["delong"]["low"] < row["auroc"] <= row["delong"]["high"]
        assert {*row["intervals"]} >= {
            "auroc",
            "ap",
            "brier",
            "ece",
            "ppv",
            "npv",
            "gmean",
            "f1",
            "f2",
            "ece_calibrated",
        }
    macro = report["averages"]["macro"]["auroc"]
    assert (macro["value"], macro["low"]) == pytest.approx(expected.macro[:2])
    assert report["metrics"]["ap"] == pytest.approx(
        np.nanmean(average_precision(predictions.logits, predictions.targets))
    )
    for name in ("auroc", "ap", "brier", "sensitivity", "f2"):
        for average in report["averages"].values():
            assert average[name]["low"] <= average[name]["value"] <= average[name]["high"]
    assert report["decision"] == {"thresholds": "youden", "calibration": "platt", "chosen_on": "validation"}
    assert report["calibration"]["before"]["brier"] == report["averages"]["macro"]["brier"]


def test_scores_are_there_where_the_label_space_has_the_terms(predictions: Predictions, report: dict[str, Any]) -> None:
    assert {*report["scores"]} == {"cinc2020", "cinc2021", "cinc2020_f_beta", "cinc2020_g_beta"}
    assert all(score["low"] < score["value"] < score["high"] for score in report["scores"].values())
    benchmark = report["benchmark"]
    assert (benchmark["level"], benchmark["resamples"]) == (0.9, 1000) and benchmark["draws"] >= 1000
    assert benchmark["macro_auroc"]["value"] == report["metrics"]["auroc"]
    assert 0 < benchmark["fmax"]["low"] < benchmark["fmax"]["value"] < 1
    assert {"f_beta", "g_beta"} <= benchmark.keys()
    healthy = predictions.targets.copy()
    healthy[0] = 0  # with a recording that has no label they would count hardly any false alarm
    without_label = measured(replace(predictions, targets=healthy), LabelSpace.load("cinc2021"))
    assert not {"f_beta", "g_beta"} & without_label["benchmark"].keys()
    few = LabelSpace.load("cpsc2018")
    nine = replace(
        predictions,
        **{
            name: getattr(predictions, name)[:, :9]
            for name in ("targets", "logits", "probabilities", "calibrated", "positive")
        },
        terms=few.terms,
    )
    assert {*measured(nine, few)["scores"]} == {"cpsc2018", "cinc2020_f_beta", "cinc2020_g_beta"}


def test_what_a_reader_must_know_is_said(report: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    row = report["terms"][3]
    assert (row["term"], row["auroc"], row["intervals"]["auroc"]["low"]) == ("BRADY", None, None)
    assert "No recording is positive for BRADY: there is no AUROC, and no average counts it." in report["notes"]
    assert [division["by"] for division in report["groups"]] == ["sex"]
    _print_report(report, "title")
    output = capsys.readouterr().out
    low, value = report["terms"][0]["intervals"]["auroc"]["low"], report["terms"][0]["auroc"]
    assert f"{value:.3f} {low:.3f}".replace("0.", ".") in output
    for text in (
        "1,000 resamples of 45 patients",
        "AUROC by sex: F (45)",
        "gap",
        "CinC 2021",
        "every class in each resample",
    ):
        assert text in output
    assert "thresholds by youden, calibration by platt" in output
    assert "Warning: in these groups fewer than 10 recordings are positive for some terms" in output


def test_thresholds_of_another_source_are_not_passed_off_as_those_of_this_one(predictions: Predictions) -> None:
    report = measured(predictions, LabelSpace.load("cinc2021"), trained_on="georgia")
    assert report["decision"]["chosen_on"] == "validation recordings of georgia"


def test_what_rests_on_one_patient_has_no_interval(predictions: Predictions) -> None:
    targets = predictions.targets.copy()
    targets[:, 1] = 0
    targets[np.flatnonzero(predictions.patients == predictions.patients[0]), 1] = 1
    row = measured(replace(predictions, targets=targets), LabelSpace.load("cinc2021"))["terms"][1]
    for metric in ("auroc", "ap", "sensitivity", "f1"):
        assert row[metric] is not None and row["intervals"][metric] == {"low": None, "high": None, "resamples": 0}
    assert row["intervals"]["specificity"]["resamples"] == row["intervals"]["brier"]["resamples"] == 1000


def test_one_patient_has_no_intervals(predictions: Predictions, capsys: pytest.CaptureFixture[str]) -> None:
    alone = replace(predictions, patients=np.zeros(RECORDS, int))
    report = measured(alone, LabelSpace.load("cinc2021"), rule="")
    assert report["notes"][0] == "All recordings are of one patient: there are no intervals."
    assert report["decision"] is None
    assert report["terms"][0]["auroc"] == auroc(alone.logits, alone.targets)[0]
    for interval in (report["averages"]["macro"]["auroc"], report["scores"]["cinc2021"], report["benchmark"]["fmax"]):
        assert interval["value"] is not None and interval["low"] is None and interval["resamples"] == 0
    _print_report(report, "title")
    assert "one patient" in capsys.readouterr().out
