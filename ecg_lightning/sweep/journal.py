"""The journal file of a study; a full disk or a power cut may leave an unfinished last line in it."""

import json
import os
from typing import Any

from optuna.storages.journal import JournalFileBackend


class Journal(JournalFileBackend):
    """Optuna's journal file, in which every entry has a line for itself.

    Optuna appends to whatever is in the file. After an unfinished line both entries would be lost, and the study could not
    be read.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Adds entries, each on a line for itself; where they cannot all be written, none is.

        Raises:
            OSError: where the entries could not be written.
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
    """Returns the position at which the last whole line of a file ends."""
    end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - chunk)
        if (place := os.pread(file, end - start, start).rfind(b"\n")) >= 0:
            return start + place + 1
        end = start
    return 0
