"""A part of a store: some recordings packed, and whether a part that lies on the disk is whole.

`stem.bin` holds the signals and `stem.json`, which is written last, everything else and the hash of the signals. Both
are on the disk before the second has its name.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.errors import MissingPackageError
from ecg_lightning.files import sync, write_durably
from ecg_lightning.records import LEADS, Record, RecordError, fingerprint, repair
from ecg_lightning.records.fingerprints import SIZE
from ecg_lightning.store.microvolts import to_microvolts
from ecg_lightning.store.sealed import seal, unseal
from ecg_lightning.store.source_files import SourceFiles

PART = 128
"""Records a part: small enough that little is lost when a run is killed."""
SAMPLE = len(LEADS) * 2
"""Bytes of all leads at one moment."""
INDEX = {
    "record_id": "", "patient_id": "", "age": np.nan, "sex": "", "date": "", "site": "", "codes": "", "fold": 0,
    "file": "", "offset": 0, "length": 0, "original_rate": np.nan, "quality": "",
}  # fmt: skip
"""The index's columns and the value of each where nothing is known; a source's table may add its own columns."""

Row = Mapping[Hashable, Any]
Reader = Callable[[Row], Record]


@dataclass(frozen=True)
class Part:
    """A finished part.

    Attributes:
        index: one entry a recording that was packed.
        rejected: record_id, file and reason of each that was set aside.
        fingerprints: (recordings, 256) int8.
        signals: sha256 of its signals.
    """

    index: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    fingerprints: NDArray[np.int8]
    signals: str

    @property
    def size(self) -> int:
        """Bytes of its signals."""
        return SAMPLE * sum(int(entry["length"]) for entry in self.index)


def pack_part(rows: Sequence[Row], read: Reader, sampling_rate: int, stem: Path, source_files: SourceFiles) -> int:
    """Packs some rows into `stem.bin` and, last, `stem.json`; returns their number.

    Every recording is repaired once, or set aside, by the rules of `records.repairs`; readers leave this to packing. Signals are written one by one, so that
    half an hour of signal takes no more memory than one such recording.

    Raises:
        UserError: where a recording that was there cannot be read now, or a package that reads it is missing.
    """
    index: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    fingerprints = [np.empty((0, SIZE), np.int8)]
    digest = hashlib.sha256()
    with stem.with_suffix(".bin").open("wb") as signals:
        for row in rows:
            try:
                record = repair(read(row))
                row_of_bytes = fingerprint(record.signal, record.sampling_rate)
                microvolts, clipped = to_microvolts(record.signal, record.sampling_rate, sampling_rate)
            except MissingPackageError:  # otherwise the store would lack the recording for ever
                raise
            except Exception as error:  # noqa: BLE001 — one bad record never ends the job, and each is listed
                source_files.check_lost(error, str(row.get("file", "")) or str(row.get("record_id", "")))
                reason = str(error) if isinstance(error, RecordError) else f"{type(error).__name__}: {error}"
                rejected.append(
                    _storable({"record_id": row.get("record_id", ""), "file": row.get("file", ""), "reason": reason})
                )
                continue
            from_record = {
                "record_id": record.record_id, "patient_id": record.patient_id, "age": record.age, "sex": record.sex,
                "date": record.date, "codes": "|".join(record.codes),
            }  # fmt: skip
            entry = INDEX | from_record | {str(k): v for k, v in row.items() if not _empty(v)}
            flags = [*record.quality, *(["clipped"] if clipped else [])]
            entry |= {"length": len(microvolts), "original_rate": record.sampling_rate, "quality": "|".join(flags)}
            signals.write(microvolts.data)
            digest.update(microvolts.data)
            fingerprints.append(row_of_bytes[None])
            index.append(_storable(entry))
        sync(signals)
    facts = {
        "index": index, "rejected": rejected, "signals": digest.hexdigest(),
        "fingerprints": base64.b64encode(np.concatenate(fingerprints).tobytes()).decode("ascii"),
    }  # fmt: skip
    partial = stem.with_suffix(".json.part")
    write_durably(partial, json.dumps(seal(facts)).encode("ascii"))
    partial.replace(stem.with_suffix(".json"))
    return len(rows)


def read_part(stem: Path) -> Part | None:
    """Reads a part; None where it is not finished, or its file was cut off or changed."""
    try:
        facts = unseal(stem.with_suffix(".json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    fingerprints = np.frombuffer(base64.b64decode(facts["fingerprints"]), np.int8).reshape(-1, SIZE)
    return Part(facts["index"], facts["rejected"], fingerprints, facts["signals"])


def hash_of(file: Path, first: int = 0, size: int | None = None) -> str:
    """The sha256 of `size` bytes of a file from `first` on, or of all; "" where it has fewer, or is not there."""
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            stream.seek(first)
            while size is None or size > 0:
                block = stream.read(1 << 20 if size is None else min(size, 1 << 20))
                if not block:
                    return digest.hexdigest() if size is None else ""
                digest.update(block)
                size = None if size is None else size - len(block)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()


def _storable(entry: Mapping[str, Any]) -> dict[str, Any]:
    r"""An entry whose texts any file can hold: bytes of a file's name that are not UTF-8 stand there as `\xe9`."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in entry.items()}


def _escaped(text: str) -> str:
    text = re.sub("[\0\udc80-\udcff]", lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value == "") or (isinstance(value, float) and np.isnan(value))
