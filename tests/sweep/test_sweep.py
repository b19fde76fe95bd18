"""The verb as a whole, over a program that stands for a training."""

import csv
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ecg_lightning.commands.sweep import sweep as run
from ecg_lightning.errors import UserError
from sweep.workers import ended, started, wait_for, worker

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_grid_with_two_workers(sweep_file: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(sweep_file(range(5))), "--workers", "2"]) == 0
    folder = tmp_path / "runs" / "sweeps" / "study"
    rows = table(folder)
    assert [(row["trial"], row["state"], row["x"], row["epochs"]) for row in rows] == [
        (str(i), "done", str(i), "3") for i in range(5)
    ]
    assert float(rows[2]["val/auroc"]) == pytest.approx(1 - 0.5 / 3)  # its last epoch is its best
    assert started(folder) == Counter(f"{i:03d}" for i in range(5))
    assert f"--x=3 --run_dir={folder}/003" == (folder / "003" / "arguments.txt").read_text(encoding="utf-8")
    assert "Best val/auroc: 0.8333, trial 2" in capsys.readouterr().out
    assert (folder / "study_best.yaml").read_text(encoding="utf-8").endswith("{x: 2}\n")

    assert run([str(sweep_file(range(5))), "--workers", "2"]) == 0  # again: nothing is left to do
    assert started(folder).total() == 5


def test_overrides_reach_every_trial(sweep_file: Write, tmp_path: Path) -> None:
    assert run([str(sweep_file([1, 2])), "epochs=1", "--dir", str(tmp_path / "s")]) == 0
    assert [row["epochs"] for row in table(tmp_path / "s")] == ["1", "1"]


def test_a_failing_trial_is_recorded_and_the_others_go_on(sweep_file: Write, tmp_path: Path) -> None:
    assert run([str(sweep_file(range(3), options=("--mode=fail",))), "--dir", str(tmp_path / "s")]) == 0
    rows = table(tmp_path / "s")
    assert [row["state"] for row in rows] == ["done", "failed", "done"]
    assert rows[1]["error"] == "ValueError: x must not be 1 (exit status 1)"
    assert run([str(sweep_file([1], options=("--mode=fail",), name="all_fail"))]) == 1


def test_what_failed_is_run_again_when_asked(sweep_file: Write, tmp_path: Path) -> None:
    file = sweep_file(range(3), options=("--mode=fail",))
    assert run([str(file), "--dir", str(tmp_path / "s")]) == 0
    program = tmp_path / "program.py"
    program.write_text(program.read_text(encoding="utf-8").replace("x == 1", "x == 99"), encoding="utf-8")
    assert run([str(file), "--dir", str(tmp_path / "s"), "--retry-failed"]) == 0
    assert [(row["state"], row["tries"]) for row in table(tmp_path / "s")] == [
        ("done", "1"),
        ("done", "2"),
        ("done", "1"),
    ]
    assert started(tmp_path / "s").total() == 4


def test_a_metric_of_nan_is_a_failure(sweep_file: Write, tmp_path: Path) -> None:
    assert run([str(sweep_file([1], options=("--mode=nan",))), "--dir", str(tmp_path / "s")]) == 1
    assert table(tmp_path / "s")[0]["error"] == "val/auroc was NaN after every epoch"


def test_a_metric_that_is_never_logged_ends_the_sweep_at_the_first_epoch(sweep_file: Write, tmp_path: Path) -> None:
    file = sweep_file(range(4), options=("--epochs=1000",), metric={"name": "val/aurok", "goal": "maximize"})
    with pytest.raises(UserError, match=r"never logged 'val/aurok'\. Did you mean: 'val/auroc'"):
        run([str(file), "--workers", "2", "--dir", str(tmp_path / "s")])
    assert not ended(tmp_path / "s")  # none of them came to its thousandth epoch


def test_what_lags_behind_is_stopped_early(sweep_file: Write, tmp_path: Path) -> None:
    stopping = {"type": "median", "min_iter": 2}
    file = sweep_file([2, 2.1, 2.2, 2.3, 12], options=("--epochs=12", "--sleep=0.1"), early_terminate=stopping)
    assert run([str(file), "--dir", str(tmp_path / "s")]) == 0
    rows = table(tmp_path / "s")
    assert [row["state"] for row in rows] == ["done"] * 4 + ["stopped"]
    assert int(rows[4]["epochs"]) < 12


def test_hyperband_stops_some_and_keeps_the_best(sweep_file: Write, tmp_path: Path) -> None:
    stopping = {"type": "hyperband", "min_iter": 1, "max_iter": 9}
    file = sweep_file([2, 5, 6, 7, 8, 9, 10], options=("--epochs=9", "--sleep=0.05"), early_terminate=stopping)
    assert run([str(file), "--workers", "2", "--dir", str(tmp_path / "s")]) == 0
    rows = table(tmp_path / "s")
    assert rows[0]["state"] == "done"
    assert Counter(row["state"] for row in rows)["stopped"] >= 2


