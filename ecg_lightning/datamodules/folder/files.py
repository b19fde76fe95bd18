"""The signal files that a hospital's table names: one is read, with what the table and the configuration say of it."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_lightning.datamodules.folder.exports import HiddenIds
from ecg_lightning.datamodules.folder.labels import NOT_STATED, has_codes
from ecg_lightning.datamodules.tables import NO_CODES
from ecg_lightning.records import Record, RecordError, read_unrepaired
from ecg_lightning.records.containers import ARRAY_SUFFIXES
from ecg_lightning.records.files import any_case
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


def default_ids(file: "pd.Series[str]", texts: Mapping[str, "pd.Series[str]"]) -> "pd.Series[str]":
    """The recordings' ids where a table has none: the path without its suffix, and the dataset and row where it names them.

    Args:
        file: the files, from the folder.
        texts: columns of the table, of which `dataset` and `row` count where they are there.
    """
    record_ids = file.str.replace(SUFFIX, "", regex=True)
    for key in ("dataset", "row"):
        if key in texts:
            record_ids = record_ids + (":" + texts[key]).where(texts[key] != "", "")
    return record_ids


def signal_files(files: Iterable[str], folder: Path) -> Iterator[str]:
    """The paths of all files that hold the recordings; of WFDB recordings the header and the signal.

    Args:
        files: those of the table, from the folder.
        folder: the hospital's.
    """
    for file in files:
        path = os.path.join(str(folder), file)
        header = header_path(path)
        suffix = os.path.splitext(path)[1].lower()
        is_wfdb = suffix in (".hea", ".dat") or (suffix not in ARRAY_SUFFIXES and os.path.exists(header))
        if not is_wfdb and (suffix or os.path.exists(path)):
            yield path
        else:
            yield from (header, any_case(f"{header[:-3]}dat"))


def read_row(
    row: Row,
    folder: Path,
    header_codes: bool,
    options_of_all: Mapping[str, Any],
    labels: Collection[str] | None,
    hide_ids: HiddenIds,
) -> Record:
    """Reads the recording that a row of the table names.

    Args:
        row: of the table; its rate, unit, dataset and row win over those of all files.
        folder: from which its file is named.
        header_codes: whether codes of a header count; only where the table has none.
        options_of_all: rate, unit, leads and dataset for files that do not state them; a WFDB header wins over them.
        labels: the terms of columns of labels, where a recording without a code is flagged "no_codes"; else None.
        hide_ids: hides the patient ids that exported files state.
    """
    options_of_row: dict[str, Any] = {key: row[key] for key in ("unit", "dataset") if row.get(key)}
    if row.get("rate"):
        options_of_row["sampling_rate"] = _number(row["rate"], "sampling rate")
    if row.get("row"):
        options_of_row["row"] = _row_number(row["row"])
    record = read_unrepaired(folder / row["file"], **{**options_of_all, **options_of_row}, header_wins=True)
    check_rate(record.sampling_rate, options_of_row.get("sampling_rate"))
    record = hide_ids(record, folder / row["file"])
    if not header_codes:
        record = replace(record, codes=())
    codes = row.get("codes", "")
    is_silent = labels is not None or NOT_STATED in codes.split("|")
    if is_silent and not record.codes and not has_codes(codes, labels or ()):
        record = replace(record, quality=(*record.quality, NO_CODES))
    return record


def _number(cell: str, quantity: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise RecordError(f"bad {quantity}: '{cell}' in the table") from error


def _row_number(cell: str) -> int:
    number = _number(cell, "row")
    if not number.is_integer():
        raise RecordError(f"bad row: '{cell}' in the table; rows are 0, 1, 2 …")
    return int(number)


def has_header(path: str) -> bool:
    """Whether a recording is WFDB, whose header may hold codes: by its suffix; a `.mat` file has its header beside it."""
    if not path.lower().endswith(ARRAY_SUFFIXES):
        return True
    return path.lower().endswith(".mat") and os.path.exists(header_path(path))
