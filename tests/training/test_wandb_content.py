"""What a team sees of a run at W&B, read back from the offline log: groups, data, test, and checkpoints with their lineage."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import wandb

import small
from ecg_lightning import checkpoints
from ecg_lightning.evaluation.wandb_figures import figures_of
from ecg_lightning.evaluation.wandb_report import rows_of, summary_of
from ecg_lightning.files import read_json
from ecg_lightning.training.logger import Logging
from ecg_lightning.training.wandb_run import RunLogger
from training.wandb_server import Server, artifacts, logged

KEY = "0123456789" * 4


@pytest.fixture(scope="module")
def patch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    """A user without credentials, whose runs are logged offline."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        for name, value in (("HOME", home), ("NETRC", home / "netrc"), ("WANDB_MODE", "offline")):
            patch.setenv(name, str(value))
        yield patch
        forget()


def forget() -> None:
    """Ends the run and W&B's process, which then has written all."""
    Logging().finish()
    wandb.teardown()


class Part(NamedTuple):
    """One part of a run's offline log."""

    folder: Path
    id: str
    history: list[dict[str, Any]]
    summary: dict[str, Any]

    def table(self, name: str) -> list[dict[str, Any]]:
        (path,) = (row[f"{name}/path"] for row in self.history if f"{name}/path" in row)
        content = json.loads((self.folder / "files" / path).read_text())
        return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def parts(run_dir: Path) -> list[Part]:
    folders = sorted((run_dir / "wandb").glob("offline-run-*"), key=lambda folder: folder.stat().st_mtime_ns)
    return [Part(folder, *logged(folder)) for folder in folders]


class Runs(NamedTuple):
    """A run that was moved, went on, was tested and published; and a run that starts from what it published."""

    parent: Path
    published: Path
    child: Path


