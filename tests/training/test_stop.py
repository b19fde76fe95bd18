"""Processes that are told to stop: they end, and say how the run goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import small
from ecg_lightning.modules.base import ECGModule


@pytest.mark.parametrize("processes", ["trainer.devices=2", "data.num_workers=2"])
def test_processes_that_work_together_stop_together(tmp_path: Path, processes: str) -> None:
    root = small.archive(tmp_path / "archive", 60)
    words = small.arguments(root, tmp_path / "run", processes, "trainer.max_epochs=5000")
    with subprocess.Popen(
        [sys.executable, "-m", "ecg_lightning", "fit", *words],
        start_new_session=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            while not (tmp_path / "run" / "metrics.csv").exists():
                assert process.poll() is None
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGTERM)
            _, errors = process.communicate(timeout=100)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert "Stopped." in errors
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_test_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small.archive(tmp_path / "archive", 60)
    small.fit(root, tmp_path / "run")
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ECGModule, "test_step", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        small.run("test", [f"run_dir={tmp_path / 'run'}", f"data.root={root}"])
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not (tmp_path / "run" / "test.json").exists()
