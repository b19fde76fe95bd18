"""`sweep FILE --dry-run`: the trials that would run and their cost, estimated from the time of one trial."""

import shutil
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ecg_lightning.errors import UserError
from ecg_lightning.sweep.definition import Sweep
from ecg_lightning.sweep.gpus import Gpus
from ecg_lightning.sweep.launch import Launcher
from ecg_lightning.sweep.parameters import as_text
from ecg_lightning.sweep.process import duration, failure

MOST = 40
"""The largest number of trials in the list."""


def dry_run(sweep: Sweep, seed: int, workers: int, gpus: Gpus, out: Console) -> None:
    """Lists the trials, runs the first in a temporary folder, and estimates the time of all.

    Raises:
        UserError: where that trial fails or never logs the metric.
    """
    size = sweep.size
    out.print(f"{sweep.name}: {sweep.method} search, {sweep.goal} {sweep.metric}")
    if sweep.method == "bayes":
        table = Table("parameter", "searched", box=None, pad_edge=False)
        for parameter in sweep.parameters:
            table.add_row(parameter.name, parameter.text())
        out.print(table)
        out.print(
            f"{size} trials, each chosen after those before it." if size else "No run_cap: it runs until it is stopped."
        )
    else:
        out.print(_trials(sweep, seed, min(size or 10, MOST)))
        if size is None:
            out.print("… and so on until it is stopped (no run_cap)")
        elif size > MOST:
            out.print(f"… {size - MOST} more")
    out.print("Timing the first trial …")
    seconds, epochs = _time_one(sweep, seed, workers, gpus)
    out.print(f"One trial took {duration(seconds)} for {epochs} epochs.")
    if size is not None:
        parallel = min(workers, gpus.capacity or workers, size)
        limit = " at most, since early_terminate stops some" if sweep.stopping else ""
        total, wall = duration(size * seconds), duration(-(-size // parallel) * seconds)
        out.print(
            f"{size} trials: about {total} of computing{limit}; {wall} with {parallel} at a time, where they do not slow each "
            "other down.",
            soft_wrap=True,
        )


def _trials(sweep: Sweep, seed: int, count: int) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("trial", *(parameter.name for parameter in sweep.parameters)):
        table.add_column(heading, justify="right", overflow="fold")
    for index in range(count):
        values = sweep.values(sweep.samples(index, seed))
        table.add_row(str(index), *(as_text(values[parameter.name]) for parameter in sweep.parameters))
    return table


def _time_one(sweep: Sweep, seed: int, workers: int, gpus: Gpus) -> tuple[float, int]:
    """Returns the seconds and epochs of one trial: the first, or the middle of every range where bayes chooses."""
    samples = sweep.samples(0, seed) or {parameter.name: parameter.draw(0.5) for parameter in sweep.parameters}
    names = gpus.take()
    if names is None:
        raise UserError("No GPU is free to time a trial on. Try again when one is free.")
    folder = Path(tempfile.mkdtemp(prefix=f"{sweep.name}-dry-run-"))
    try:
        environment = {**gpus.environment(names), "WANDB_MODE": "disabled"}
        process = Launcher(sweep, folder, workers).run(folder / "trial", sweep.values(samples), environment)
        try:
            while (status := process.poll()) is None:
                time.sleep(0.05)
        finally:  # Ctrl-C
            process.wait(0.0)
        seconds = time.monotonic() - process.started
        if status != 0:
            raise UserError(f"The first trial failed: {failure(status, process.last_line())}")
        if not (history := process.history()):
            raise UserError(f"{sweep.file}: {process.without_metric('the first trial')}")
        return seconds, len(history)
    finally:
        gpus.give_back(names)
        shutil.rmtree(folder, ignore_errors=True)
