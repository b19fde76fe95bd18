"""Two short trainings: by two workers here, and by two on a PostgreSQL, one of which is killed."""

import csv
import os
from collections import Counter
from pathlib import Path

import pytest
import yaml

import small
from ecg_lightning.commands.sweep import sweep as run
from ecg_lightning.config import compose as config
from ecg_lightning.config import schema
from sweep.postgres_server import Postgres
from sweep.workers import wait_for, worker

QUICK = config.conf_folder() / "sweep" / "quick.yaml"


@pytest.fixture
def overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sweep on a small archive, from an empty folder, without an account."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(config.conf_folder().parent))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    data = ("name=PTBXLDataModule", f"root={small.archive(tmp_path / 'archive')}", "seconds=3", "pack_workers=1")
    return [f"data.{word}" for word in data]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """The shipped sweep with two of its twelve trials."""
    definition = yaml.safe_load(QUICK.read_text(encoding="utf-8"))
    definition["parameters"] = {"optim.lr": {"values": [0.0005, 0.002]}, "model.dropout": {"values": [0.3]}}
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(definition), encoding="utf-8")
    return tmp_path / "quick.yaml"


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_two_workers(overrides: list[str], two: Path, tmp_path: Path) -> None:
    assert run([str(two), *overrides, "--workers", "2", "--dir", str(tmp_path / "s")]) == 0
    rows = table(tmp_path / "s")
    assert [(row["state"], row["epochs"], row["tries"]) for row in rows] == [("done", "2", "1")] * 2
    assert {(row["optim.lr"], row["model.dropout"]) for row in rows} == {("0.0005", "0.3"), ("0.002", "0.3")}
    best = max(rows, key=lambda row: float(row["val/auroc"]))
    composed = config.compose(["--config", str(tmp_path / "s" / "quick_best.yaml")])
    schema.check(composed)
    assert composed.optim.lr == float(best["optim.lr"])
    assert all((tmp_path / "s" / f"{i:03d}" / "checkpoints" / "best.ckpt").is_file() for i in range(2))
    offline = list((tmp_path / "s" / "000").glob("wandb/offline-run-*/run-*.wandb"))
    assert len(offline) == 1
    assert b"quick" in offline[0].read_bytes()  # the group


def test_two_workers_on_postgres_one_killed(
    overrides: list[str], two: Path, tmp_path: Path, postgres: Postgres
) -> None:
    folder = tmp_path / "s"
    words = [*overrides, "logger.wandb=false", "--storage", postgres.url, "--heartbeat", "2"]
    workers = [worker(two, folder, *words) for _ in range(2)]
    wait_for(lambda: any(folder.glob("*/metrics.csv")), seconds=300)
    victim, survivor = workers
    victim.kill()
    victim.communicate()
    output, _ = survivor.communicate(timeout=500)
    assert survivor.returncode == 0, output
    rows = table(folder)
    assert Counter(row["state"] for row in rows) == {"done": 2}
    assert {row["epochs"] for row in rows} == {"2"}
    assert sum(int(row["tries"]) for row in rows) in (2, 3)  # 2 where it was killed after its trial
    assert os.environ["OMP_NUM_THREADS"] == "1"
