"""The signal files that a hospital's table names: one is read, with what the table and the configuration say of it."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_lightning.datamodules.folder.labels import NOT_STATED, has_codes
from ecg_lightning.datamodules.tables import NO_CODES
from ecg_lightning.records import Record, RecordError, read_unrepaired
from ecg_lightning.records.containers import ARRAY_SUFFIXES
from ecg_lightning.records.read import SUFFIXES
from ecg_lightning.records.times import check_rate
from ecg_lightning.records.wfdb_reader import header_path
from ecg_lightning.store.pack import Row

if TYPE_CHECKING:
    import pandas as pd

SUFFIX = re.compile(rf"({'|'.join(map(re.escape, SUFFIXES))})$", re.IGNORECASE)


def files_below(paths: "pd.Series[str]", folder: Path) -> "pd.Series[str]":
    """The files of a table as paths from its folder: with slashes, and without the folder's own path before them."""
    file = paths.str.replace("\\", "/")
    prefixes = tuple({f"{path.as_posix()}/" for path in (folder, folder.absolute(), folder.resolve())})
    return file.map(lambda name: next((name.removeprefix(start) for start in prefixes if name.startswith(start)), name))


def read_row(
    row: Row, folder: Path, header_codes: bool, of_all: Mapping[str, Any], labels: Collection[str] | None
) -> Record:
    """Reads the recording that a row of the table names.

    Args:
        row: of the table; its rate, unit, dataset and row go before those of all files.
        folder: from which its file is named.
        header_codes: whether codes of a header count; only where the table has none.
        of_all: what the configuration says of files that are silent; WFDB headers speak for themselves.
        labels: the terms of columns of labels, where a recording without a code is flagged "no_codes"; else None.
    """
    of_row: dict[str, Any] = {key: row[key] for key in ("unit", "dataset") if row.get(key)}
    if row.get("rate"):
        of_row["sampling_rate"] = _number(row["rate"], "sampling rate")
    if row.get("row"):
        of_row["row"] = _whole(row["row"])
    record = read_unrepaired(folder / row["file"], **{**of_all, **of_row}, header_wins=True)
    check_rate(record.sampling_rate, of_row.get("sampling_rate"))
    if not header_codes:
        record = replace(record, codes=())
    codes = row.get("codes", "")
    silent = labels is not None or NOT_STATED in codes.split("|")
    if silent and not record.codes and not has_codes(codes, labels or ()):
        record = replace(record, quality=(*record.quality, NO_CODES))
    return record


def _number(cell: str, what: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise RecordError(f"bad {what}: '{cell}' in the table") from error


def _whole(cell: str) -> int:
    number = _number(cell, "row")
    if not number.is_integer():
        raise RecordError(f"bad row: '{cell}' in the table; rows are 0, 1, 2 …")
    return int(number)


def has_header(path: str) -> bool:
    """Whether a recording is WFDB, whose header may hold codes: by its suffix, of ``.mat`` by the header beside it."""
    if not path.lower().endswith(ARRAY_SUFFIXES):
        return True
    return path.lower().endswith(".mat") and os.path.exists(header_path(path))
