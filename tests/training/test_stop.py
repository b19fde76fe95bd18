"""Several processes that train together, and are told to stop: they end, and say how the run goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import small


def test_processes_that_train_together_stop_together(tmp_path: Path) -> None:
    root = small.archive(tmp_path / "archive", 60)
    words = small.arguments(root, tmp_path / "run", "trainer.devices=2", "trainer.max_epochs=5000")
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
