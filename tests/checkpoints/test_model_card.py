"""The page beside a published file, and the lineage of a network."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import small
from checkpoints import networks
from checkpoints.test_card import DATA, FIRST
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.card import Card, Parent
from ecg_lightning.checkpoints.lineage import chain
from ecg_lightning.checkpoints.model_card import model_card
from ecg_lightning.errors import UserError

TERM = {
    "term": "AFIB", "positive": 3, "auroc": 0.91, "sensitivity": 0.8, "specificity": 0.7,
    "intervals": {"auroc": {"low": 0.85, "high": 0.95, "resamples": 1000}},
}  # fmt: skip
TEST: dict[str, Any] = {
    "checkpoint_sha256": "ab", "data": DATA, "records": 40, "patients": 30, "metrics": {"auroc": 0.9, "f1": None, "ap": 0.5},
    "terms": [TERM], "averages": {"macro": {"auroc": {"value": 0.9, "low": 0.8, "high": 0.96, "resamples": 1000}}},
    "bootstrap": {"unit": "patient", "level": 0.95, "resamples": 1000, "seed": 0},
}  # fmt: skip


def page(**changes: Any) -> tuple[dict[str, Any], str]:
    """The front matter and the text of a card's page."""
    text = model_card(Card.from_dict(FIRST | changes, "a"), "net-v1.safetensors", "f" * 64)
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def test_it_says_what_a_colleague_needs() -> None:
    front, body = page(
        name="net-v1",
        licence="CC BY 4.0",
        notes=["Only adults."],
        test=TEST,
        thresholds=[0.25, None],
        threshold_rule="paper",
    )
    assert front["license"] == "cc-by-4.0"
    assert front["library_name"] == "ecg_lightning"
    results = front["model-index"][0]["results"][0]
    assert results["dataset"] == {"type": "ptbxl", "name": "PTB-XL", "split": "test"}
    assert [(m["type"], m["value"]) for m in results["metrics"]] == [("roc_auc", 0.9), ("average_precision", 0.5)]
    for text in (
        "# net-v1", "| SHA-256 | " + "f" * 64, "8 train, 1 val, 1 test", "On 40 recordings of 30 patients",
        "95% intervals from 1000 resamples of whole patients", "| auroc | 0.900 (0.800–0.960) |",
        "| AFIB | 3 | 0.910 (0.850–0.950) | 0.800 | 0.700 | 0.250 |", "| PVC |  |  |  |  | not learnt |", "rule `paper`",
        "100 Hz, 10 s", "Leads, in this order: I, II", "normalisation=zscore", "Only adults.", "not a medical device",
        "It has not learnt PVC", "Weights: CC BY 4.0.", "Recordings of PTB-XL: CC BY 4.0.", "predict net-v1 recordings/",
    ):  # fmt: skip
        assert text in body


def test_without_a_test_it_shows_the_validation_and_says_so() -> None:
    front, body = page(licence="")
    assert "license" not in front
    assert "model-index" not in front
    assert "| auroc | 0.900 |" in body
    assert "was not tested" in body
    assert "no licence was stated" in body
    front, _ = page(licence="As agreed with <b>ward 7</b>")
    assert (front["license"], front["license_name"]) == ("other", "as-agreed-with-b-ward-7-b")


def test_texts_of_others_are_no_markdown_and_no_html() -> None:
    hostile = "[click](http://evil) <script>alert(1)</script> | ` # x"
    front, body = page(notes=[hostile], citation=hostile, licence=hostile, name="net")
    assert "<script>" not in body
    assert "[click](" not in body
    assert set(front) == {"library_name", "tags", "license", "license_name"}
    _, body = page(model={"name": "ResNet1dModule", "x": "a | b\n# c"})
    assert "\n# c" not in body


