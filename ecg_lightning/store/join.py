"""Joins the parts of a store into its files, one by one. A kill at any moment loses nothing and doubles nothing.

The signals of a part are removed once they are in `signals.bin` and on the disk. Where they are missing, they are in there.
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
from ecg_lightning.records import matching_pairs
from ecg_lightning.store.part import INDEX, Part, hash_of, read_part
from ecg_lightning.store.sealed import seal
from ecg_lightning.store.store import FORMAT

_AT_ONCE = 16  # parts joined before they are removed


def whole_parts(signals: Path, stems: Sequence[Path]) -> Collection[Path]:
    """Returns the parts that need not be packed again: the hash of their signals is right, in their file or in `signals`.

    Joined parts lie in `signals` in their order. After the first one that is not whole there, no other one can be whole.
    """
    whole: set[Path] = set()
    place, joined = 0, True
    for stem in stems:
        part, file = read_part(stem), stem.with_suffix(".bin")
        if file.exists():
            joined = False
            is_whole = part is not None and file.stat().st_size == part.size and hash_of(file) == part.signals
        else:
            is_whole = joined and part is not None and hash_of(signals, place, part.size) == part.signals
            joined = is_whole
        if part is not None and is_whole:
            whole.add(stem)
            place += part.size
    return whole


def join(partial: Path, stems: Sequence[Path], sampling_rate: int, facts: Mapping[str, Any]) -> None:
    """Joins parts that are all whole. `meta.json` is written last and says that the store is complete."""
    entries, rejected, fingerprints_of, sizes = [], [], [], []
    for stem in stems:  # a table a part, since a million dictionaries would fill the memory
        part = _finished(stem)
        entries.append(pd.DataFrame(part.index, columns=None if part.index else [*INDEX]))
        rejected += part.rejected
        fingerprints_of.append(part.fingerprints)
        sizes.append(part.size)
    signals = partial / "signals.bin"
    _join_signals(signals, [stem.with_suffix(".bin") for stem in stems], sizes)
    index, duplicates = _unique(pd.concat([entry for entry in entries if len(entry)] or entries, ignore_index=True))
    rejected += duplicates
    fingerprints = np.concatenate(fingerprints_of)[index.pop("position")]
    table = pd.DataFrame(rejected, columns=["record_id", "file", "reason"])
    files = {
        "index.parquet": _write(partial / "index.parquet", _parquet(index)),
        "fingerprints.npy": _write(partial / "fingerprints.npy", _npy(fingerprints)),
        "copies.npy": _write(partial / "copies.npy", _npy(matching_pairs(fingerprints))),
        "rejected.csv": _write(partial / "rejected.csv", table.to_csv(index=False).encode("utf-8")),
    }
    with signals.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    files["signals.bin"] = {"bytes": sum(sizes), "sha256": digest.hexdigest()}
    add_table(digest, index.drop(columns="file"))  # of signals and index, without the places of the files
    meta = dict(facts) | {
        "sampling_rate": sampling_rate, "records": len(index), "rejected": len(rejected), "format": FORMAT,
        "version": __version__, "sha256": digest.hexdigest(), "files": files,
    }  # fmt: skip
    write_json(partial / "meta.json", seal(meta))


def add_table(digest: "hashlib._Hash", table: pd.DataFrame) -> None:
    """Adds a table to a hash, a part at a time: as text it is several times as large."""
    for first in range(0, len(table), 1 << 16):
        text = table.iloc[first : first + (1 << 16)].to_csv(index=False)
        digest.update(text.encode("utf-8", "surrogatepass"))  # a file's name may be in another encoding


def _finished(stem: Path) -> Part:
    """Reads a part that was whole before."""
    part = read_part(stem)
    if part is None:
        raise OSError(f"{stem.with_suffix('.json')} was changed while the store was packed")
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
    """The index with offsets, and each row's `position` among all that were packed.

    Of recordings with the same id the first is kept and the others are set aside.
    """
    index["offset"] = index["length"].cumsum() - index["length"]
    index["position"] = np.arange(len(index))
    is_duplicate = index["record_id"].duplicated() & (index["record_id"] != "")
    reasons = [
        {"record_id": r, "file": f, "reason": "duplicate record id"}
        for r, f in index.loc[is_duplicate, ["record_id", "file"]].itertuples(index=False)
    ]
    return index[~is_duplicate].reset_index(drop=True), reasons


def _write(path: Path, data: bytes) -> dict[str, Any]:
    """Writes a file of the store; returns the size and hash that `meta.json` says."""
    write_durably(path, data)
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _parquet(table: pd.DataFrame) -> bytes:
    file = BytesIO()
    table.to_parquet(file)
    return file.getvalue()


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