def test_ctrl_c_ends_the_children_and_the_sweep_goes_on_later(sweep_file: Write, tmp_path: Path) -> None:
    folder, file = tmp_path / "s", sweep_file(range(6), options=("--sleep=0.4",))
    process = worker(file, folder, "--heartbeat", "2", "--workers", "2")
    wait_for(lambda: ended(folder).total() >= 2 and started(folder).total() >= 4)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 130, output
    assert "Run the same command again" in output
    assert not any(map(alive, pids(folder)))
    before = ended(folder)
    assert Counter(row["state"] for row in table(folder))["done"] == before.total()

    assert run([str(file), "--dir", str(folder), "--workers", "2"]) == 0
    assert ended(folder) == Counter(f"{i:03d}" for i in range(6))  # each came to its end once
    assert [row["state"] for row in table(folder)] == ["done"] * 6


def test_a_killed_worker_s_trial_dies_with_it_and_is_run_by_another(sweep_file: Write, tmp_path: Path) -> None:
    folder, file = tmp_path / "s", sweep_file(range(5), options=("--sleep=0.5",))
    victim = worker(file, folder, "--heartbeat", "2")
    wait_for(lambda: started(folder).total() >= 1)
    victim.kill()
    second_worker = worker(file, folder, "--heartbeat", "2")
    victim.communicate()
    output, _ = second_worker.communicate(timeout=240)
    assert second_worker.returncode == 0, output
    assert "has died" in output
    rows = table(folder)
    assert [row["state"] for row in rows] == ["done"] * 5
    assert sorted(row["tries"] for row in rows) == ["1", "1", "1", "1", "2"]
    again = Counter(row["trial"].zfill(3) for row in rows if row["tries"] == "2")
    once = Counter(f"{i:03d}" for i in range(5))
    assert started(folder) == once + again
    assert ended(folder) == once


def test_a_second_try_does_not_read_what_the_first_has_left(sweep_file: Write, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    (folder / "000").mkdir(parents=True)
    (folder / "000" / "metrics.csv").write_text("epoch,val/auroc\n0,0.99\n", encoding="utf-8")
    assert run([str(sweep_file([3])), "--dir", str(folder)]) == 0
    assert float(table(folder)[0]["val/auroc"]) < 0.9
    assert (folder / "000.before1" / "metrics.csv").is_file()


def test_trials_of_one_sweep_are_one_w_and_b_group_offline_too(
    sweep_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    program = tmp_path / "tell.py"
    code = "import os, sys\nfrom pathlib import Path\nfolder = Path(sys.argv[2].split('=')[1])\n(folder / 'metrics.csv').write_text('epoch,val/auroc\\n0,0.5\\n')\nprint(*(os.environ.get(k) for k in ('WANDB_RUN_GROUP', 'WANDB_NAME', 'WANDB_MODE', 'OMP_NUM_THREADS')))\n"
    program.write_text(code, encoding="utf-8")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert (
        run(
            [
                str(sweep_file([1], command=["${interpreter}", str(program), "${args}"])),
                "--dir",
                str(tmp_path / "s"),
                "--workers",
                "4",
            ]
        )
        == 0
    )
    assert (tmp_path / "s" / "000" / "log.txt").read_text(encoding="utf-8") == "study study-000 offline 2\n"


def test_dry_run_lists_times_and_leaves_nothing(
    sweep_file: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(sweep_file(range(6), options=("--sleep=0.4",))), "--dry-run", "--workers", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:8]] == [["trial", "x"], *([str(i), str(i)] for i in range(6))]
    seconds = int(lines[9].split()[3])
    assert lines[9] == f"One trial took {seconds} s for 3 epochs."
    assert 1 <= seconds <= 4
    assert lines[10].startswith("6 trials: about ") and "with 2 at a time" in lines[10]
    assert not (tmp_path / "runs").exists()


def test_dry_run_of_bayes_shows_the_space(sweep_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"min": 1e-4, "max": 1e-1, "distribution": "log_uniform_values"}
    assert run([str(sweep_file(entry, method="bayes", run_cap=9)), "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "0.0001 … 0.1, logarithmic" in output
    assert "9 trials, each chosen after those before it." in output


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--mode=fail",), "The first trial failed: ValueError"), (("--epochs=0",), "never logged")],
)
def test_dry_run_finds_what_would_go_wrong(sweep_file: Write, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run([str(sweep_file([1], options=options)), "--dry-run"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workerz", "2"], "unrecognized arguments: --workerz"),
        (["--workers", "-1"], "-1 is less than 0"),
        (["trainer.max_epochs"], "'trainer.max_epochs' is not key=value"),
        (["--heartbeat", "0"], "--heartbeat must be greater than 0"),
        (["--heartbeat", "nan"], "--heartbeat must be greater than 0"),
        (["--gpus_per_run", "9"], "--gpus-per-run 9"),
        (["--gpus-per-run", "9"], "--gpus-per-run 9"),
        (["--storage", "postgresql://127.0.0.1:1/x"], "cannot be reached"),
    ],
)
def test_a_mistake_on_the_command_line(sweep_file: Write, arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run([str(sweep_file()), *arguments])


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"Did you mean: 'sweep/quick'"):
        run(["sweep/quik"])


def pids(folder: Path) -> list[int]:
    return [int(line.split()[1]) for line in (folder / "started.txt").read_text(encoding="utf-8").splitlines()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
