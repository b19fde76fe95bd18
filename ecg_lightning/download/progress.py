"""The progress bar of a download: files, bytes received, speed."""

from collections.abc import Iterable, Iterator
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars

T = TypeVar("T")


class Progress:
    """Shows on stderr how far a download is.

    Args:
        shown: False keeps silent.
    """

    def __init__(self, shown: bool) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        self._bars = Bars(*columns, console=Console(stderr=True), disable=not shown)
        self._lock = Lock()
        self._began, self._bytes = monotonic(), 0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def received(self, count: int) -> None:
        """Counts bytes that arrived; may be called by many threads."""
        with self._lock:
            self._bytes += count
            seconds = max(monotonic() - self._began, 1e-3)
            rate = f"{self._bytes / 1e6:,.1f} MB, {self._bytes / 1e6 / seconds:.1f} MB/s"
        for task in self._bars.task_ids[-1:]:
            self._bars.update(task, rate=rate)

    def track(self, title: str, outcomes: Iterable[T], total: int) -> Iterator[T]:
        """Pass outcomes on, one step of the bar each."""
        task = self._bars.add_task(title, total=total, rate="")
        for outcome in outcomes:
            self._bars.advance(task)
            yield outcome
