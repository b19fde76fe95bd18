"""A program that stands for a training: it writes `metrics.csv` as a run does, in a fraction of a second."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from sweep.postgres_server import Postgres, running

PROGRAM = """
import csv, os, pathlib, sys, time
options = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
x, folder = float(options.get("x", 0)), pathlib.Path(options["run_dir"])
(folder / "arguments.txt").write_text(" ".join(sys.argv[1:]))
with open(folder.parent / "started.txt", "a") as log:
    log.write(f"{folder.name} {os.getpid()}\\n")
if options.get("mode") == "fail" and x == 1:
    sys.exit("ValueError: x must not be 1")
rows = []
for epoch in range(int(options.get("epochs", 3))):
    time.sleep(float(options.get("sleep", 0.01)))
    value = "nan" if options.get("mode") == "nan" else 1 - (x - 2) ** 2 / 10 - 0.5 / (epoch + 1)
    rows.append({"epoch": epoch, "step": epoch * 10, "train/loss": 1.0, "val/auroc": value})
    with open(folder / "metrics.csv", "w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows(rows)
with open(folder.parent / "ended.txt", "a") as log:
    log.write(f"{folder.name}\\n")
"""


@pytest.fixture
def sweep_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a sweep over the program: `sweep_file(x=[0, 1], method="grid", run_cap=5, options=["--epochs=2"])`."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")

    def write(x: object = (0, 1, 2, 3), options: tuple[str, ...] = (), name: str = "study", **more: object) -> Path:
        entry = x if isinstance(x, dict) else {"values": list(x)}  # type: ignore[call-overload]
        content: dict[str, object] = {
            "method": "grid",
            "metric": {"name": "val/auroc", "goal": "maximize"},
            "parameters": {"x": entry},
            "command": ["${interpreter}", str(program), *options, "${args}"],
        }
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(content | more, sort_keys=False), encoding="utf-8")
        return file

    return write


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """An empty database in a PostgreSQL server of its own; the test is skipped where none is installed."""
    with running() as server:
        yield server
