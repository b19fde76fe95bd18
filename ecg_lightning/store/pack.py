"""Packs a source into a store: parallel, resumable after a kill at any moment, one writer at a time.

Records are packed in parts. A part is finished when its index file has its final name; a part that is finished is
never read from the source again. At the end the parts are joined one by one, and each is removed once it is in.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ecg_lightning import __version__
from ecg_lightning.errors import UserError
from ecg_lightning.files import write_json
from ecg_lightning.records import LEADS, Record, RecordError, fingerprint, matches, repair
from ecg_lightning.records.fingerprints import SIZE
from ecg_lightning.store.source_files import ABSENT, check_lost, watch
from ecg_lightning.store.store import FORMAT, Store

PART = 128
"""Records a part: small enough that little is lost when a run is killed."""
_AT_ONCE = 16  # parts joined before they are removed
INDEX = {
    "record_id": "", "patient_id": "", "age": np.nan, "sex": "", "date": "", "site": "", "codes": "", "fold": 0,
    "file": "", "offset": 0, "length": 0, "original_rate": np.nan, "quality": "",
}  # fmt: skip
"""The index's columns and what stands where nothing is known; a source's table may add its own."""

Row = Mapping[Hashable, Any]
Reader = Callable[[Row], Record]
T = TypeVar("T")


def key_of(source: str, table: pd.DataFrame, files: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """A short hash of what a store is made from: the table, size and time of every file (`look_at`), and the options."""
    digest = hashlib.sha256(json.dumps([FORMAT, source, options], sort_keys=True, default=str).encode())
    _digest(table, digest)
    for file, state in files.items():
        digest.update(f"{os.path.basename(file)}:{state}\n".encode())
    return digest.hexdigest()[:12]


def to_steps(signal: NDArray[np.float32], rate: float, sampling_rate: int) -> tuple[NDArray[np.int16], bool]:
    """A signal in mV (12, samples) at ``rate`` as (samples, 12) steps of 1 µV at ``sampling_rate``, and whether any was clipped.

    Resampling is polyphase with scipy's anti-aliasing Kaiser window; the line from the first to the last sample is taken
    out meanwhile, so that a baseline offset does not ring at the edges.
    """
    if rate != sampling_rate:
        ratio = (Fraction(sampling_rate) / Fraction(rate)).limit_denominator(10_000)
        signal = resample_poly(signal, ratio.numerator, ratio.denominator, axis=1, padtype="line")
    steps = np.multiply(signal.T, np.float32(1000.0), order="C")
    limit = np.iinfo(np.int16).max
    clipped = bool(max(steps.max(), -steps.min()) >= limit + 0.5)
    if clipped:
        np.clip(steps, -limit, limit, out=steps)
    return np.rint(steps, out=steps).astype(np.int16), clipped


def pack_part(rows: Sequence[Row], read: Reader, sampling_rate: int, stem: Path) -> int:
    """Packs some rows into ``stem.bin``, ``stem.content.npy`` and, last, ``stem.json``; returns their number.

    Every recording is repaired or set aside by the rules of ``records.repairs``. Signals are written one by one, so that
    half an hour of signal takes no more memory than one such recording.

    Raises:
        UserError: where a recording that was there cannot be read now.
    """
    index: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    contents = [np.empty((0, SIZE), np.int8)]
    with stem.with_suffix(".bin").open("wb") as signals:
        for row in rows:
            try:
                record = repair(read(row))
                content = fingerprint(record.signal, record.sampling_rate)
                steps, clipped = to_steps(record.signal, record.sampling_rate, sampling_rate)
            except Exception as error:  # noqa: BLE001 — one bad record never ends the job; whatever it was, it is listed
                check_lost(error, str(row.get("file", "")) or str(row.get("record_id", "")))
                reason = str(error) if isinstance(error, RecordError) else f"{type(error).__name__}: {error}"
                rejected.append({"record_id": row.get("record_id", ""), "file": row.get("file", ""), "reason": reason})
                continue
            known = {
                "record_id": record.record_id, "patient_id": record.patient_id, "age": record.age, "sex": record.sex,
                "date": record.date, "codes": "|".join(record.codes),
            }  # fmt: skip
            entry = INDEX | known | {str(k): v for k, v in row.items() if not _empty(v)}
            flags = [*record.quality, *(["clipped"] if clipped else [])]
            entry |= {"length": len(steps), "original_rate": record.sampling_rate, "quality": "|".join(flags)}
            signals.write(steps.data)
            contents.append(content[None])
            index.append(entry)
    np.save(stem.with_suffix(".content.npy"), np.concatenate(contents))
    finished = stem.with_suffix(".json.part")
    finished.write_text(json.dumps({"index": index, "rejected": rejected}, default=_plain), encoding="utf-8")
    finished.replace(stem.with_suffix(".json"))
    return len(rows)


def pack(
    path: Path,
    table: pd.DataFrame,
    read: Reader,
    sampling_rate: int,
    facts: Mapping[str, Any],
    workers: int | None = None,
    files: Mapping[str, str] = MappingProxyType({}),
) -> Store:
    """Packs the rows of ``table`` into the store at ``path``, or opens the store that is already there.

    Args:
        path: the store's folder; it appears when everything is packed. ``<path>.partial`` holds what is finished so far.
        table: one row a recording; columns that the index knows go there, and win over what the reader finds.
        read: a picklable function from a row (a mapping) to a Record; a RecordError sets the recording aside.
        sampling_rate: Hz of the store.
        facts: what ``meta.json`` says besides (source, options).
        workers: processes; the machine's cores where not given.
        files: what `look_at` found when the store's key was made.

    Raises:
        UserError: where there is nothing to pack, a worker was killed, a file that was there cannot be read any more, or
            the store cannot be written; what is finished is kept, and packing again goes on from there.
    """
    if table.empty:
        raise UserError(
            f"No recordings were found for {facts.get('source', path.name)}; is data.root the folder of the archive as "
            "distributed?"
        )
    there = [file for file, state in files.items() if state != ABSENT]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(path.name + ".lock"))
        try:
            with lock.acquire(timeout=0 if not path.exists() else -1):
                return _pack(path, table, read, sampling_rate, facts, workers, there)
        except Timeout:
            print(f"Another process is packing {path.name}; waiting for it.", file=sys.stderr, flush=True)
        with lock:
            return _pack(path, table, read, sampling_rate, facts, workers, there)
    except OSError as error:
        raise UserError(
            f"The store {path} cannot be written: {error.strerror or error}. Free some space, or choose another "
            "data.store_dir or ECG_STORE, and run the command again: it goes on from what is finished there."
        ) from error


def _pack(
    path: Path, table: pd.DataFrame, read: Reader, rate: int, facts: Mapping[str, Any], workers: int | None,
    there: Collection[str],
) -> Store:  # fmt: skip
    if path.exists():
        return Store(path)
    partial = path.with_name(path.name + ".partial")
    parts = partial / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    if not (partial / "meta.json").exists():  # else it was killed when all was done but the rest of the parts removed
        stems = {parts / f"{first:08d}": table.iloc[first : first + PART] for first in range(0, len(table), PART)}
        waiting = {stem: some for stem, some in stems.items() if not stem.with_suffix(".json").exists()}
        title = f"Packing {facts.get('source', '')} at {rate} Hz"
        _run(waiting, read, rate, len(table), workers or os.cpu_count() or 1, title, there)
        _join(partial, list(stems), rate, facts)
    shutil.rmtree(parts)
    partial.rename(path)
    return Store(path)


def _run(
    waiting: dict[Path, pd.DataFrame], read: Reader, rate: int, total: int, workers: int, title: str,
    there: Collection[str],
) -> None:  # fmt: skip
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=not sys.stderr.isatty()) as progress:
        done = total - sum(map(len, waiting.values()))
        bar = progress.add_task(title, total=total, completed=done)
        if workers == 1 or len(waiting) == 1:
            watch(there)
            for stem, some in waiting.items():
                progress.advance(bar, pack_part(some.to_dict("records"), read, rate, stem))
            return
        # Fork, where there is one, starts in milliseconds; the workers use numpy and scipy alone.
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        pool = ProcessPoolExecutor(workers, context, watch, (there,))
        try:
            parts = ((stem, some.to_dict("records")) for stem, some in waiting.items())
            tasks = (pool.submit(pack_part, rows, read, rate, stem) for stem, rows in parts)
            for future in _bounded(tasks, 2 * workers):
                progress.advance(bar, future.result())
        except BrokenProcessPool as error:
            raise UserError(
                "A packing process was killed, most likely for memory. Run the command again: it goes on from here; "
                "with data.pack_workers=1 it needs least memory."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _bounded(tasks: "Iterator[Future[T]]", limit: int) -> "Iterator[Future[T]]":
    """Submits tasks as earlier ones end, so that a million rows are not queued at once."""
    pending: set[Future[T]] = set()
    for task in tasks:
        pending.add(task)
        if len(pending) >= limit:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from done
    yield from wait(pending).done


def _join(partial: Path, stems: list[Path], sampling_rate: int, facts: Mapping[str, Any]) -> None:
    """Joins the parts. A part whose signals are gone is already in ``signals.bin``, so a killed join goes on."""
    entries, rejected = [], []
    for stem in stems:  # a table a part, since a million dictionaries would fill the memory
        part = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
        entries.append(pd.DataFrame(part["index"], columns=None if part["index"] else [*INDEX]))
        rejected += part["rejected"]
    lengths = [int(some["length"].sum()) for some in entries]
    step = len(LEADS) * 2
    file = partial / "signals.bin"
    file.touch()
    joined = sum(n for stem, n in zip(stems, lengths, strict=True) if not stem.with_suffix(".bin").exists())
    os.truncate(file, joined * step)
    left = [stem.with_suffix(".bin") for stem in stems if stem.with_suffix(".bin").exists()]
    with file.open("ab") as out:
        for first in range(0, len(left), _AT_ONCE):
            for source in left[first : first + _AT_ONCE]:
                with source.open("rb") as packed:
                    shutil.copyfileobj(packed, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())  # on the disk before the parts are removed
            for source in left[first : first + _AT_ONCE]:
                source.unlink()
    index, again = _unique(pd.concat([some for some in entries if len(some)] or entries, ignore_index=True))
    rejected += again
    described = np.concatenate([np.load(stem.with_suffix(".content.npy")) for stem in stems])
    content = described[index.pop("position")]
    np.save(partial / "content.npy", content)
    np.save(partial / "twins.npy", matches(content))
    index.to_parquet(partial / "index.parquet")
    pd.DataFrame(rejected, columns=["record_id", "file", "reason"]).to_csv(partial / "rejected.csv", index=False)
    meta = dict(facts) | {
        "sampling_rate": sampling_rate, "records": len(index), "rejected": len(rejected), "format": FORMAT,
        "version": __version__, "fingerprint": _fingerprint(file, index),
    }  # fmt: skip
    write_json(partial / "meta.json", meta)


def _unique(index: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The index with offsets, and each row's ``position`` among all that were packed.

    Of recordings with the same id the first is kept and the others are set aside.
    """
    index["offset"] = index["length"].cumsum() - index["length"]
    index["position"] = np.arange(len(index))
    again = index["record_id"].duplicated() & (index["record_id"] != "")
    reasons = [
        {"record_id": r, "file": f, "reason": "duplicate record id"}
        for r, f in index.loc[again, ["record_id", "file"]].itertuples(index=False)
    ]
    return index[~again].reset_index(drop=True), reasons


def _fingerprint(signals: Path, index: pd.DataFrame) -> str:
    """A hash of the packed signals and of the index, apart from where the files lay."""
    with signals.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    _digest(index.drop(columns="file"), digest)
    return digest.hexdigest()


def _digest(table: pd.DataFrame, digest: "hashlib._Hash") -> None:
    """Adds a table to a hash, a part at a time: as text it is several times as large."""
    for first in range(0, len(table), 1 << 16):
        digest.update(table.iloc[first : first + (1 << 16)].to_csv(index=False).encode())


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value == "") or (isinstance(value, float) and np.isnan(value))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot stand in an index")
