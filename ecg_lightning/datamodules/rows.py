"""Rows of a source's table that cannot be used: each is set aside with its reason, and the others are packed."""

import os
import re
import sys
from dataclasses import dataclass

from ecg_lightning.records import Record, RecordError
from ecg_lightning.store.pack import Reader, Row

REFUSED = "refused"
"""The column of a table that says why a row cannot be used; "" for the others."""
_DRIVE = re.compile(r"[a-zA-Z]:[\\/]|[\\/]")


@dataclass(frozen=True)
class CheckedReader:
    """A source's reader, which refuses rows that its table refuses and files that do not lie in the source's folder.

    Attributes:
        read: the source's own reader.
        outside_root: read files outside the source's folder too.
    """

    read: Reader
    outside_root: bool = False

    def __call__(self, row: Row) -> Record:
        """Reads the recording of a row.

        Raises:
            RecordError: the table's reason, or "outside root".
        """
        if row.get(REFUSED):
            raise RecordError(row[REFUSED])
        file = str(row.get("file", ""))
        if not self.outside_root and leaves_root(file):
            raise RecordError(f"outside root: the table names '{file}'; data.outside_root: true allows such files")
        return self.read(row)


def leaves_root(file: str) -> bool:
    r"""Whether a path of a table leads out of the folder that it starts from, as it is written.

    >>> [leaves_root(file) for file in ("a/b.hea", "a/../b.hea", "../b.hea", "/b.hea", "C:\\b.hea")]
    [False, False, True, True, True]
    """
    return _DRIVE.match(file) is not None or os.path.normpath(file).split(os.sep)[0] == os.pardir


def is_form(unreadable: int, filled: int) -> bool:
    """Whether so many cells cannot be read that the column has another form, rather than a few mistakes.

    One cell, or up to one in a hundred, counts as a mistake.

    Args:
        unreadable: the number of cells that cannot be read.
        filled: the number of cells that are not empty.

    >>> is_form(1, 3), is_form(1, 1), is_form(2, 150), is_form(10, 1000)
    (False, True, True, False)
    """
    return unreadable > 0 and (unreadable == filled or unreadable > max(1, filled // 100))


def tell(text: str) -> None:
    """Reports on stderr a problem that does not stop the job."""
    print(text, file=sys.stderr)
