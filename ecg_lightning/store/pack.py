"""Packs a source into a store: parallel, resumable after a kill at any moment, one writer at a time.

Records are packed in parts (`part`), in several processes (`workers`). A part that is finished is not read from
the source again, unless it was damaged. At the end the parts are joined (`join`).
"""

import glob
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from ecg_lightning.errors import UserError
from ecg_lightning.files import sync_folder
from ecg_lightning.store.join import add_table, join, whole_parts
from ecg_lightning.store.part import INDEX, PART, Reader, Row, pack_part
from ecg_lightning.store.source_files import ABSENT, SourceFiles
from ecg_lightning.store.store import FORMAT, Store, format_of
from ecg_lightning.store.workers import run

__all__ = ["INDEX", "PART", "Reader", "Row", "key_of", "pack"]


def key_of(source: str, table: pd.DataFrame, files: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """A short hash of what a store is made from: the table, size and time of every file (`look_at`), and the options."""
    digest = hashlib.sha256(json.dumps([FORMAT, source, options], sort_keys=True, default=str).encode())
    add_table(digest, table)
    for file, state in files.items():
        digest.update(f"{os.path.basename(file)}:{state}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:12]


def pack(
    path: Path,
    table: pd.DataFrame,
    read: Reader,
    sampling_rate: int,
    facts: Mapping[str, Any],
    workers: int | None = None,
    files: Mapping[str, str] = MappingProxyType({}),
) -> Store:
    """Packs the rows of `table` into the store at `path`, or opens the store that is already there.

    Args:
        path: the store's folder; it appears when everything is packed. `<path>.partial` holds the finished parts.
        table: one row a recording; a column of the index goes there, and wins over what the reader returns.
        read: a picklable function from a row (a mapping) to a Record; a RecordError sets the recording aside. Defects are repaired here.
        sampling_rate: Hz of the store.
        facts: further entries of `meta.json` (source, options).
        workers: processes; the machine's cores where not given.
        files: what `look_at` returned when the store's key was made.

    Raises:
        UserError: where there is nothing to pack, a worker was killed, a file that was there cannot be read any more, the
            store cannot be written, or the store at `path` is damaged. Finished parts are kept, and packing again goes on
            from there.
    """
    if table.empty:
        raise UserError(
            f"No recordings were found for {facts.get('source', path.name)}; is data.root the folder of the archive as "
            "distributed?"
        )
    if not path.exists():  # a store under its own name is complete, and may lie where nothing can be written
        present = [file for file, state in files.items() if state != ABSENT]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path.with_name(path.name + ".lock"))
            try:
                lock.acquire(timeout=0)
            except Timeout:
                print(f"Another process is packing {path.name}; waiting for it.", file=sys.stderr, flush=True)
                lock.acquire()
            try:
                if not path.exists():
                    _pack(path, table, read, sampling_rate, facts, workers or os.cpu_count() or 1, present)
            finally:
                lock.release()
        except OSError as error:
            raise UserError(
                f"The store {path} cannot be written: {error.strerror or error}. Free some space, or choose another "
                "data.store_dir or ECG_STORE, and run the command again: it goes on from the finished parts."
            ) from error
    return Store(path)


def _pack(
    path: Path, table: pd.DataFrame, read: Reader, rate: int, facts: Mapping[str, Any], workers: int,
    present: Iterable[str],
) -> None:  # fmt: skip
    _name_unused(path)
    unfinished = path.with_name(path.name + ".partial")
    parts = unfinished / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    source_files = SourceFiles(parts / "source_files")
    source_files.write(present)
    if not _complete(unfinished):
        stems = {parts / f"{first:08d}": table.iloc[first : first + PART] for first in range(0, len(table), PART)}
        whole = whole_parts(unfinished / "signals.bin", list(stems))
        waiting = {stem: rows for stem, rows in stems.items() if stem not in whole}
        title = f"Packing {facts.get('source', '')} at {rate} Hz"
        _pack_parts(waiting, read, rate, len(table), workers, title, source_files)
        join(unfinished, list(stems), rate, facts)
    shutil.rmtree(parts)
    sync_folder(unfinished)
    unfinished.rename(path)
    sync_folder(path.parent)


def _complete(unfinished: Path) -> bool:
    """Whether everything is joined and only the folder of parts remains to be removed."""
    if not (unfinished / "meta.json").exists():
        return False
    try:
        Store(unfinished).verify()
    except UserError:
        (unfinished / "meta.json").unlink()
        return False
    return True


def _pack_parts(
    waiting: Mapping[Path, pd.DataFrame], read: Reader, rate: int, total: int, workers: int, title: str,
    source_files: SourceFiles,
) -> None:  # fmt: skip
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=not sys.stderr.isatty()) as progress:
        bar = progress.add_task(title, total=total, completed=total - sum(map(len, waiting.values())))
        tasks = (
            partial(pack_part, rows.to_dict("records"), read, rate, stem, source_files)
            for stem, rows in waiting.items()
        )
        run(tasks, min(workers, len(waiting)) or 1, lambda count: progress.advance(bar, count))


def _name_unused(path: Path) -> None:
    """Prints which stores of the same source are not used: those of an older layout, and unfinished ones.

    They are not removed, since somebody else may use or pack them.
    """
    kind = path.name.rpartition("-")[0]
    stores = [
        store for store in path.parent.glob(f"{glob.escape(kind)}-*") if store.name.partition(".")[0] != path.name
    ]
    unfinished = [str(store) for store in stores if store.suffix == ".partial"]
    older = [str(store) for store in stores if store.suffix != ".partial" and 0 < format_of(store) < FORMAT]
    if older:
        print(
            f"The layout of stores has changed, so the source is packed again. You may remove {', '.join(older)}.",
            file=sys.stderr,
        )
    if unfinished:
        print(
            f"Unfinished stores of other options, or of files that have changed since: {', '.join(unfinished)}. "
            "You may remove them if nobody is packing them.",
            file=sys.stderr,
        )
