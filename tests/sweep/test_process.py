import signal
import sys
import time
from pathlib import Path

import pytest

from ecg_lightning.sweep.process import TrialProcess, failure


def start(folder: Path, code: str, metric: str = "val/auroc") -> TrialProcess:
    return TrialProcess([sys.executable, "-c", code], folder, {"TOLD": "yes"}, metric)


def test_it_tells_status_output_and_environment(tmp_path: Path) -> None:
    trial = start(tmp_path, "import os, sys; print('hello'); sys.exit('bad: ' + os.environ['TOLD'])")
    trial.wait(30)
    assert (trial.poll(), trial.last_line()) == (1, "bad: yes")
    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == "hello\nbad: yes\n"


def test_a_program_that_is_not_there_fails_with_its_name(tmp_path: Path) -> None:
    trial = TrialProcess(["no-such-program"], tmp_path, {}, "m")
    trial.wait(30)
    assert trial.poll() == 1
    assert "FileNotFoundError" in trial.last_line()


def test_the_metric_is_read_from_whole_rows(tmp_path: Path) -> None:
    trial = start(tmp_path, "")
    trial.wait(30)
    assert trial.history() == {}
    file = tmp_path / "metrics.csv"
    file.write_text("epoch,train/loss,val/auroc\n0,0.9,0.5\n1,0.8,\n1,,0.6\n2,0.7,0.", encoding="utf-8")
    assert trial.history() == {1: 0.5, 2: 0.6}
    file.write_text("epoch,train/loss,val/auroc\n0,0.9,0.5\n1,0.8,\n1,,0.6\n2,0.7,0.65\n", encoding="utf-8")
    assert trial.history() == {1: 0.5, 2: 0.6, 3: 0.65}


@pytest.mark.parametrize(
    ("table", "never"),
    [
        ("epoch,train/loss,val/loss\n0,0.9,0.5\n", True),
        ("epoch,train/loss,val/loss\n0,0.9,\n", False),  # validation has not come yet
        ("epoch,train/loss,val/loss,val/auroc\n0,0.9,0.5,\n", False),
        ("", False),
    ],
)
def test_a_metric_that_is_never_logged_is_known_after_the_first_validation(
    tmp_path: Path, table: str, never: bool
) -> None:
    trial = start(tmp_path, "")
    trial.wait(30)
    (tmp_path / "metrics.csv").write_text(table, encoding="utf-8")
    assert trial.never_logs_metric() is never


def test_it_ends_when_asked(tmp_path: Path) -> None:
    code = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(7))\nopen('ready', 'w').close()\ntime.sleep(60)"
    trial = start(tmp_path, code.replace("'ready'", repr(str(tmp_path / "ready"))))
    _until(tmp_path / "ready")
    trial.end()
    trial.wait(30)
    assert trial.poll() == 7


def test_it_is_killed_with_its_children_when_it_does_not_end(tmp_path: Path) -> None:
    code = f"import subprocess, signal\nsignal.signal(15, signal.SIG_IGN)\nc = subprocess.Popen(['sleep', '60'])\nopen({str(tmp_path / 'ready')!r}, 'w').close()\nc.wait()"
    trial = start(tmp_path, code)
    _until(tmp_path / "ready")
    trial.end()
    trial.wait(0.3)
    assert trial.poll() == -signal.SIGKILL


def test_a_warning_of_preemption_does_not_end_it(tmp_path: Path) -> None:
    code = f"import os, signal\nos.kill(os.getpid(), signal.SIGUSR2)\nopen({str(tmp_path / 'ready')!r}, 'w').close()"
    trial = start(tmp_path, code)
    trial.wait(30)
    assert trial.poll() == 0


def test_why_it_failed() -> None:
    assert failure(2, "") == "no output (exit status 2)"
    assert failure(-15, "x") == "killed by SIGTERM; its last line: x"


def _until(file: Path) -> None:
    deadline = time.monotonic() + 30
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert file.exists()
