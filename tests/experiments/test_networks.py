"""The study that compares networks: lengths by the budget, one command from nothing to the table, and going on."""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np
import pytest

import fake
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictions import read_predictions
from ecg_lightning.metrics import auroc, macro

FOLDER = Path(__file__).parents[2] / "experiments" / "networks"
MODULES = ("costs", "report", "run")


class Here:
    """Does in this process what the study does in others."""

    def __init__(self, *_: Any, **__: Any) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, task: Callable[..., str], *arguments: Iterable[Any]) -> Iterator[str]:
        return map(task, *arguments)

    def submit(self, task: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(task(*arguments))
        return future


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script, with one seed, in this process."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in MODULES:  # a folder of tests has the name of one of them
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = import_module("run")
    monkeypatch.setattr(module, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(module, "SEEDS", (0,))
    yield module
    for name in MODULES:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("seconds", "length"),
    [(600, (10, 50)), (120, (4, 20)), (630, (11, 47)), (1, (4, 1))],
    ids=["whole passes", "parts of passes", "a little less than whole passes", "too little for anything"],
)
def test_a_training_takes_the_budget(study: ModuleType, seconds: float, length: tuple[int, int]) -> None:
    cost = study.Cost(batch=1, validation=10, batches=50, records=1600, parameters=0)
    assert cost.throughput == 32
    assert study.length_of(cost, seconds) == length


def test_one_command_trains_measures_and_goes_on(
    study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.ptbxl(tmp_path / "ptbxl", 40)
    monkeypatch.setattr(sys.modules["costs"], "EPOCHS", 1)
    words = [
        "run.py", str(tmp_path), f"data.store_dir={tmp_path / 'store'}", "data.pack_workers=1", "data.batch_size=4", "--budget", "0.0001",
        "--networks", "xresnet1d18", "s4_small", "--out", str(tmp_path / "runs"), "--write", str(tmp_path), "--resamples", "20",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", words)
    study.main()
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    run_dir = tmp_path / "runs" / "0.0001_minutes" / "ptbxl_super-s4_small-2.5s-0"
    measured = read_predictions(run_dir)
    assert np.isin(measured.records, read_predictions(run_dir.with_name("ptbxl_super-s4_small-10s-0")).records).all()
    (row,) = [line for line in text.splitlines() if line.startswith("| s4_small | super |")]
    assert f" {macro(auroc(measured.logits, measured.targets)):.3f} [" in row.split("|")[7]
    assert len([line for line in text.splitlines() if line.startswith(("| xresnet1d18 ", "| s4_small "))]) == 2 + 2 * 2

    monkeypatch.setattr(study, "evaluate", None)
    (run_dir / "ended.json").unlink()  # as where the run was killed after its last epoch
    study.main()
    assert (tmp_path / "table.md").read_text(encoding="utf-8") == text
    monkeypatch.setattr(study, "fit", None)
    study.main()


def test_a_run_that_fails_is_named(study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [study.Run("small", "paper7", 10.0, seed) for seed in (0, 1)]
    without_data = study.Study(tmp_path, tmp_path, 1.0, 1, [])
    monkeypatch.setattr(without_data, "length", lambda *_: study.Length(1, 1))
    with pytest.raises(UserError, match=r"paper7-small-10s-0: data\.root: .*\npaper7-small-10s-1: data\.root: "):
        without_data.train(runs)
