"""Names that come from outside: where they may lie, and which patterns choose them."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

STATE = ".download"
"""The folder below the root that holds the lock, and a note of every archive that was unpacked."""


def is_safe(name: str) -> bool:
    r"""Says whether a name from a list or an archive stays below the folder that it is put into, on any system.

    >>> is_safe("records100/00000/00001_lr.hea"), is_safe("../.bashrc"), is_safe("/etc/passwd"), is_safe("C:\\x")
    (True, False, False, False)
    """
    parts = PurePosixPath(name).parts
    unsafe = not parts or name.startswith("/") or ".." in parts or parts[0] == STATE
    return not unsafe and not any(character in '\\:*?"<>|' or ord(character) < 32 for character in name)


def path_matches(path: str, patterns: Sequence[str]) -> bool:
    """Says whether a path is chosen by any pattern; a pattern that names a folder chooses everything in it.

    >>> path_matches("records500/00000/00001_hr.dat", ["records500"]), path_matches("RECORDS", ["*.csv"])
    (True, False)
    """
    return any(fnmatchcase(path, p) or fnmatchcase(path, p.rstrip("/") + "/*") for p in patterns)