@pytest.fixture(scope="module")
def runs(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    root = small.archive(folder / "archive", 120)
    words = ("logger.wandb=true", "logger.artifacts=true", "optim.schedule=constant", "optim.warmup=0")
    parent = small.fit(root, folder / "run", *words, "trainer.max_epochs=1").rename(folder / "moved")
    small.fit(root, parent, *words, "trainer.max_epochs=2", "checkpoint_path=auto")
    assert small.run("test", [f"run_dir={parent}", "trainer.enable_progress_bar=false"]) == 0
    assert small.run("publish", [str(parent), "parent-v1", f"checkpoints_dir={folder}/published"]) == 0
    published = folder / "published" / "parent-v1.safetensors"
    more = (f"finetune.checkpoint={published}", "finetune.schedule={0: [head], 1: all}", "finetune.layer_decay=0.5")
    child = small.fit(root, folder / "child", *words, *more)
    forget()
    return Runs(parent, published, child)


def test_a_run_that_was_moved_goes_on_tested_and_published_is_one_run(runs: Runs) -> None:
    logs = parts(runs.parent)
    assert len(logs) == 4  # the training, the rest of it, the test, the publication
    assert {log.id for log in logs} == {read_json(runs.parent / "wandb.json")["id"]}
    assert [[row["epoch"] for row in log.history if "val/auroc" in row] for log in logs] == [[0], [1], [], []]


def test_every_part_has_the_summary_of_the_best_epoch(runs: Runs) -> None:
    best = checkpoints.card_of(str(runs.parent / "checkpoints" / "best.ckpt"))
    for log in parts(runs.parent)[1:]:
        for key in ("val/auroc", "val/auroc/STACH", "val/f1/AFIB", "val/loss"):
            assert log.summary[key] == pytest.approx(best.metrics[key]), key
        assert log.summary["best/epoch"] == best.epoch
        assert log.summary["data/train/records"] == best.data.records["train"]


def test_layer_groups_show_their_factors_and_whether_they_learn(runs: Runs) -> None:
    (log,) = parts(runs.child)
    rows = [row for row in log.history if "unfrozen/head" in row]
    groups = ["stem", "stage1", "stage2", "stage3", "stage4", "head"]
    assert [row["epoch"] for row in rows] == [0, 1]
    assert [[row[f"unfrozen/{name}"] for name in groups] for row in rows] == [[0, 0, 0, 0, 0, 1], [1] * 6]
    for row in rows:
        assert [row[f"lr_factor/{name}"] for name in groups] == [0.5**k for k in (5, 4, 3, 2, 1, 0)]
    assert rows[1]["trainer/global_step"] > rows[0]["trainer/global_step"] == 0


def test_data_are_counted_by_term_and_side(runs: Runs) -> None:
    (log,) = parts(runs.child)
    records = checkpoints.card_of(str(runs.published)).data.records
    rows = log.table("data/terms")
    assert [row["term"] for row in rows] == checkpoints.card_of(str(runs.published)).terms
    for row in rows:
        for side in ("train", "val"):
            assert sum(row[f"{side} {kind}"] for kind in ("positive", "negative", "not annotated")) == records[side]
    report = read_json(runs.parent / "test.json")
    assert log.summary["data/val/records"] == records["val"] == report["data"]["records"]["val"]
    assert log.summary["data/set_aside"] == 0


def test_the_test_is_in_the_run_of_the_training(runs: Runs) -> None:
    log = parts(runs.parent)[2]
    report = read_json(runs.parent / "test.json")
    rows = log.table("test/terms")
    assert rows == [{key: row.get(key) for key in rows[0]} for row in rows_of(report)]
    assert log.summary["test/auroc"] == pytest.approx(report["metrics"]["auroc"])
    assert log.summary["test/records"] == report["records"]
    images = {key: row[key] for row in log.history for key in row if key.endswith("/path")}
    del images["test/terms/path"]
    assert images.keys() == {"test/roc/path", "test/precision_recall/path", "test/reliability/path"}
    for path in images.values():
        assert (log.folder / "files" / path).read_bytes().startswith(b"\x89PNG")
    assert parts(runs.parent)[3].summary["test/auroc"] == log.summary["test/auroc"]  # the later part has it, too


def test_what_is_published_is_an_artifact_that_a_child_uses(runs: Runs) -> None:
    content = runs.published.read_bytes()
    ((model, files),) = artifacts(parts(runs.parent)[3].folder)
    assert (model.name, model.use_after_commit, files) == ("parent-v1", False, {"parent-v1.safetensors": content})
    ((parent, files),) = artifacts(parts(runs.child)[0].folder)
    assert (parent.name, parent.use_after_commit, files) == ("parent-v1", True, {"parent-v1.safetensors": content})
    assert parent.digest == model.digest  # which is one version of the artifact
    metadata = json.loads(model.metadata)
    assert metadata["sha256"] == checkpoints.read(str(runs.published)).sha256
    assert metadata["lineage"] == []


def test_a_childs_artifact_has_its_lineage_and_a_checkpoint_without_a_name_is_its_card_alone(
    runs: Runs, tmp_path: Path
) -> None:
    best = runs.child / "checkpoints" / "best.ckpt"
    log = Logging(artifacts=True).make(tmp_path, None)
    assert isinstance(log, RunLogger)
    from ecg_lightning.training.wandb_artifacts import log_parent

    log_parent(log, str(best))
    forget()
    ((model, files),) = artifacts(parts(tmp_path)[0].folder)
    assert model.name.startswith("child-")
    assert json.loads(files["card.json"]) == checkpoints.card_of(str(best)).to_dict()
    (ancestor,) = json.loads(model.metadata)["lineage"]
    assert ancestor["name"] == "parent-v1"
    assert ancestor["sha256"] == checkpoints.read(str(runs.published)).sha256


def test_a_network_that_is_not_of_the_run_is_not_logged_to_it(runs: Runs, tmp_path: Path) -> None:
    before = len(parts(runs.child))
    words = ["trainer.enable_progress_bar=false", f"run_dir={runs.child}"]
    assert small.run("test", [*words, f"checkpoint_path={runs.published}"]) == 0
    assert small.run("test", [*words, "logger.wandb=false"]) == 0
    (runs.child / "wandb.json").rename(tmp_path / "wandb.json")  # as if it had not been logged
    assert small.run("test", words) == 0
    (tmp_path / "wandb.json").rename(runs.child / "wandb.json")
    assert len(parts(runs.child)) == before


def test_an_artifact_that_fails_costs_no_metrics(
    patch: pytest.MonkeyPatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Logging(artifacts=True).make(tmp_path, None)
    assert isinstance(log, RunLogger)
    capsys.readouterr()

    def refuse(*words: Any, **more: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(log.experiment, "_log_artifact", refuse)
    from ecg_lightning.training.wandb_artifacts import log_parent

    log_parent(log, "nowhere.ckpt")
    log.log_artifact(wandb.Artifact("net", type="model"))
    log.log_metrics({"val/auroc": 0.7, "epoch": 0}, step=0)
    forget()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" (")[0] for line in lines] == [
        "W&B: nowhere.ckpt is not logged as an artifact", "W&B: net is not logged as an artifact",
    ]  # fmt: skip
    assert [row["val/auroc"] for row in parts(tmp_path)[0].history] == [0.7]


def test_a_log_that_was_not_sent_yet_is_not_overtaken(
    patch: pytest.MonkeyPatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Logging().resume(tmp_path) is None
    log = Logging(project="mine").make(tmp_path, None)
    assert isinstance(log, RunLogger)
    log.log_metrics({"val/auroc": 0.7, "epoch": 0}, step=0)
    forget()
    identifier = read_json(tmp_path / "wandb.json")["id"]
    with Server() as server:
        monkeypatch.delenv("WANDB_MODE")
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        for _ in range(2):
            log = Logging().resume(tmp_path)
            assert log is not None
            assert (log.experiment.id, log.experiment.project) == (identifier, "mine")
            assert log.experiment.offline
            log.log_summary({"test/auroc": 0.6})
            forget()
        assert (
            "an earlier part of this run's log was not sent yet, so this run is logged offline"
            in capsys.readouterr().err
        )
        command = [sys.executable, "-m", "wandb", "sync", str(tmp_path / "wandb"), "--yes"]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)  # it writes its log there
        log = Logging().resume(tmp_path)
        assert log is not None
        assert not log.experiment.offline
        log.log_metrics({"val/auroc": 0.8, "epoch": 1}, step=1)
        forget()
        server.shutdown()
    assert [row["val/auroc"] for row in server.history[identifier]] == [0.7, 0.8]
    assert server.summary[identifier]["test/auroc"] == 0.6


REPORT: dict[str, Any] = {
    "checkpoint_sha256": "ab", "data": {"source": "ptbxl"}, "records": 9, "metrics": {"auroc": 0.75, "f1": None},
    "terms": [
        {"term": "AFIB", "positive": 3, "auroc": 0.8, "f1": None, "intervals": {"auroc": {"low": 0.7, "high": 0.9, "resamples": 5}}},
        {"term": "SR", "positive": 4, "auroc": 0.7, "f1": 0.5, "intervals": {"auroc": None}},
    ],
    "averages": {"micro": {"auroc": {"value": 0.72, "low": 0.6, "high": 0.8, "resamples": 5}, "f1": None}},
    "benchmark": {"level": 0.9, "fmax": {"value": 0.4, "low": 0.3, "high": 0.5, "resamples": 5}},
    "sources": {"ptbxl": {"records": 9, "auroc": 0.75}}, "lead_sets": {"I": 0.6},
}  # fmt: skip


def test_a_report_as_rows_with_intervals_and_as_a_summary() -> None:
    afib, sr, micro = rows_of(REPORT)
    assert afib == {"term": "AFIB", "positive": 3, "auroc": 0.8, "auroc low": 0.7, "auroc high": 0.9, "f1": None}
    assert sr == {"term": "SR", "positive": 4, "auroc": 0.7, "f1": 0.5}
    assert micro == {"term": "micro", "auroc": 0.72, "auroc low": 0.6, "auroc high": 0.8}
    assert summary_of(REPORT) == {
        "test/source": "ptbxl", "test/records": 9, "test/checkpoint_sha256": "ab", "test/auroc": 0.75,
        "test/auroc/AFIB": 0.8, "test/auroc/SR": 0.7, "test/f1/SR": 0.5,
        "test/auroc/micro": 0.72, "test/auroc/micro low": 0.6, "test/auroc/micro high": 0.8,
        "test/benchmark/fmax": 0.4, "test/benchmark/fmax low": 0.3, "test/benchmark/fmax high": 0.5,
        "test/records@ptbxl": 9, "test/auroc@ptbxl": 0.75, "test/auroc with I": 0.6,
    }  # fmt: skip


def test_the_lines_of_the_figures_are_the_curves() -> None:
    scores = np.array([[0.9, 0.5], [0.8, 0.5], [0.3, 0.5], [0.1, 0.5]])
    targets = np.array([[1, 1], [0, np.nan], [1, np.nan], [0, np.nan]])
    figures = figures_of(scores, targets, ["AFIB", "SR"])
    lines = {name: figure.axes[0].get_lines()[-1].get_xydata().tolist() for name, figure in figures.items()}
    assert lines["roc"] == [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]
    assert lines["precision_recall"] == [[0.5, 1], [0.5, 0.5], [1, pytest.approx(2 / 3)], [1, 0.5]]
    assert lines["reliability"] == [[0.1, 0], [0.3, 1], [0.8, 0], [0.9, 1]]
    assert figures_of(scores[:, 1:], targets[:, 1:], ["SR"]) == {}
