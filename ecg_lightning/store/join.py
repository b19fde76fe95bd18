"""Joins the parts of a store into its files, one by one, so that a kill at any moment loses nothing and doubles nothing.

A part is removed once its signals are in ``signals.bin`` and on the disk; one whose signals are gone is in there already.
"""

import hashlib
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecg_lightning import __version__
from ecg_lightning.files import sync, write_durably, write_json
from ecg_lightning.records import matches
from ecg_lightning.store.part import INDEX, Part, hash_of, read_part
from ecg_lightning.store.sealed import seal
from ecg_lightning.store.store import FORMAT

_AT_ONCE = 16  # parts joined before they are removed


def whole_parts(signals: Path, stems: Sequence[Path]) -> Collection[Path]:
    """The parts that need not be packed again: those whose signals are as their file says, apart or joined already.

    Joined ones lie in ``signals`` in their order, so that after the first one that is not whole there none can be.
    """
    whole: set[Path] = set()
    place, joined = 0, True
    for stem in stems:
        part, file = read_part(stem), stem.with_suffix(".bin")
        if file.exists():
            joined = False
            right = part is not None and file.stat().st_size == part.size and hash_of(file) == part.signals
        else:
            right = joined and part is not None and hash_of(signals, place, part.size) == part.signals
            joined = right
        if part is not None and right:
            whole.add(stem)
            place += part.size
    return whole


def join(partial: Path, stems: Sequence[Path], sampling_rate: int, facts: Mapping[str, Any]) -> None:
    """Joins parts that are all whole; ``meta.json``, which is written last, says that the store is complete."""
    entries, rejected, contents, sizes = [], [], [], []
    for stem in stems:  # a table a part, since a million dictionaries would fill the memory
        part = _finished(stem)
        entries.append(pd.DataFrame(part.index, columns=None if part.index else [*INDEX]))
        rejected += part.rejected
        contents.append(part.content)
        sizes.append(part.size)
    signals = partial / "signals.bin"
    _join_signals(signals, [stem.with_suffix(".bin") for stem in stems], sizes)
    index, again = _unique(pd.concat([some for some in entries if len(some)] or entries, ignore_index=True))
    rejected += again
    content = np.concatenate(contents)[index.pop("position")]
    table = pd.DataFrame(rejected, columns=["record_id", "file", "reason"])
    files = {
        "index.parquet": _write(partial / "index.parquet", _parquet(index)),
        "content.npy": _write(partial / "content.npy", _npy(content)),
        "twins.npy": _write(partial / "twins.npy", _npy(matches(content))),
        "rejected.csv": _write(partial / "rejected.csv", table.to_csv(index=False).encode("utf-8")),
    }
    with signals.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    files["signals.bin"] = {"bytes": sum(sizes), "sha256": digest.hexdigest()}
    add_table(digest, index.drop(columns="file"))  # the fingerprint is of signals and index, apart from where files lay
    meta = dict(facts) | {
        "sampling_rate": sampling_rate, "records": len(index), "rejected": len(rejected), "format": FORMAT,
        "version": __version__, "fingerprint": digest.hexdigest(), "files": files,
    }  # fmt: skip
    write_json(partial / "meta.json", seal(meta))


def add_table(digest: "hashlib._Hash", table: pd.DataFrame) -> None:
    """Adds a table to a hash, a part at a time: as text it is several times as large."""
    for first in range(0, len(table), 1 << 16):
        text = table.iloc[first : first + (1 << 16)].to_csv(index=False)
        digest.update(text.encode("utf-8", "surrogatepass"))  # a file's name may be in another encoding


def _finished(stem: Path) -> Part:
    part = read_part(stem)
    if part is None:
        raise OSError(f"{stem.with_suffix('.json')} was changed meanwhile")
    return part


def _join_signals(signals: Path, files: Sequence[Path], sizes: Sequence[int]) -> None:
    """Appends the signals of the parts that are still apart, and removes them."""
    signals.touch()
    os.truncate(signals, sum(size for file, size in zip(files, sizes, strict=True) if not file.exists()))
    apart = [file for file in files if file.exists()]
    with signals.open("ab") as out:
        for first in range(0, len(apart), _AT_ONCE):
            for file in apart[first : first + _AT_ONCE]:
                with file.open("rb") as packed:
                    shutil.copyfileobj(packed, out, 1 << 20)
            sync(out)  # on the disk before the parts are removed
            for file in apart[first : first + _AT_ONCE]:
                file.unlink()


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


def _write(path: Path, content: bytes) -> dict[str, Any]:
    """Writes a file of the store; returns what its meta says of it."""
    write_durably(path, content)
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _parquet(table: pd.DataFrame) -> bytes:
    content = BytesIO()
    table.to_parquet(content)
    return content.getvalue()


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    content = BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()
