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
    """One trial of a sweep, for people.

    Attributes:
        state: waiting, running, done, stopped (early), failed, interrupted or died.
        value: the metric in the best epoch so far; None where there is none.
        seconds: duration of the last try, until now where it still runs.
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

    def texts(self, names: Iterable[str]) -> list[str]:
        """Returns the values of some parameters as texts; an empty text where a value is not chosen yet."""
        return [as_text(self.values[name]) if name in self.values else "" for name in names]

    def score(self) -> str:
        """Returns the value as a text."""
        return "" if self.value is None else f"{self.value:.4f}"

    def time(self) -> str:
        """Returns the seconds as a text."""
        return "" if self.seconds is None else duration(self.seconds)


def count_states(table_rows: Iterable[Row]) -> str:
    """Returns how many trials are in each state, `17 done, 1 failed`."""
    return ", ".join(f"{count} {state}" for state, count in Counter(row.state for row in table_rows).items())


def best_first(table_rows: Iterable[Row], sweep: Sweep, states: Sequence[str]) -> list[Row]:
    """Returns the trials in the order of some states, then those in other states; in each state the best are first."""
    sign = -1.0 if sweep.goal == "maximize" else 1.0

    def key(row: Row) -> tuple[int, float, int]:
        state = states.index(row.state) if row.state in states else len(states)
        return state, 0.0 if row.value is None else sign * row.value, row.trial

    return sorted(table_rows, key=key)


def rows(trials: Trials) -> list[Row]:
    """Returns a row for every trial that was queued so far."""
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
    """Returns the state of a trial as a word."""
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
    """Returns the table as CSV: a row for each trial, a column for each parameter."""
    text = io.StringIO()
    names = [parameter.name for parameter in trials.sweep.parameters]
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["trial", "state", trials.sweep.metric, *names, "epochs", "seconds", "tries", "host", "error"])
    for row in rows(trials):
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        end = (row.epochs, seconds, row.tries, row.host, row.error)
        out.writerow([row.trial, row.state, row.value, *row.texts(names), *end])
    return text.getvalue()


def render(trials: Trials, height: int) -> Group:
    """Returns the live table: a line of counts, then the running, the best and the failed trials in at most `height` rows."""
    table_rows, size = rows(trials), trials.sweep.size
    total = size if size is not None else "unlimited"
    line = Text(f"{trials.sweep.name}: {total} trials; {count_states(table_rows) or 'none yet'}")
    table = Table(box=None, pad_edge=False)
    parameters = [parameter.name for parameter in trials.sweep.parameters]
    names = [name for name in parameters if len({as_text(row.values.get(name)) for row in table_rows}) > 1]
    for heading in ("trial", "state", "epochs", trials.sweep.metric, "time", *names):
        table.add_column(heading, justify="left" if heading == "state" else "right", overflow="fold")
    best = trials.best()
    started_rows = (row for row in table_rows if row.state != "waiting")
    for row in best_first(started_rows, trials.sweep, ("running", "done", "stopped"))[: max(height, 5)]:
        is_best = best is not None and row.state == "done" and row.value == best.value
        style = "bold green" if is_best else {"running": "cyan", "failed": "red", "died": "red"}.get(row.state, "")
        values = [_short(row.values.get(name)) for name in names]
        table.add_row(str(row.trial), row.state, str(row.epochs), row.score(), row.time(), *values, style=style)
    return Group(line, table)


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else as_text(value)


@contextmanager
def live_table(trials: Trials, console: Console) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """Shows the table while a sweep runs; where the output is no terminal, only a line for each event.

    Yields:
        A function that prints a line, and a function that draws the table again, which is called often.
    """
    if not console.is_terminal:
        yield (lambda line: console.print(line, soft_wrap=True)), lambda: None
        return
    height = shutil.get_terminal_size().lines - 10
    last_drawing = -REFRESH
    with Live(console=console, refresh_per_second=2, transient=False) as live:

        def refresh() -> None:
            nonlocal last_drawing
            if time.monotonic() - last_drawing > REFRESH:
                try:
                    live.update(render(trials, height))
                except StorageError:
                    return
                last_drawing = time.monotonic()

        yield live.console.print, refresh
        last_drawing = -REFRESH
        refresh()