def family(tmp_path: Path) -> str:
    """A place with a parent and its child."""
    place = str(tmp_path / "place")
    checkpoints.publish(str(networks.run(tmp_path / "a")), "large-v1", place)
    parent = checkpoints.read("large-v1", place)
    values = {
        "terms": ["AFIB", "SR"], "label_space": ["AFIB", "SR"],
        "data": DATA | {"source": "georgia", "label_space": ["AFIB", "SR"], "records": {"train": 1200, "val": 1, "test": 1}},
        "parent": {"name": "large-v1", "sha256": parent.sha256, "data": DATA, "parent": None},
    }  # fmt: skip
    checkpoints.publish(str(networks.run(tmp_path / "b", **values)), "small-v1", place)
    return place


def test_the_lineage_is_drawn_with_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = family(tmp_path)
    assert small.run("checkpoints", ["small-v1", "--lineage", f"checkpoints_dir={place}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "large-v1  (val auroc 0.900)"
    assert lines[1] == "│  trained on ptbxl (8 recordings)"
    child = lines.index("└─ small-v1  (val auroc 0.900)")
    assert [line.strip() for line in lines[child + 1 :]] == [
        "data ptbxl (8 recordings) → georgia (1,200 recordings)",
        "label space AFIB, PVC → AFIB, SR",
        "terms: 1 kept, new: SR, without PVC",
    ]
    assert small.run("checkpoints", ["small-v1", "--lineage", "--json", f"checkpoints_dir={place}"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["published"]) for row in rows] == [("large-v1", True), ("small-v1", True)]
    files = [(Path(place) / f"{row['name']}.safetensors").read_bytes() for row in rows]
    assert [row["sha256"] for row in rows] == [hashlib.sha256(content).hexdigest() for content in files]
    # where the ancestor is another file of that name, only what the child says of it is known
    (Path(place) / "large-v1.safetensors").unlink()
    assert small.run("checkpoints", ["small-v1", "--lineage", f"checkpoints_dir={place}"]) == 0
    assert "large-v1  (not in this place; SHA-256 " in capsys.readouterr().out


def test_grandparents_come_first() -> None:
    data = Card.from_dict(FIRST, "a").data
    first = Parent("first", "a" * 64, data)
    values = FIRST | {"name": "third", "parent": json.loads(json.dumps({
        "name": "second", "sha256": "b" * 64, "data": DATA, "parent": {"name": "first", "sha256": first.sha256, "data": DATA}
    }))}  # fmt: skip
    assert [link.name for link in chain(Card.from_dict(values, "a"))] == ["first", "second", "third"]


def test_the_page_lies_beside_the_file_and_can_be_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = family(tmp_path)
    text = (Path(place) / "small-v1.md").read_text()
    assert "1. large-v1: trained on ptbxl" in text
    assert small.run("checkpoints", ["small-v1", "--page", f"checkpoints_dir={place}"]) == 0
    assert capsys.readouterr().out == text + "\n"
    with pytest.raises(UserError, match="--page needs the name of a checkpoint"):
        small.run("checkpoints", ["--page", f"checkpoints_dir={place}"])


def test_a_page_that_cannot_be_written_does_not_undo_a_publication(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    (place / "net-v1.md").mkdir(parents=True)
    checkpoints.publish(str(networks.run(tmp_path / "a")), "net-v1", str(place))
    assert "The file is published, but" in capsys.readouterr().err
    assert checkpoints.published(str(place)) == ["net-v1"]


def test_what_is_published_elsewhere_stays_the_same_file(tmp_path: Path) -> None:
    place, other = family(tmp_path), str(tmp_path / "other")
    url = checkpoints.publish(f"{place}/small-v1.safetensors", "small-v1", other)
    assert Path(url).read_bytes() == (Path(place) / "small-v1.safetensors").read_bytes()
    renamed = checkpoints.publish(f"file://{place}/small-v1", "hospital-v1", other, licence="mit")
    card = checkpoints.card_of(renamed)
    assert (card.name, card.licence, card.terms) == ("hospital-v1", "mit", ["AFIB", "SR"])


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    run = str(networks.run(tmp_path / "run"))
    monkeypatch.setattr("ecg_lightning.files.sync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.publish(run, "net-v1", str(tmp_path / "place"))
    assert list((tmp_path / "place").iterdir()) == []
