"""Finds the recordings in files and folders: each once, even if it consists of several files; counts all other files."""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecg_lightning.errors import UserError
from ecg_lightning.records.containers import ARRAY_SUFFIXES
from ecg_lightning.records.formats import format_of, is_export_by_name
from ecg_lightning.records.leads import lead_name
from ecg_lightning.records.read import SUFFIXES, export_format
from ecg_lightning.records.record import readable
from ecg_lightning.records.segments import masters_of_segments
from ecg_lightning.records.wfdb_reader import header_path

_ANNOTATIONS = "a WFDB annotation file"


def find_recordings(paths: Sequence[str]) -> list[Path]:
    """Finds the recordings of some files and folders; each is returned once, under its first name.

    All files of a WFDB record are one recording; so are the master, the segments and the layout of a multi-segment
    record. In folders, tables and files of other formats are skipped, and one line on stderr counts them. Hidden files
    are ignored.

    Raises:
        UserError: for a path that does not exist, or a folder without recordings.
    """
    recordings: dict[str, Path] = {}
    skipped_kinds: Counter[str] = Counter()
    for name in paths:
        path = Path(name)
        if path.is_dir():
            in_folder = _recordings_in(path, skipped_kinds)
            if not in_folder:
                contents = f" It holds {_counts_text(skipped_kinds)}." if skipped_kinds else ""
                raise UserError(
                    f"There is no recording in the folder '{readable(name)}' ({', '.join(SUFFIXES)}, or a hospital's export, such "
                    f"as DICOM, EDF, SCP-ECG or XML).{contents}"
                )
            for file in in_folder:
                recordings.setdefault(_key(file), file)
        elif os.path.lexists(name) or os.path.exists(header_path(name)):
            recordings.setdefault(_key(path), Path(_header_beside(path) or path))
        else:
            raise UserError(f"There is no file or folder '{readable(name)}'.")
    for segment in masters_of_segments(key for key in recordings if key.lower().endswith(".hea")):
        recordings.pop(segment, None)
    if skipped_kinds:
        print(f"Skipped: {_counts_text(skipped_kinds)}.", file=sys.stderr)
    return [*recordings.values()]


def _counts_text(skipped_kinds: Counter[str]) -> str:
    return ", ".join(f"{count:,} × {kind}" for kind, count in skipped_kinds.most_common())


def _key(path: Path) -> str:
    """A path that all files of a recording share: the path of its header, or of its only file."""
    absolute = os.path.abspath(path)
    suffix = path.suffix.lower()
    if suffix not in ARRAY_SUFFIXES or suffix == ".mat":
        header = header_path(absolute)
        if os.path.exists(header):
            return header
        if beside := _header_beside(path):
            return os.path.abspath(beside)
    return absolute


def _header_beside(path: Path) -> str | None:
    """The header beside a file that is read by it alone: annotations, or samples of another suffix, as PTB's `.xyz`."""
    header = header_path(os.path.splitext(path)[0])
    if path.suffix.lower() in ("", *SUFFIXES) or os.path.exists(header_path(path)) or not os.path.exists(header):
        return None
    file_format = format_of(path)
    belongs = export_format(path) is None and (file_format is None or file_format.name == _ANNOTATIONS)
    return header if belongs else None


def _recordings_in(folder: Path, skipped_kinds: Counter[str]) -> list[Path]:
    """The recordings in a folder and below it, sorted; a WFDB record is given by its header."""
    files = sorted(_walk(folder))
    header_stems = {_stem(file) for file in files if file.suffix.lower() == ".hea"}
    recordings = []
    for file in files:
        suffix = file.suffix.lower()
        if suffix == ".hea" or (suffix not in (".dat", ".mat") and export_format(file) is not None):
            recordings.append(file)
        elif suffix not in SUFFIXES:
            if _is_called_like_an_export(file):
                recordings.append(file)  # so that it is listed with the reason why it cannot be read
            elif kind := _kind(file, header_stems):
                skipped_kinds[kind] += 1
        elif suffix == ".csv" and _is_table_without_leads(file):
            skipped_kinds["a table without leads (.csv)"] += 1
        elif suffix not in (".dat", ".mat") or _stem(file) not in header_stems:
            recordings.append(file)
    return recordings


def _is_called_like_an_export(file: Path) -> bool:
    file_format = format_of(file)
    return file_format is not None and is_export_by_name(file_format)


def _stem(file: Path) -> str:
    """A file's path without its suffix, in one case."""
    return os.fspath(file.with_suffix("")).casefold()


def _walk(folder: Path) -> Iterator[Path]:
    """Every file in a folder and below it that is not hidden; linked folders too, each once."""
    visited: set[str] = set()
    for path, folders, names in os.walk(folder, onerror=_unreadable, followlinks=True):
        real_path = os.path.realpath(path)
        if real_path in visited:
            folders.clear()
            continue
        visited.add(real_path)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(path, name) for name in names if not name.startswith("."))


def _unreadable(error: OSError) -> None:
    print(f"The folder '{readable(error.filename)}' cannot be read: {error.strerror}.", file=sys.stderr)


def _kind(file: Path, header_stems: set[str]) -> str:
    """The kind of a file that is no recording; "" for a file that belongs to a WFDB record, such as its annotations."""
    file_format = format_of(file)
    suffix = file.suffix.lower()
    if file_format is None or file_format.name == _ANNOTATIONS:
        return "" if _stem(file) in header_stems else f"{suffix or 'a file without a suffix'}"
    return f"{file_format.name} ({suffix})" if suffix else file_format.name


def _is_table_without_leads(path: Path) -> bool:
    """Whether a CSV file begins with names of columns, and none is a lead: a list of recordings, or predictions."""
    if not path.is_file():  # to open a pipe would wait for ever; reading it refuses it later
        return False
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline(1 << 16)
    except OSError:  # it is read again later, and then listed as unreadable
        return False
    cells = [cell.strip(' "\r\n') for cell in re.split(r"[,;\t]", first)]
    leads = (lead_name(re.split(r"\s*[\[(]|[\s_]+[munµμ]V$", cell)[0]) for cell in cells)
    return not any(re.match(r"[-+.\d]", cell) for cell in cells) and any(cells) and not any(leads)
