"""The recordings in files and folders: each once, whatever files it consists of; what is passed over is counted."""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecg_lightning.errors import UserError
from ecg_lightning.records.containers import ARRAY_SUFFIXES
from ecg_lightning.records.formats import format_of
from ecg_lightning.records.leads import lead_name
from ecg_lightning.records.read import SUFFIXES
from ecg_lightning.records.record import readable
from ecg_lightning.records.segments import parts_of_others
from ecg_lightning.records.wfdb_reader import header_path

_ANNOTATIONS = "a WFDB annotation file"


def find_records(paths: Sequence[str]) -> list[Path]:
    """The recordings that files and folders name, each once and as it was named first.

    The files of a WFDB record are one recording, and so are the master, the segments and the layout of a multi-segment
    one. In folders, tables and files of other formats are passed over, which is said in one line on stderr; hidden files
    do not count.

    Raises:
        UserError: for a path that is not there, or a folder without recordings.
    """
    recordings: dict[str, Path] = {}
    passed: Counter[str] = Counter()
    for name in paths:
        path = Path(name)
        if path.is_dir():
            in_folder = _in_folder(path, passed)
            if not in_folder:
                held = f" It holds {_listed(passed)}." if passed else ""
                raise UserError(
                    f"There is no recording in the folder '{readable(name)}' ({', '.join(SUFFIXES)}).{held}"
                )
            for file in in_folder:
                recordings.setdefault(_key(file), file)
        elif os.path.lexists(name) or os.path.exists(header_path(name)):
            recordings.setdefault(_key(path), path)
        else:
            raise UserError(f"There is no file or folder '{readable(name)}'.")
    for part in parts_of_others(key for key in recordings if key.lower().endswith(".hea")):
        recordings.pop(part, None)
    if passed:
        print(f"Passed over: {_listed(passed)}.", file=sys.stderr)
    return [*recordings.values()]


def _listed(passed: Counter[str]) -> str:
    return ", ".join(f"{count:,} × {kind}" for kind, count in passed.most_common())


def _key(path: Path) -> str:
    """What is the same for all files of a recording: its header's path, or its only file's."""
    absolute = os.path.abspath(path)
    suffix = path.suffix.lower()
    if suffix not in ARRAY_SUFFIXES or suffix == ".mat":
        header = header_path(absolute)
        if os.path.exists(header):
            return header
        other = format_of(path) if suffix not in SUFFIXES else None
        header = header_path(os.path.splitext(absolute)[0])
        if other is not None and other.name == _ANNOTATIONS and os.path.exists(header):
            return header
    return absolute


def _in_folder(folder: Path, passed: Counter[str]) -> list[Path]:
    """The files of a folder and below that are recordings, sorted, a WFDB record by its header."""
    files = sorted(_walk(folder))
    headed = {_stem(file) for file in files if file.suffix.lower() == ".hea"}
    recordings = []
    for file in files:
        suffix = file.suffix.lower()
        if suffix == ".hea":
            recordings.append(file)
        elif suffix not in SUFFIXES:
            if kind := _kind(file, headed):
                passed[kind] += 1
        elif suffix == ".csv" and _is_table(file):
            passed["a table without leads (.csv)"] += 1
        elif suffix not in (".dat", ".mat") or _stem(file) not in headed:
            recordings.append(file)
    return recordings


def _stem(file: Path) -> str:
    """A file's path without its suffix, in one case."""
    return os.fspath(file.with_suffix("")).casefold()


def _walk(folder: Path) -> Iterator[Path]:
    """Every file in a folder and below it that is not hidden; linked folders too, each once."""
    seen: set[str] = set()
    for path, folders, names in os.walk(folder, onerror=_unreadable, followlinks=True):
        real = os.path.realpath(path)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(path, name) for name in names if not name.startswith("."))


def _unreadable(error: OSError) -> None:
    print(f"The folder '{readable(error.filename)}' cannot be read: {error.strerror}.", file=sys.stderr)


def _kind(file: Path, headed: set[str]) -> str:
    """What a file is that is no recording; "" for one that belongs to a WFDB record, such as its annotations."""
    known = format_of(file)
    suffix = file.suffix.lower()
    if known is None or known.name == _ANNOTATIONS:
        return "" if _stem(file) in headed else f"{suffix or 'a file without a suffix'}"
    return f"{known.name} ({suffix})" if suffix else known.name


def _is_table(path: Path) -> bool:
    """Whether a CSV file begins with names of columns of which none is a lead's: a list of recordings, or predictions."""
    if not path.is_file():  # a pipe is not waited for; it is set aside when it is read
        return False
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline(1 << 16)
    except OSError:  # it is read again, and then listed as unreadable
        return False
    cells = [cell.strip(' "\r\n') for cell in re.split(r"[,;\t]", first)]
    leads = (lead_name(re.split(r"\s*[\[(]|[\s_]+[munµμ]V$", cell)[0]) for cell in cells)
    return not any(re.match(r"[-+.\d]", cell) for cell in cells) and any(cells) and not any(leads)
