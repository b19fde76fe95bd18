"""Terms that the training data cannot teach: named before training, without a threshold, never predicted."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import small
from ecg_lightning import checkpoints
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.training.terms import warn_of_unlearnable

nan = np.nan


def test_each_term_is_named_with_what_is_lacking(capsys: pytest.CaptureFixture[str]) -> None:
    train = np.array([[1, nan, 1, 0, 1], [0, nan, nan, 0, 0]], np.float32)
    val = np.array([[1, 1, 1, 0, 1], [0, 0, 0, 1, nan]], np.float32)
    learnt = warn_of_unlearnable(["A", "B", "C", "D", "E"], train, val)
    assert learnt.tolist() == [True, False, False, False, True]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("Not learnt: B (never annotated), C (no negative), D (no positive).")
    assert second.startswith(
        "No threshold can be chosen on the validation recordings for: E (no negative). Their thresholds are 0.5"
    )
    assert warn_of_unlearnable(["A"], train[:, :1], None).all()
    assert capsys.readouterr().err == ""


def test_a_term_that_is_never_annotated_is_never_positive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small.archive(tmp_path / "archive")
    folder = small.fit(root, tmp_path / "run", "data.label_space=[AFIB,own:CHAGAS]", "trainer.max_epochs=1")
    assert "Not learnt: CHAGAS (never annotated)." in capsys.readouterr().err
    best = folder / "checkpoints" / "best.ckpt"
    card = checkpoints.card_of(str(best))
    assert card.thresholds[0] is not None
    assert card.thresholds[1] is None
    json.loads(card.to_json())
    assert small.run("test", [f"run_dir={folder}", "trainer.enable_progress_bar=false"]) == 0
    assert "not learnt" in capsys.readouterr().out
    row = json.loads((folder / "test.json").read_text())["terms"][1]
    assert [row[key] for key in ("threshold", "true_positive", "false_positive", "sensitivity", "f1")] == [None] * 5
    predictor = Predictor(str(best), device="cpu")
    assert (predictor.terms, predictor.not_learnt) == (["AFIB"], ["CHAGAS"])
    (record, *_) = sorted((root / "records100").rglob("*.hea"))
    assert small.run("predict", [str(best), str(record), "--output", str(tmp_path / "p.csv"), "--calibrated"]) == 0
    assert "does not predict them: CHAGAS." in capsys.readouterr().err
    with (tmp_path / "p.csv").open() as file:
        assert next(csv.reader(file)) == ["record", "AFIB", "positive", "quality"]
