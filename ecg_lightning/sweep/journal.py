"""A study's journal file, which a full disk or a power cut may leave with an unfinished last line."""

import json
import os
from typing import Any

from optuna.storages.journal import JournalFileBackend


class Journal(JournalFileBackend):
    """Optuna's journal file, where an entry never stands on a line with the half of another.

    Optuna appends to whatever is there; after half a line, that would spoil both, and the study could not be read.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Adds entries, each on a line of its own; where they cannot all be written, none is.

        Raises:
            OSError: where they were not written.
        """
        content = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in logs).encode()
        self._lock.acquire()
        try:
            with open(self._file_path, "rb+", buffering=0) as file:
                end = _end_of_lines(file.fileno())
                file.truncate(end)
                file.seek(end)
                try:
                    while content:
                        content = content[file.write(content) :]
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)
                    raise
        finally:
            self._lock.release()


def _end_of_lines(file: int, chunk: int = 4096) -> int:
    """Where the last whole line of a file ends."""
    end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - chunk)
        if (place := os.pread(file, end - start, start).rfind(b"\n")) >= 0:
            return start + place + 1
        end = start
    return 0
