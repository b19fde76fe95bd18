"""Which rows of a hospital's table are a recording each, and which patient they belong to."""

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from ecg_lightning.datamodules.folder.cells import some
from ecg_lightning.datamodules.folder.labels import NOT_STATED, UNSAID
from ecg_lightning.datamodules.rows import REFUSED, tell
from ecg_lightning.records import stated_id
from ecg_lightning.records.segments import masters_of_segments

_WFDB = (".hea", ".dat", "")
_ROUNDED = re.compile(r"\d[.,]?\d*e\+\d+", re.IGNORECASE)  # 1.23457E+11: a spreadsheet's
_CROWD = 50  # recordings of one patient that are told, where they are also more than a twentieth of all


def patients(cells: "pd.Series[str]") -> "pd.Series[str]":
    """The patients' ids in one form, "" where none is stated; says what makes one person of several or several of one."""
    ids = cells.map(stated_id)
    distinct = ids[ids != ""].drop_duplicates()
    if (rounded := distinct[distinct.map(lambda name: bool(_ROUNDED.fullmatch(name)))]).size:
        tell(
            f"The column '{cells.name}' holds {some(rounded)}: a spreadsheet rounded these ids, so that different patients "
            "may share one. Export the column as text."
        )
    alike = distinct[distinct.str.lstrip("0").str.casefold().duplicated(keep=False)]
    if len(alike):
        tell(
            f"The column '{cells.name}' holds {len(alike):,} ids that differ by leading zeros or case alone, such as "
            f"{some(alike)}. They count as different patients; write them alike where they are one."
        )
    counts = ids[ids != ""].value_counts()
    if len(counts) > 1 and counts.iloc[0] > max(_CROWD, len(ids) // 20):
        tell(
            f"The column '{cells.name}' holds '{counts.index[0]}' in {counts.iloc[0]:,} of {len(ids):,} rows, which count as "
            "one patient. If it means that the patient is unknown, leave such cells empty."
        )
    return ids


def refused_rows(refused: "pd.Series[str]", file: "pd.Series[str]", folder: Path) -> list[str]:
    """Why each row cannot be used: what its table's reader says, no file, or a part of a multi-segment record of another row.

    Args:
        refused: the reader's reasons.
        file: the files, from the folder.
        folder: the hospital's.
    """
    wfdb = {name: os.path.splitext(name)[0] for name in file if os.path.splitext(name)[1].lower() in _WFDB}
    parts = masters_of_segments(os.path.join(folder, f"{stem}.hea") for stem in wfdb.values() if stem)
    reasons = []
    for reason, name in zip(refused, file, strict=True):
        master = parts.get(os.path.join(folder, f"{wfdb[name]}.hea")) if name in wfdb else None
        if not reason and not name:
            reason = "no file: the table names none"
        if not reason and master:
            reason = f"segment: '{name}' is a part of {os.path.basename(master)}, which the table names too"
        reasons.append(reason)
    return reasons


def one_row_each(table: pd.DataFrame, labels: Collection[str]) -> pd.DataFrame:
    """The table with one row a recording: where several rows describe one, as one a diagnosis does, their codes count together.

    What columns of labels state differently of one recording is left open; of everything else the first row counts. How
    many recordings have several rows is said.

    Args:
        table: in the columns of the index; rows are of one recording where id, file, dataset and row are the same.
        labels: the terms of columns of labels.
    """
    keys = [key for key in ("record_id", "file", "dataset", "row") if key in table]
    several = table.duplicated(keys, keep=False) & (table[REFUSED] == "")
    if not several.any() or "codes" not in table:
        return table
    groups = table[several].groupby(keys, sort=False)
    tell(f"{groups.ngroups:,} recordings have several rows in the table; the codes of each count together.")
    together = groups["codes"].transform(lambda texts: _together([*texts], labels))
    again = several & table.duplicated(keys)
    return table.assign(codes=together.reindex(table.index).fillna(table["codes"]))[~again].reset_index(drop=True)


def _together(texts: Sequence[str], labels: Collection[str]) -> str:
    """The codes of several rows; a label that one has as 1 and another as 0 is open, as is one that none states."""
    rows = [[code for code in text.split("|") if code] for text in texts]
    codes = dict.fromkeys(code for row in rows for code in row if code.rpartition("=")[0] not in labels)
    if len(codes) > 1:
        codes.pop(NOT_STATED, None)
    for name in labels:
        positive, open_ = f"{name}=1", f"{name}={UNSAID}"
        stated = [positive in row for row in rows if open_ not in row]
        if not stated or (any(stated) and not all(stated)):
            codes[open_] = None
        elif any(stated):
            codes[positive] = None
    return "|".join(codes)
