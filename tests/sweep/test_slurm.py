import csv
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ecg_lightning
from ecg_lightning.commands.sweep import sweep as run
from ecg_lightning.errors import UserError
from ecg_lightning.sweep import slurm
from sweep.workers import wait_for

submitit = pytest.importorskip("submitit")
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(ecg_lightning.__file__).parents[1]))


def table(folder: Path) -> list[dict[str, str]]:
    file = folder / "trials.csv"
    if not file.exists():
        return []
    with file.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


# The jobs are meant to outlive the process that submits them.
@pytest.mark.filterwarnings(
    "ignore:subprocess .* is still running:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_two_jobs_share_a_sweep(sweep_file: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "s"
    words = [str(sweep_file(range(4))), "--dir", str(folder)]
    assert run([*words, "--slurm", "cluster=local,partition=gpu,time=0:10:00", "--workers", "2"]) == 0
    assert "Submitted 2 workers: " in capsys.readouterr().out
    assert run([*words, "--workers", "0"]) == 0  # watches
    assert [row["state"] for row in table(folder)] == ["done"] * 4
    wait_for(lambda: len(list((folder / "slurm").glob("*/*_result.pkl"))) == 2)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the job's process through /proc")
def test_a_pre_empted_job_goes_on_with_its_trial(
    sweep_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Submitit warns a job with a signal; the worker ends its trial, and the job, started anew, runs it to its end."""
    folder = tmp_path / "s"
    words = (str(sweep_file([3, 4], options=("--sleep=0.5",))), "--dir", str(folder), "--heartbeat", "0.5")
    executor = submitit.LocalExecutor(folder=tmp_path / "jobs")
    executor.update_parameters(timeout_min=30)
    job = executor.submit(slurm.Job(run, words))
    wait_for(lambda: (folder / "started.txt").exists())
    trial = int((folder / "started.txt").read_text(encoding="utf-8").split()[1])
    job_process = int(Path(f"/proc/{trial}/stat").read_text(encoding="utf-8").split()[3])
    os.kill(job_process, signal.SIGUSR2)  # as SLURM does some time before it takes the node away
    assert job.result() == 0  # the local executor starts a job again that asks for it, as SLURM's scontrol requeue
    rows = table(folder)
    assert [(row["state"], row["tries"]) for row in rows] == [("done", "2"), ("done", "1")]
    assert (folder / "ended.txt").read_text(encoding="utf-8").split() == ["000", "001"]


def test_options_become_sbatch_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch file that a fake sbatch receives."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sbatch", "srun"):
        (tools / name).write_text(
            f'#!/bin/sh\ncp "$1" {tmp_path}/batch.sh\necho Submitted batch job 4711\n', encoding="utf-8"
        )
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    options = slurm.parse_options("partition=gpu,time=1-04:00:00,cpus-per-task=8,mem=32G,reservation=ecg")
    assert slurm.submit(run, ["f.yaml"], options, 3, 1, tmp_path / "jobs") == ["4711_0", "4711_1", "4711_2"]
    lines = (tmp_path / "batch.sh").read_text(encoding="utf-8").splitlines()
    sbatch_options = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert {
        "partition=gpu",
        "time=1680",
        "cpus-per-task=8",
        "mem=32G",
        "reservation=ecg",
        "gpus-per-node=1",
    } <= sbatch_options
    assert any(line.startswith("array=0-2") for line in sbatch_options)


@pytest.mark.parametrize(
    ("options", "message"),
    [("partition", "is not key=value"), ("time=soon", "is not a time limit"), ("a=b", "no sbatch")],
)
def test_mistakes(
    sweep_file: Write, tmp_path: Path, options: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm.shutil, "which", lambda name: None)
    words = f"cluster=local,{options}" if options == "time=soon" else options
    with pytest.raises(UserError, match=message):
        run([str(sweep_file()), "--dir", str(tmp_path / "s"), "--slurm", words])
