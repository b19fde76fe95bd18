import csv
import io
import re
import xml.etree.ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from ecg_lightning.config import compose as config
from ecg_lightning.config import schema
from ecg_lightning.sweep.definition import load_sweep
from ecg_lightning.sweep.figures import importances
from ecg_lightning.sweep.results import best_configuration, write_results
from ecg_lightning.sweep.storage import open_storage, open_study
from ecg_lightning.sweep.table import as_csv, render, rows
from ecg_lightning.sweep.trials import Trials

Write = Callable[..., Path]
PARAMETERS = {
    "optim.lr": {"values": [1.0e-4, 1.0e-3, 1.0e-2]},
    "optim.optimizer": {"values": ["adamw", "sgd"]},
    "model.dropout": {"min": 0, "max": 0.4, "distribution": "q_uniform", "q": 0.2},
    "config": {"value": "finetune/gradual"},
}
FIT = [
    "${env}",
    "${interpreter}",
    "-m",
    "ecg_lightning",
    "fit",
    "--config",
    "experiment/ptbxl_small",
    "trainer.max_epochs=3",
    "${args}",
]


@pytest.fixture
def trials(sweep_file: Write) -> Trials:
    """A finished grid of 18, where the learning rate matters most; one trial has failed."""
    sweep = load_sweep(sweep_file(parameters=PARAMETERS, command=FIT))
    storage = open_storage(str(sweep.file.with_suffix(".journal")))
    trials = Trials(sweep, open_study(sweep, storage), storage, 0, 2)
    while (trial := trials.claim()) is not None:
        for epoch in (1, 2):
            trial.handle.report(0.4 + epoch / 20, epoch)
        lr, optimizer = trial.values["optim.lr"], trial.values["optim.optimizer"]
        if trial.index == 17:
            trials.fail(trial, "OutOfMemoryError: <cuda> & co")
        else:
            trials.finish(trial, {1e-4: 0.6, 1e-3: 0.9, 1e-2: 0.7}[float(str(lr))] + 0.01 * (optimizer == "adamw"))
    return trials


def test_the_table_has_a_row_for_each_trial(trials: Trials) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(trials))))
    assert len(rows) == 18
    assert rows[6] | {"seconds": ""} == {
        "trial": "6", "state": "done", "val/auroc": "0.91", "optim.lr": "0.001", "optim.optimizer": "adamw", "model.dropout": "0.0",
        "config": "finetune/gradual", "epochs": "2", "seconds": "", "tries": "1", "host": "", "error": "",
    }  # fmt: skip
    assert (rows[17]["state"], rows[17]["error"]) == ("failed", "OutOfMemoryError: <cuda> & co")


def test_the_best_configuration_is_an_experiment_that_fit_accepts(trials: Trials, tmp_path: Path) -> None:
    file = tmp_path / "conf" / "experiment" / "best.yaml"
    write_results(trials, tmp_path, file)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# The highest val/auroc (0.9100) of the 17 finished trials of the sweep study: trial 6."
    assert lines[1] == "defaults: [experiment/ptbxl_small, finetune/gradual]"
    composed = config.compose(["--config", str(file)])
    schema.check(composed)
    trial = config.compose(["--config", "experiment/ptbxl_small", "trainer.max_epochs=3", "--config=finetune/gradual",
                            "optim.lr=0.001", "optim.optimizer=adamw", "model.dropout=0.0"])  # fmt: skip
    assert composed == trial


def test_the_best_configuration_stands_over_files_of_one_s_own(sweep_file: Write, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("defaults: [default]\nseed: 7\n", encoding="utf-8")
    command = [*FIT[:5], "--config", str(path), "${args}"]
    sweep = load_sweep(sweep_file(parameters={"optim.lr": {"value": 0.5}}, command=command))
    storage = open_storage(str(tmp_path / "j"))
    trials = Trials(sweep, open_study(sweep, storage), storage, 0, 2)
    trial = trials.claim()
    assert trial
    trials.finish(trial, 1.0)
    write_results(trials, tmp_path / "s", tmp_path / "conf" / "best.yaml")
    composed = config.compose(["--config", str(tmp_path / "conf" / "best.yaml")])
    assert (composed.seed, composed.optim.lr) == (7, 0.5)


def test_the_best_of_another_program_is_its_parameters(sweep_file: Write, tmp_path: Path) -> None:
    sweep = load_sweep(sweep_file(["a"]))
    storage = open_storage(str(tmp_path / "j"))
    trials = Trials(sweep, open_study(sweep, storage), storage, 0, 2)
    assert best_configuration(trials, tmp_path / "best.yaml") is None
    trial = trials.claim()
    assert trial
    trials.finish(trial, 1.0)
    assert str(best_configuration(trials, tmp_path / "best.yaml")).splitlines()[1:] == ["{x: a}"]


def test_importance_puts_the_learning_rate_first(trials: Trials) -> None:
    shares = importances(trials)
    assert next(iter(shares)) == "optim.lr"
    assert sum(shares.values()) == pytest.approx(1.0)
    assert set(shares) == {"optim.lr", "optim.optimizer", "model.dropout"}  # what never varied has none


def test_the_page_needs_nothing_else(trials: Trials, tmp_path: Path) -> None:
    write_results(trials, tmp_path, tmp_path / "best.yaml")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|@import|src=|url\((?!#)", page)
    figures = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(figures) == 3
    for figure in figures:
        xml.etree.ElementTree.fromstring(figure)
    assert len(re.findall(r"<tr", page)) == 19
    assert "OutOfMemoryError: &lt;cuda&gt; &amp; co" in page
    assert 'class="best"><td>6</td>' in page


def test_a_page_without_any_result_says_so(sweep_file: Write, tmp_path: Path) -> None:
    sweep = load_sweep(sweep_file([1]))
    storage = open_storage(str(tmp_path / "j"))
    trials = Trials(sweep, open_study(sweep, storage), storage, 0, 2)
    trials.claim()
    write_results(trials, tmp_path, tmp_path / "best.yaml")
    assert "1 running" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "best.yaml").exists()


@pytest.mark.parametrize(
    "entry",
    [{"min": 1, "max": 4}, {"min": 1e-3, "max": 1.0, "distribution": "log_uniform_values"}, {"distribution": "normal"}],
)
def test_every_kind_of_parameter_has_an_axis(sweep_file: Write, tmp_path: Path, entry: dict[str, object]) -> None:
    sweep = load_sweep(sweep_file(entry, method="random", run_cap=5))
    storage = open_storage(str(tmp_path / "j"))
    trials = Trials(sweep, open_study(sweep, storage), storage, 0, 2)
    while (trial := trials.claim()) is not None:
        trials.finish(trial, float(str(trial.values["x"])))
    write_results(trials, tmp_path, tmp_path / "best.yaml")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<svg") == 3


def test_the_live_table_shows_what_runs_first_and_marks_the_best(trials: Trials) -> None:
    from rich.console import Console

    console = Console(width=110, record=True, file=io.StringIO(), force_terminal=False)
    console.print(render(trials, height=5))
    lines = console.export_text().splitlines()
    assert lines[0] == "study: 18 trials; 17 done, 1 failed"
    assert lines[1].split() == [
        "trial",
        "state",
        "epochs",
        "val/auroc",
        "time",
        "optim.lr",
        "optim.optimizer",
        "model.dropout",
    ]
    assert lines[2].split()[:4] == ["6", "done", "2", "0.9100"]
    assert len(lines) == 7
    assert [row.trial for row in rows(trials)] == list(range(18))
