"""A sweep's trials as a table: live in the terminal, and as CSV."""

import csv
import io
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ecg_lightning.sweep.heartbeat import BEAT
from ecg_lightning.sweep.parameters import Value, as_text
from ecg_lightning.sweep.process import duration
from ecg_lightning.sweep.storage import StorageError
from ecg_lightning.sweep.trials import DIED, Trials, attempt_of

REFRESH = 2.0
"""Seconds between two readings of the study for the live table."""


@dataclass(frozen=True)
class Row:
    """One trial of a sweep, as people read it.

    Attributes:
        state: waiting, running, done, stopped (early), failed, interrupted or died.
        value: the metric's best epoch, or its last so far.
        seconds: that its last try took, or has taken so far.
    """

    trial: int
    state: str
    value: float | None
    values: dict[str, Value]
    epochs: int
    seconds: float | None
    tries: int
    host: str
    error: str


def rows(trials: Trials) -> list[Row]:
    """Every trial that has been queued so far."""
    return [_row(trials, index, trial) for index, trial in trials.latest().items()]


def _row(trials: Trials, index: int, trial: FrozenTrial) -> Row:
    history = list(trial.intermediate_values.values())
    beat = trial.user_attrs.get(BEAT, {})
    samples = trial.system_attrs.get("fixed_params", {}) | trial.params
    return Row(
        trial=index,
        state=state_of(trial),
        value=trial.value if trial.state == TrialState.COMPLETE else trials.sweep.best(history),
        values=trials.sweep.values(samples),
        epochs=len(history),
        seconds=_seconds(trial),
        tries=attempt_of(trial) + (trial.state != TrialState.WAITING),
        host=beat.get("host", ""),
        error=trial.user_attrs.get("error", ""),
    )


def state_of(trial: FrozenTrial) -> str:
    """The state of a trial in a word."""
    if trial.state == TrialState.FAIL:
        ended = trial.user_attrs.get("ended")
        return {DIED: "died", None: "failed"}.get(ended, "interrupted")
    words = {TrialState.WAITING: "waiting", TrialState.RUNNING: "running", TrialState.PRUNED: "stopped"}
    return words.get(trial.state, "done")


def _seconds(trial: FrozenTrial) -> float | None:
    if trial.datetime_start is None or trial.state == TrialState.WAITING:
        return None
    end = trial.datetime_complete or datetime.now(UTC).astimezone().replace(tzinfo=None)
    return (end - trial.datetime_start).total_seconds()


def as_csv(trials: Trials) -> str:
    """The table as CSV: one row a trial, one column a parameter."""
    text = io.StringIO()
    names = [parameter.name for parameter in trials.sweep.parameters]
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["trial", "state", trials.sweep.metric, *names, "epochs", "seconds", "tries", "host", "error"])
    for row in rows(trials):
        chosen = [as_text(row.values[name]) if name in row.values else "" for name in names]
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        value = "" if row.value is None else repr(row.value)
        out.writerow([row.trial, row.state, value, *chosen, row.epochs, seconds, row.tries, row.host, row.error])
    return text.getvalue()


def render(trials: Trials, height: int) -> Group:
    """The live table: a line of counts, then what runs, the best, and what failed, as far as there is room."""
    found = rows(trials)
    counts = {state: sum(row.state == state for row in found) for state in dict.fromkeys(row.state for row in found)}
    size = trials.sweep.size
    line = Text(f"{trials.sweep.name}: {size if size is not None else 'unlimited'} trials; ")
    line.append(", ".join(f"{count} {state}" for state, count in counts.items()) or "none yet")
    table = Table(box=None, pad_edge=False)
    varied = [
        parameter.name
        for parameter in trials.sweep.parameters
        if len({as_text(r.values.get(parameter.name)) for r in found}) > 1
    ]
    for heading in ("trial", "state", "epochs", trials.sweep.metric, "time", *varied):
        table.add_column(heading, justify="left" if heading == "state" else "right", overflow="fold")
    best = trials.best()
    order = {"running": 0, "done": 1, "stopped": 2}
    sign = -1.0 if trials.sweep.goal == "maximize" else 1.0
    shown = [row for row in found if row.state != "waiting"]
    shown.sort(key=lambda row: (order.get(row.state, 3), sign * row.value if row.value is not None else 0.0))
    for row in shown[: max(height, 5)]:
        is_best = best is not None and row.state == "done" and row.value == best.value
        style = "bold green" if is_best else {"running": "cyan", "failed": "red", "died": "red"}.get(row.state, "")
        chosen = [_short(row.values.get(name)) for name in varied]
        value = "" if row.value is None else f"{row.value:.4f}"
        seconds = "" if row.seconds is None else duration(row.seconds)
        table.add_row(str(row.trial), row.state, str(row.epochs), value, seconds, *chosen, style=style)
    return Group(line, table)


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else as_text(value)


@contextmanager
def live_table(trials: Trials, console: Console) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """Shows the table while a sweep runs; where the output is no terminal, only one line for each event.

    Yields:
        What to call with a line for each event, and what to call often.
    """
    if not console.is_terminal:
        yield (lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)), lambda: None
        return
    height = shutil.get_terminal_size().lines - 10
    drawn = -REFRESH
    with Live(console=console, refresh_per_second=2, transient=False) as live:

        def show() -> None:
            nonlocal drawn
            if time.monotonic() - drawn > REFRESH:
                try:
                    live.update(render(trials, height))
                except StorageError:
                    return
                drawn = time.monotonic()

        yield (lambda line: live.console.print(line, markup=False, highlight=False)), show
        drawn = -REFRESH
        show()
