"""The card as a type: what goes in comes out, older formats are read, newer and wrong ones are refused by name."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ecg_lightning.checkpoints.card import Card, Data, Input, Parent, Provenance, Scaling
from ecg_lightning.errors import UserError

DATA = {
    "source": "ptbxl", "fingerprint": "f0", "label_space": ["AFIB", "PVC"], "val_folds": [9], "test_folds": [10],
    "allow_leak": False, "records": {"train": 8, "val": 1, "test": 1},
}  # fmt: skip
FIRST: dict[str, Any] = {
    "format": 1, "version": "0.1.0", "model": {"name": "ResNet1dModule", "depth": 18}, "label_space": ["AFIB", "PVC"],
    "terms": ["AFIB", "PVC"], "data": DATA, "allow_leak": False, "parent": None, "provenance": {"torch": "2.13.0"},
    "input": {"sampling_rate": 100, "seconds": 10, "preprocess": {"normalisation": "zscore", "leads": ["I", "II"]}},
    "thresholds": [0.25, 0.5], "calibration": {"slope": [1.0, 2.0], "intercept": [0.0, -1.0]}, "seen": 8,
    "metrics": {"val/auroc": 0.9, "val/auroc/PVC": float("nan")}, "epoch": 3,
}  # fmt: skip
"""A card as the first format had it."""


def card(**changes: Any) -> Card:
    return Card.from_dict(FIRST | changes, "a.ckpt")


def test_a_card_of_the_first_format_is_read() -> None:
    first = card()
    assert first.provenance == Provenance(ecg_lightning="0.1.0", torch="2.13.0")
    filters = {"notch": None, "baseline": None}  # formats 1 and 2 had neither
    assert first.input == Input(100, 10.0, filters | {"normalisation": "zscore", "leads": ["I", "II"]})
    assert first.input.leads == ["I", "II"]
    assert first.metrics == {"val/auroc": 0.9, "val/auroc/PVC": None}
    assert first.decision_thresholds.tolist() == [0.25, 0.5]
    assert first.scaling.slope.tolist() == [1.0, 2.0]


def test_a_card_of_the_second_format_is_read() -> None:
    second = {key: value for key, value in FIRST.items() if key != "version"} | {"format": 2}
    read = Card.from_dict(second, "a.ckpt")
    assert read.input.preprocess == {"normalisation": "zscore", "leads": ["I", "II"], "notch": None, "baseline": None}
    assert (read.archives, read.family, read.licence, read.citation, read.reference) == ([], None, "", "", None)
    assert (read.threshold_rule, read.calibration_method) == ("paper", "platt")  # the only ones before they had names
    # what a card of today says is left as it is
    filtered = {"sampling_rate": 500, "seconds": 10, "preprocess": {"leads": ["I"], "notch": 50.0, "baseline": 0.4}}
    assert Card.from_dict(second | {"format": 3, "input": filtered}, "a").input.preprocess["notch"] == 50
    # and what is no mapping is refused as any other value
    with pytest.raises(UserError, match="input: no mapping"):
        Card.from_dict(second | {"input": "500 Hz"}, "a.ckpt")


def test_what_is_written_is_valid_json_and_read_again() -> None:
    parent = Parent("large", "ab" * 32, Data.of(DATA), Parent("larger", "cd" * 32, Data.of(DATA)))
    whole = replace(
        card(), parent=parent, thresholds=[0.1, float("nan")], calibration=Scaling([1.0, float("inf")], [0.0, 0.0])
    )
    text = whole.to_json()
    again = Card.from_dict(json.loads(text, parse_constant=pytest.fail), "b.ckpt")
    assert again.parent == parent
    assert again.thresholds == [0.1, None]
    assert np.isnan(again.decision_thresholds).tolist() == [False, True]
    assert again.to_json() == text


def test_a_newer_format_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"a.ckpt has a card of format 7, and this version .* up to 4. Update"):
        card(format=7)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("terms", [], "terms: none"),
        ("terms", ["AFIB", "AFIB"], "twice"),
        ("terms", "AFIB", "terms: str instead of list"),
        ("terms", [1, 2], r"terms\[0\]: int instead of str"),
        ("epoch", "3", "epoch: str instead of int"),
        ("epoch", True, "epoch: bool instead of int"),
        ("allow_leak", 0, "allow_leak: int instead of bool"),
        ("thresholds", [0.5], "thresholds: 1 values for 2 terms"),
        ("archives", "ptbxl", "archives: str instead of list"),
        ("licence", None, "licence: NoneType instead of str"),
        ("reference", [[0.5]], "reference: not 2 logits a recording"),
        ("thresholds", [0.5, "x"], r"thresholds\[1\]: str instead of float"),
        ("calibration", {"slope": [1.0, 1.0]}, "calibration.intercept is missing"),
        ("calibration", {"slope": [1.0], "intercept": [0.0, 0.0]}, "calibration.slope: 1 values for 2 terms"),
        ("model", {"depth": 18}, "model.name: no name of a class"),
        ("model", {"name": "os.system('x')"}, "model.name: no name of a class"),
        ("model", None, "model: NoneType instead of dict"),
        ("input", {"sampling_rate": 0, "seconds": 10, "preprocess": {"leads": ["I"]}}, "an input of 10.0 s at 0 Hz"),
        ("input", {"sampling_rate": 500, "seconds": 1e12, "preprocess": {"leads": ["I"]}}, "an input of"),
        ("input", {"sampling_rate": 100, "seconds": 10, "preprocess": {"leads": "I"}}, "no list of names"),
        ("data", DATA | {"records": {"train": "8"}}, "data.records.train: str instead of int"),
        ("data", DATA | {"parts": {"a": {}}}, "data.parts.a.source is missing"),
        ("parent", {"name": "p"}, "parent.sha256 is missing"),
        ("provenance", {"torch": 2}, "provenance.torch: int instead of str"),
        ("format", None, "format: no number"),
        ("format", -1, "format: no number"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(key: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"a.ckpt has a card that ecg_lightning cannot use .*{message}"):
        card(**{key: value})


@pytest.mark.parametrize("key", ["model", "label_space", "terms", "input", "data"])
def test_what_a_network_cannot_be_used_without_must_be_there(key: str) -> None:
    with pytest.raises(UserError, match=f"{key} is missing"):
        Card.from_dict({k: v for k, v in FIRST.items() if k != key}, "a.ckpt")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "nonsense"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not readable JSON"):
        Card.from_json(text, "a.safetensors")
    with pytest.raises(UserError, match="no card of ecg_lightning"):
        Card.from_json("[]", "a.safetensors")


def test_a_report_that_is_none_is_not_attached() -> None:
    with pytest.raises(UserError, match=r"run/test.json is not a report of `test` .*test.data is missing"):
        card().with_test({"checkpoint_sha256": "ab"}, "run/test.json")


def test_a_report_on_other_terms_is_not_attached() -> None:
    report = {"checkpoint_sha256": "ab", "data": DATA, "records": 1, "metrics": {}, "terms": [{"term": "WPW"}]}
    with pytest.raises(UserError, match=r"run/test.json measured other terms than the network's"):
        card().with_test(report, "run/test.json")


def test_a_card_of_the_third_format_is_read() -> None:
    third = {key: value for key, value in FIRST.items() if key != "version"} | {"format": 3}
    read = Card.from_dict(third, "a.ckpt")
    assert (read.threshold_rule, read.calibration_method) == ("paper", "platt")  # there was one of each
    unmeasured = Card.from_dict(third | {"metrics": {}}, "a.ckpt")
    assert (unmeasured.threshold_rule, unmeasured.calibration_method) == ("", "")
    # a report of that time has no intervals
    report = {"checkpoint_sha256": "ab", "data": DATA, "records": 1, "metrics": {"auroc": 0.5}, "terms": []}
    with_test = Card.from_dict(third | {"test": report}, "a.ckpt").test
    assert with_test is not None
    assert (with_test.averages, with_test.patients, with_test.bootstrap) == ({}, None, {})
