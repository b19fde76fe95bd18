"""The page of a run: what it shows is what test.json says, it needs no network, and it can be read without eyes."""

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import small
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictions import Predictions
from ecg_lightning.report.mistakes import Mistake, worst
from ecg_lightning.report.page import page
from ecg_lightning.report.run import TestedRun
from report.reading import Element, read


@pytest.fixture(scope="module")
def text(tested_folder: Path) -> str:
    return (tested_folder / "report" / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def root(text: str) -> Element:
    return read(text)


def rewrite(folder: Path, **values: object) -> None:
    """Changes keys of a run's test.json."""
    path = folder / "test.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def table(root: Element, caption: str) -> Element:
    return next(item for item in root.all("table") if item.all("caption")[0].text.startswith(caption))


def test_the_table_has_the_numbers_of_the_test(root: Element, tested_folder: Path) -> None:
    report = json.loads((tested_folder / "test.json").read_text())
    rows = table(root, "Each term").all("tbody")[0].all("tr")
    assert [row.all("th")[0].all("a")[0].text for row in rows[:-1]] == [row["term"] for row in report["terms"]]
    for row, expected in zip(rows[:-1], report["terms"], strict=True):
        cells = row.all("td")
        assert cells[0].text == f"{expected['positive']:,} of {expected['annotated']:,}"
        auroc = expected["auroc"]
        assert cells[1].texts[0] == ("–" if auroc is None else f"{auroc:.3f}")
        if auroc is not None:
            assert float(cells[1].attributes["data-value"]) == auroc
            bounds = expected["intervals"]["auroc"]
            is_alike = bounds["low"] == bounds["high"]
            written = "no interval" if is_alike else f"{bounds['low']:.3f}–{bounds['high']:.3f}"
            assert cells[1].all("small")[0].text == written
    macro = report["averages"]["macro"]["auroc"]["value"]
    assert f"{macro:.3f}" in rows[-1].text
    assert root.all("dd")[0].texts == [] and f"{macro:.3f}" in root.all("dd")[0].text


def test_nothing_is_loaded_from_anywhere(text: str, root: Element) -> None:
    without_pictures = re.sub(r'src="data:[^"]*"', "", text)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", without_pictures)
    for tag, attribute in (("img", "src"), ("a", "href"), ("link", "href"), ("script", "src"), ("use", "href")):
        for item in root.all(tag):
            assert item.attributes.get(attribute, "#").startswith(("#", "data:"))
    policy = [item.attributes["content"] for item in root.all("meta") if "http-equiv" in item.attributes]
    assert policy and policy[0].startswith("default-src 'none'")
    assert len(text) < 1_000_000


def test_it_can_be_read_without_eyes(root: Element) -> None:
    assert root.all("html")[0].attributes["lang"] == "en"
    assert root.all("title")[0].text and len(root.all("h1")) == 1 and len(root.all("main")) == 1
    for image in root.all("img"):
        assert len(image.attributes["alt"]) > 30
    for drawing in root.all("svg"):
        attributes = drawing.attributes
        assert attributes.get("aria-hidden") == "true" or (
            attributes["role"] == "img" and len(attributes["aria-label"]) > 10
        )
    for head in [item for data in root.all("table") for item in data.all("th")]:
        assert head.attributes["scope"] in ("col", "row")
    for item in [*root.all("div"), *root.all("section")]:
        if item.attributes.get("tabindex") == "0":  # what scrolls is reached by the keyboard, and has a name
            assert item.attributes["role"] == "region" and item.attributes["aria-label"]
    levels = [int(item.tag[1]) for item in walk(root) if re.fullmatch(r"h[1-6]", item.tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def walk(element: Element) -> list[Element]:
    return [element, *(item for child in element.children for item in walk(child))]


def test_every_link_leads_somewhere_and_no_place_is_named_twice(root: Element) -> None:
    names = [item.attributes["id"] for item in walk(root) if "id" in item.attributes]
    assert len(names) == len(set(names))
    links = [item.attributes["href"][1:] for item in root.all("a")]
    assert len(links) > 10 and {*links} <= {*names}


def test_record_ids_and_patients_are_on_the_page_only_where_they_are_asked_for(
    text: str, tested_folder: Path, tested: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = pd.read_parquet(tested_folder / "predictions.parquet")["record_id"]
    figures = read(text).all("figure")
    assert sum(item.attributes.get("class") == "ecg" for item in figures) == 3
    words = {*re.findall(r"[\w.]+", re.sub(r'src="[^"]*"', "", "".join(item.text for item in figures)))}
    assert "Record" not in words and not words & {*ids}
    assert small.run("report", [str(tested), "report.ids=true", "report.ecgs=2"]) == 0
    shown = (tested / "report" / "index.html").read_text()
    captions = [
        item.all("figcaption")[0].text for item in read(shown).all("figure") if item.attributes.get("class") == "ecg"
    ]
    named = [match[1] for caption in captions if (match := re.search(r"Record (\w+)\.", caption))]
    assert len(named) == 2 and {*named} <= {*ids}
    assert capsys.readouterr().out.endswith(f"Written to {tested}/report/index.html\n")


def test_the_same_run_gives_the_same_page(text: str, tested_folder: Path) -> None:
    # without the ECGs, whose pictures depend on the fonts of the machine
    run = TestedRun(tested_folder)
    assert page(run) == page(TestedRun(tested_folder))
    assert {line for line in page(run).splitlines() if "<td" in line} <= {*text.splitlines()}


def test_text_of_a_run_is_no_markup(tested: Path) -> None:
    hostile = '"><script>alert(1)</script>'
    rewrite(tested, notes=[hostile], checkpoint=hostile, data=TestedRun(tested).report["data"] | {"source": hostile})
    (tested / "config.yaml").write_text(f"# torch: {hostile}\nmodel: {{name: '{hostile}'}}\n")
    root = read(page(TestedRun(tested)))
    assert len(root.all("script")) == 1
    assert root.text.count(hostile) >= 4


def test_without_network_or_recordings_the_page_says_so(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(tested / "checkpoints")
    rewrite(tested, checkpoint="gone.ckpt")
    assert small.run("report", [str(tested), "report.ecgs=1"]) == 0
    assert "no longer there" in capsys.readouterr().err
    text = (tested / "report" / "index.html").read_text()
    assert "No ECG is drawn. The checkpoint that was tested (gone.ckpt) is no longer there" in text
    assert "<img" not in text


def test_without_a_configuration_no_other_recordings_are_read(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tested / "config.yaml").unlink()
    assert small.run("report", [str(tested)]) == 0
    assert "has no config.yaml, which says where the recordings are" in capsys.readouterr().err


def test_other_recordings_are_not_drawn(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(tested, data=TestedRun(tested).report["data"] | {"fingerprint": "0" * 64})
    assert small.run("report", [str(tested), "report.ecgs=1"]) == 0
    assert "are not those of the test" in capsys.readouterr().err


def test_a_folder_does_not_choose_which_address_is_asked(
    tested: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("ecg_lightning.checkpoints.read", lambda name: asked.append(name) or checkpoints_gone(name))
    rewrite(tested, checkpoint="https://example.org/net.safetensors")
    assert small.run("report", [str(tested), "report.ecgs=1"]) == 0
    assert asked == [str(tested / "checkpoints" / name) for name in ("best.ckpt", "last.ckpt")]
    assert "is at another place (https://example.org/net.safetensors)" in capsys.readouterr().err


def checkpoints_gone(name: str) -> None:
    raise UserError(f"{name} is gone")


def test_the_course_of_the_training_is_shown_where_there_was_one(tested: Path) -> None:
    assert 'aria-label="loss over the epochs. training: ' in page(TestedRun(tested))
    for name in ("metrics.csv", "config.yaml"):
        (tested / name).unlink()
    text = page(TestedRun(tested))
    assert "over the epochs" not in text and 'id="training"' not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "test.json").unlink(), r"was not tested: .* `python -m ecg_lightning test run_dir="),
        (lambda folder: (folder / "test.json").write_text("{"), "cannot be read"),
        (lambda folder: rewrite(folder, format=1), "another version"),
        (lambda folder: rewrite(folder, terms=[]), "damaged: terms"),
        (lambda folder: rewrite(folder, averages=[1]), "damaged: averages"),
        (lambda folder: rewrite(folder, records="many"), "damaged: records: str instead of int"),
        (lambda folder: rewrite(folder, data={"source": "ptbxl"}), r"damaged: data\.fingerprint is missing"),
        (lambda folder: rewrite(folder, terms=[{"term": "AFIB", "positive": None}]), r"damaged: terms\[0\]\.positive"),
        (lambda folder: rewrite(folder, groups=[{"by": "sex", "reference": "F", "groups": 3}]), r"groups\[0\]\.groups"),
        (lambda folder: (folder / "predictions.parquet").unlink(), r"predictions\.parquet"),
        (lambda folder: (folder / "predictions.parquet").write_text("x"), "damaged"),
        (lambda folder: (folder / "metrics.csv").write_text("epoch,val/auroc\n1,good\n"), r"metrics\.csv is damaged"),
        (shutil.rmtree, "There is no folder"),
    ],
)
def test_a_folder_that_is_no_tested_run_is_one_sentence(tested: Path, change: object, message: str) -> None:
    change(tested)  # type: ignore[operator]
    with pytest.raises(UserError, match=message):
        small.run("report", [str(tested), "report.ecgs=0"])


def test_the_worst_mistakes_by_hand() -> None:
    logits = np.array([[4.0, 0], [1, -5], [-3, 9.5], [9, 0], [-1, 0]])
    targets = np.array([[0.0, 0], [0, 1], [1, 0], [1, np.nan], [1, 0]])
    positive = (logits >= 0).astype(float)
    positive[:, 1] = logits[:, 1] >= 2
    none = np.zeros(5, np.int64)
    outputs = Predictions("run", ("A", "B"), none.astype(object), none, none, targets, logits, logits, logits, positive)
    thresholds = [0.5, float(1 / (1 + np.exp(-2)))]
    # B: record 2 is 7.5 above its threshold, record 1 is 7 below; A: record 0 is 4 above, 2 is 3 below, 1 and 4 are 1 away
    expected = [Mistake(2, 1, False), Mistake(0, 0, False), Mistake(1, 1, True), Mistake(4, 0, True)]
    assert worst(outputs, thresholds, 10) == expected
    assert worst(outputs, thresholds, 2) == expected[:2]
    assert worst(outputs, [None, None], 10) == []
