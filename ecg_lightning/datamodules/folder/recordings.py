"""Which rows of a hospital's table are a recording each, and which patient they belong to."""

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from ecg_lightning.datamodules.folder.cells import examples
from ecg_lightning.datamodules.folder.labels import NOT_STATED, UNSAID
from ecg_lightning.datamodules.rows import REFUSED, tell
from ecg_lightning.records import stated_id
from ecg_lightning.records.segments import masters_of_segments

_WFDB = (".hea", ".dat", "")
_ROUNDED = re.compile(r"\d[.,]?\d*e\+\d+", re.IGNORECASE)  # 1.23457E+11: a spreadsheet's
_MANY_RECORDINGS = 50  # a patient with more is reported, where they are also more than a twentieth of all


def patients(cells: "pd.Series[str]") -> "pd.Series[str]":
    """(rows,) the patients' ids in one form, "" where none is stated.

    Ids that may join several patients, or split one, are reported.
    """
    ids = cells.map(stated_id)
    distinct = ids[ids != ""].drop_duplicates()
    if (rounded := distinct[distinct.map(lambda name: bool(_ROUNDED.fullmatch(name)))]).size:
        tell(
            f"The column '{cells.name}' holds {examples(rounded)}: a spreadsheet rounded these ids, so that different patients "
            "may share one. Export the column as text."
        )
    alike = distinct[distinct.str.lstrip("0").str.casefold().duplicated(keep=False)]
    if len(alike):
        tell(
            f"The column '{cells.name}' holds {len(alike):,} ids that differ by leading zeros or case alone, such as "
            f"{examples(alike)}. They count as different patients. Where they are one patient, write the id in one way."
        )
    counts = ids[ids != ""].value_counts()
    if len(counts) > 1 and counts.iloc[0] > max(_MANY_RECORDINGS, len(ids) // 20):
        tell(
            f"The column '{cells.name}' holds '{counts.index[0]}' in {counts.iloc[0]:,} of {len(ids):,} rows, which count as "
            "one patient. If it means that the patient is unknown, leave such cells empty."
        )
    return ids


def refused_rows(refused: "pd.Series[str]", file: "pd.Series[str]", folder: Path) -> list[str]:
    """(rows,) why each row cannot be used, "" where it can.

    A row cannot be used where its table's reader refuses it, where it names no file, or where its file is a segment of a
    multi-segment record that another row names.

    Args:
        refused: (rows,) the reader's reasons.
        file: (rows,) the files, from the folder.
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
    """The table with one row a recording: where a recording has a row for each diagnosis, their codes are joined.

    A label is left open where the rows of one recording state it differently; of all other columns the first row counts.
    The number of recordings with several rows is reported.

    Args:
        table: in the columns of the index; rows are of one recording where id, file, dataset and row are the same.
        labels: the terms of columns of labels.
    """
    keys = [key for key in ("record_id", "file", "dataset", "row") if key in table]
    in_group = table.duplicated(keys, keep=False) & (table[REFUSED] == "")
    if not in_group.any() or "codes" not in table:
        return table
    groups = table[in_group].groupby(keys, sort=False)
    tell(f"{groups.ngroups:,} recordings have several rows in the table; the codes of each count together.")
    joined_codes = groups["codes"].transform(lambda texts: _joined([*texts], labels))
    repeated = in_group & table.duplicated(keys)
    return table.assign(codes=joined_codes.reindex(table.index).fillna(table["codes"]))[~repeated].reset_index(
        drop=True
    )


def _joined(texts: Sequence[str], labels: Collection[str]) -> str:
    """The codes of several rows; a label is open where one row has 1 and another 0, and where no row states it."""
    rows = [[code for code in text.split("|") if code] for text in texts]
    codes = dict.fromkeys(code for row in rows for code in row if code.rpartition("=")[0] not in labels)
    if len(codes) > 1:
        codes.pop(NOT_STATED, None)
    for name in labels:
        positive, not_stated = f"{name}=1", f"{name}={UNSAID}"
        stated_values = [positive in row for row in rows if not_stated not in row]
        if not stated_values or (any(stated_values) and not all(stated_values)):
            codes[not_stated] = None
        elif any(stated_values):
            codes[positive] = None
    return "|".join(codes)
