"""The study of few labels: its networks, its table and its figure, from outputs whose AUROC is known."""

import argparse
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import small
from ecg_lightning.config.compose import compose
from ecg_lightning.config.schema import check

STUDY: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "experiments" / "few_labels" / "run.py"))
NETWORKS = list(STUDY["trainings"](["super", "paper7"], ["20", "all"], list(STUDY["RECIPES"]), 2))


def test_every_network_has_a_checked_configuration_of_its_own() -> None:
    assert len(NETWORKS) == len({network.folder for network in NETWORKS}) == 2 * 6 * (2 + 1)
    for network in NETWORKS:
        words = ["--config", "default", "--config", "data/ptbxl", *network.words("NAME")]
        config = compose(words)
        check(config)
        assert config.finetune.checkpoint == ("NAME" if network.arm in STUDY["PAIRS"] else None)
        assert bool(config.finetune.get("cache")) == ("linear" in network.arm or "attention" in network.arm)
        assert config.data.get("train_records") == (None if network.size == "all" else 20)
        assert config.trainer.max_epochs == config.trainer.check_val_every_n_epoch


def test_table_and_figure_from_outputs_of_known_auroc(tmp_path: Path) -> None:
    targets = np.repeat([[0.0], [1.0]], 20, axis=0).astype(np.float32)
    right = targets.astype(np.float64)
    for network in NETWORKS:
        (tmp_path / network.folder).mkdir()
        logits = right if network.arm in STUDY["PAIRS"] else np.zeros_like(right)
        small.predictions(logits, targets).write(tmp_path / network.folder / "predictions.parquet")
        records = {"train": 20 if network.size == "20" else 500}
        (tmp_path / network.folder / "test.json").write_text(json.dumps({"data": {"records": records}}))
    rows = STUDY["measured"](STUDY["Results"](tmp_path, 20), NETWORKS)
    assert [(row["space"], row["size"], row["seeds"]) for row in rows] == [
        ("super", "20", 2), ("super", "all", 1), ("paper7", "20", 2), ("paper7", "all", 1)
    ]  # fmt: skip
    for row in rows:
        assert row["tuned"][:3] == (1, 1, 1) and row["random linear"][:3] == (0.5, 0.5, 0.5)
        assert row["gain"]["linear"][:3] == (0.5, 0.5, 0.5)
    text = STUDY["markdown"](rows)
    assert "| super | all | 1 | 1.000 [1.000, 1.000] |" in text and "MELP .894" in text
    assert "| paper7 | 20 | +0.500 [+0.500, +0.500] |" in text
    records = STUDY["records_of"](tmp_path, NETWORKS)
    assert records == 500
    STUDY["draw"](rows, records, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert json.dumps(STUDY["plain"](rows), allow_nan=False)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": float("nan")}])
def test_a_number_that_is_not_defined_is_null_in_the_results(value: object) -> None:
    assert "null" in json.dumps(STUDY["plain"](value), allow_nan=False)


@pytest.mark.parametrize("word", ["2x", "0", "-5", "1.5", "every", ""])
def test_a_size_that_is_no_number_of_recordings_is_refused(word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{word}' is not a number of recordings, nor all"):
        STUDY["size"](word)
    assert [STUDY["size"](each) for each in ("020", "all")] == ["20", "all"]
