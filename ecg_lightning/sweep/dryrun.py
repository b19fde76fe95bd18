"""``sweep FILE --dry-run``: the trials that would run, and what they would cost, after one of them was timed."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ecg_lightning.errors import UserError
from ecg_lightning.sweep.definition import Sweep
from ecg_lightning.sweep.gpus import Gpus
from ecg_lightning.sweep.launch import Launcher
from ecg_lightning.sweep.parameters import as_text
from ecg_lightning.sweep.process import duration, failure

SHOWN = 40
"""Trials that are listed one by one."""


def dry_run(sweep: Sweep, seed: int, workers: int, gpus: Gpus, console: Console) -> None:
    """Lists the trials, runs the first in a temporary folder, and multiplies.

    Raises:
        UserError: where that trial fails or never logs the metric, which is better known now than tomorrow.
    """
    size = sweep.size
    console.print(f"{sweep.name}: {sweep.method} search, {sweep.goal} {sweep.metric}", markup=False, highlight=False)
    console.print(_space(sweep) if sweep.method == "bayes" else _list(sweep, seed, range(min(size or 10, SHOWN))))
    if sweep.method != "bayes" and (size is None or size > SHOWN):
        console.print("… and so on until it is stopped (no run_cap)" if size is None else f"… {size - SHOWN} more")
    if sweep.method == "bayes":
        console.print(
            f"{size or 'Unlimited'} trials, each chosen after those before it."
            if size
            else "No run_cap: it goes on until stopped."
        )
    console.print("Timing the first trial …")
    seconds, epochs = _time_one(sweep, seed, workers, gpus)
    console.print(f"One trial took {duration(seconds)} for {epochs} epochs.", highlight=False)
    if size is not None:
        atonce = min(workers, gpus.capacity or workers, size)
        rounds = -(-size // atonce)
        early = " at most, since early_terminate stops some" if sweep.stopping else ""
        console.print(
            f"{size} trials: about {duration(size * seconds)} of computing{early}; "
            f"{duration(rounds * seconds)} with {atonce} at a time, where they do not slow each other down.",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


def _list(sweep: Sweep, seed: int, indices: Sequence[int]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("trial", *(parameter.name for parameter in sweep.parameters)):
        table.add_column(heading, justify="right", overflow="fold")
    for index in indices:
        values = sweep.values(sweep.samples(index, seed))
        table.add_row(str(index), *(as_text(values[parameter.name]) for parameter in sweep.parameters))
    return table


def _space(sweep: Sweep) -> Table:
    table = Table("parameter", "searched", box=None, pad_edge=False)
    for parameter in sweep.parameters:
        table.add_row(parameter.name, parameter.described())
    return table


def _time_one(sweep: Sweep, seed: int, workers: int, gpus: Gpus) -> tuple[float, int]:
    """Seconds and epochs of one trial: the first, or the middle of every range where bayes chooses."""
    samples = sweep.samples(0, seed) or {parameter.name: parameter.draw(0.5) for parameter in sweep.parameters}
    taken = gpus.take()
    if taken is None:
        raise UserError("No GPU is free to time a trial on; try again when one is.")
    folder = Path(tempfile.mkdtemp(prefix=f"{sweep.name}-dry-run-"))
    try:
        launcher = Launcher(sweep, folder, workers)
        environment = {**gpus.environment(taken), "WANDB_MODE": "disabled"}
        process = launcher.run(folder / "trial", sweep.values(samples), environment)
        try:
            while (status := process.poll()) is None:
                time.sleep(0.05)
        except KeyboardInterrupt:
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - process.started
        if status != 0:
            raise UserError(f"The first trial failed: {failure(status, process.last_words())}")
        history = process.history()
        if not history:
            logged = ", ".join(process.logged()) or "nothing"
            raise UserError(
                f"{sweep.file}: metric.name: the first trial never logged '{sweep.metric}'. It logs: {logged}."
            )
        return seconds, len(history)
    finally:
        gpus.give_back(taken)
        shutil.rmtree(folder, ignore_errors=True)
