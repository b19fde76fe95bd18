"""Recordings that take no part: those of lists of ids or paths, which the configuration names, and of other hospitals."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.datamodules.folder.table import first_cells
from ecg_lightning.datamodules.rows import tell
from ecg_lightning.errors import UserError


def listed_recordings(lists: Iterable[Path], record_names: Collection[str]) -> frozenset[str]:
    """The ids and paths that lists hold in the first cell of each line. Lines that name no recording are reported.

    Args:
        lists: text, CSV or Parquet files.
        record_names: the ids and the paths of all recordings of the table.

    Raises:
        UserError: where a list names no recording at all.
    """
    names: set[str] = set()
    for path in lists:
        lines = [cell.replace("\\", "/") for cell in first_cells(path)]
        if lines and not any(line in record_names for line in lines):
            raise UserError(
                f"data.leave_out: no line of {path} is the id or the path of a recording, for example '{lines[-1]}'."
            )
        unknown_lines = [line for line in lines[1:] if line not in record_names]  # the first line may be a title
        if unknown_lines:
            tell(
                f"data.leave_out: {len(unknown_lines)} of {len(lines)} lines of {path.name} name no recording, for example "
                f"'{unknown_lines[0]}'."
            )
        names.update(lines)
    return frozenset(names)


def of_hospitals(sites: pd.Series, hospitals: Sequence[str]) -> NDArray[np.bool_]:
    """(records,) which recordings are of the chosen hospitals.

    Args:
        sites: (records,) the hospital of each; "" where the table does not say it.
        hospitals: those that are chosen.

    Raises:
        UserError: for a hospital that has no recording.
    """
    if unknown := sorted({*hospitals} - {*sites}):
        present = ", ".join(sorted({*sites} - {""}))
        raise UserError(
            f"data.hospitals: there is no {', '.join(unknown)}. The table has: "
            f"{present or 'none; name the column in data.columns.hospital'}."
        )
    return sites.isin(hospitals).to_numpy(np.bool_)
