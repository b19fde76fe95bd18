"""Patient data of a hospital's own table beyond age and sex: columns of numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ecg_lightning.datamodules.folder.cells import examples
from ecg_lightning.datamodules.folder.table import COLUMNS, column_names
from ecg_lightning.datamodules.metadata import OF_RECORD
from ecg_lightning.datamodules.rows import tell
from ecg_lightning.errors import UserError, suggest
from ecg_lightning.records import stated
from ecg_lightning.store.part import INDEX


def number_columns(names: Sequence[str], path: Path) -> list[str]:
    """Returns the columns of patient data that are read from a table as numbers: all but age and sex.

    Args:
        names: `data.metadata`.
        path: the table.

    Raises:
        UserError: for a column that the table lacks, or whose name already means something else.
    """
    columns = [name for name in names if name not in OF_RECORD]
    for name in columns:
        if name in INDEX or name in COLUMNS:
            raise UserError(f"data.metadata: '{name}' already means something else. Give this column another name.")
        if name not in (table_columns := column_names(path)):
            raise UserError(
                f"data.metadata: {path.name} has no column '{name}'. {suggest(name, table_columns)}It has: "
                f"{', '.join(table_columns)}."
            )
    return columns


def numbers(cells: pd.Series) -> list[float]:
    """(rows,) the number of each cell (`72`, `72.5`, `72,5`), NaN for others, whose number is reported."""
    values = pd.to_numeric(cells.map(stated).str.replace(",", ".", regex=False), errors="coerce")
    values = values.where(np.isfinite(values))
    not_numbers = cells[values.isna() & (cells.map(stated) != "")]
    if len(not_numbers):
        tell(
            f"The column '{cells.name}' holds {examples(not_numbers)}: {len(not_numbers):,} cells are not numbers and count as "
            "unknown."
        )
    return [float(value) for value in values]
