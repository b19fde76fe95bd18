"""Patient data beside the signal: numbers from the columns of an index, or from one recording."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.errors import UserError, suggest
from ecg_lightning.records import Record
from ecg_lightning.store.part import INDEX

SEXES = {"M": 0.0, "F": 1.0}
"""The number that each sex is; any other text is unknown."""
OF_RECORD = ("age", "sex")
"""Columns that a recording's own header may state."""


def values_of(index: pd.DataFrame, columns: Sequence[str], source: str) -> NDArray[np.float32]:
    """Reads patient data from the index of a store.

    Args:
        index: one row a recording.
        columns: `age` in years, `sex` (F is 1 and M is 0), and other columns of numbers that the source's table has.
        source: for the message.

    Returns:
        (recordings, columns) float32, NaN where a value is unknown.

    Raises:
        UserError: for a column that the index does not have, or that holds something other than numbers.
    """
    values = np.full((len(index), len(columns)), np.nan, np.float32)
    for k, name in enumerate(columns):
        if name not in OF_RECORD and (name in INDEX or name not in index):
            choices = [*OF_RECORD, *(column for column in map(str, index) if _is_numeric(index, column))]
            raise UserError(
                f"data.metadata: {source} has no column '{name}' of patient data. {suggest(name, choices)}Choices: "
                f"{', '.join(choices)}."
            )
        column = index[name].map(SEXES) if name == "sex" else index[name]
        try:
            values[:, k] = pd.to_numeric(column).to_numpy(np.float32, na_value=np.nan)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"data.metadata: the column '{name}' of {source} holds other things than numbers."
            ) from error
    values[~np.isfinite(values)] = np.nan
    return values


def _is_numeric(index: pd.DataFrame, name: str) -> bool:
    return name not in INDEX and pd.api.types.is_numeric_dtype(index[name])


def value_of(record: Record, column: str) -> float:
    """The value of a column of patient data that a recording states; NaN where it is unknown."""
    if column == "age":
        return record.age
    return SEXES.get(record.sex, np.nan) if column == "sex" else np.nan


def mean_and_scale(values: NDArray[np.float32], columns: Sequence[str]) -> tuple[list[float], list[float]]:
    """Computes mean and standard deviation of each column, without the missing values; 1 for a column that is constant.

    Args:
        values: (training recordings, columns), NaN where missing.
        columns: their names, for the message.

    Raises:
        UserError: where no recording has a value of a column.
    """
    unknown = [name for name, column in zip(columns, values.T, strict=True) if np.isnan(column).all()]
    if unknown:
        raise UserError(
            f"data.metadata: no training recording has a value of {', '.join(unknown)}. Leave it out of data.metadata."
        )
    exact = values.astype(np.float64)
    mean, scale = np.nanmean(exact, axis=0), np.nanstd(exact, axis=0)
    return mean.tolist(), np.where(scale > 0, scale, 1.0).tolist()
