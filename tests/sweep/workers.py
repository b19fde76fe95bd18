"""Workers as processes of their own, and what the programs they start have left behind."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import ecg_lightning


def worker(file: Path, folder: Path, *more: str) -> "subprocess.Popen[str]":
    """A worker process of its own, as from another terminal or machine."""
    code = "import sys; from ecg_lightning.commands.sweep import sweep; sys.exit(sweep(sys.argv[1:]))"
    words = [sys.executable, "-c", code, str(file), "--dir", str(folder), *more]
    environment = {**os.environ, "PYTHONPATH": str(Path(ecg_lightning.__file__).parents[1])}
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=file.parent, env=environment
    )


def started(folder: Path) -> Counter[str]:
    """How often each trial's program was started."""
    file = folder / "started.txt"
    return (
        Counter(line.split()[0] for line in file.read_text(encoding="utf-8").splitlines())
        if file.exists()
        else Counter()
    )


def ended(folder: Path) -> Counter[str]:
    """How often each trial's program came to its end."""
    file = folder / "ended.txt"
    return Counter(file.read_text(encoding="utf-8").split()) if file.exists() else Counter()


def wait_for(condition: Callable[[], bool], seconds: float = 180.0) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
