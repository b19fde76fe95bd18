"""A sweep's trials as a table: live in the terminal, and as CSV."""

import csv
import io
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ecg_lightning.sweep.definition import Sweep
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

    def chosen(self, names: Iterable[str]) -> list[str]:
        """The values of some parameters as texts; an empty one where the search has not chosen yet."""
        return [as_text(self.values[name]) if name in self.values else "" for name in names]

    def score(self) -> str:
        """The value for people."""
        return "" if self.value is None else f"{self.value:.4f}"

    def time(self) -> str:
        """The seconds for people."""
        return "" if self.seconds is None else duration(self.seconds)


def count_states(table_rows: Iterable[Row]) -> str:
    """How many trials are in each state, ``17 done, 1 failed``."""
    return ", ".join(f"{count} {state}" for state, count in Counter(row.state for row in table_rows).items())


def best_first(table_rows: Iterable[Row], sweep: Sweep, states: Sequence[str]) -> list[Row]:
    """The trials in the order of some states, others after them, and the best of each first."""
    sign = -1.0 if sweep.goal == "maximize" else 1.0

    def place(row: Row) -> tuple[int, float, int]:
        state = states.index(row.state) if row.state in states else len(states)
        return state, 0.0 if row.value is None else sign * row.value, row.trial

    return sorted(table_rows, key=place)


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
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        parameters = row.chosen(names)
        out.writerow(
            [row.trial, row.state, row.value, *parameters, row.epochs, seconds, row.tries, row.host, row.error]
        )
    return text.getvalue()


def render(trials: Trials, height: int) -> Group:
    """The live table: a line of counts, then what runs, the best, and what failed, as far as there is room."""
    table_rows, size = rows(trials), trials.sweep.size
    line = Text(f"{trials.sweep.name}: {size if size is not None else 'unlimited'} trials; ")
    line.append(count_states(table_rows) or "none yet")
    table = Table(box=None, pad_edge=False)
    varied = [
        parameter.name
        for parameter in trials.sweep.parameters
        if len({as_text(row.values.get(parameter.name)) for row in table_rows}) > 1
    ]
    for heading in ("trial", "state", "epochs", trials.sweep.metric, "time", *varied):
        table.add_column(heading, justify="left" if heading == "state" else "right", overflow="fold")
    best = trials.best()
    begun = (row for row in table_rows if row.state != "waiting")
    for row in best_first(begun, trials.sweep, ("running", "done", "stopped"))[: max(height, 5)]:
        is_best = best is not None and row.state == "done" and row.value == best.value
        style = "bold green" if is_best else {"running": "cyan", "failed": "red", "died": "red"}.get(row.state, "")
        parameters = [_short(row.values.get(name)) for name in varied]
        table.add_row(str(row.trial), row.state, str(row.epochs), row.score(), row.time(), *parameters, style=style)
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
