"""Patient data beside the signal: numbers from the columns of an index, their means and scales."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.errors import UserError, suggest
from ecg_lightning.records.metadata import OF_RECORD, SEXES
from ecg_lightning.store.part import INDEX


def values_of(
    index: pd.DataFrame, columns: Sequence[str], source: str, empty: Sequence[str] = ()
) -> NDArray[np.float32]:
    """Reads patient data from the index of a store.

    Args:
        index: one row a recording.
        columns: `age` in years, `sex` (F is 1 and M is 0), and other columns of numbers that the source's table has.
        source: for the message.
        empty: columns that the source has, although no recording has a value there: the index lacks them.

    Returns:
        (recordings, columns) float32, NaN where a value is unknown.

    Raises:
        UserError: for a column that the index does not have, or that holds something other than numbers.
    """
    values = np.full((len(index), len(columns)), np.nan, np.float32)
    for k, name in enumerate(columns):
        if name in empty:
            continue
        if name not in OF_RECORD and (name in INDEX or name not in index):
            choices = [*OF_RECORD, *number_columns(index)]
            raise UserError(
                f"data.metadata: {source} has no column '{name}' of patient data. {suggest(name, choices)}Choices: "
                f"{', '.join(choices)}."
            )
        column = index[name].map(SEXES) if name == "sex" else index[name]
        try:
            exact = pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"data.metadata: the column '{name}' of {source} holds other things than numbers."
            ) from error
        values[:, k] = np.where(np.abs(exact) <= np.finfo(np.float32).max, exact, np.nan)
    return values


def number_columns(index: pd.DataFrame) -> list[str]:
    """Returns the columns of numbers that a source's own table brought into the index of its store."""
    own = [name for name in map(str, index) if name not in INDEX]
    return [name for name in own if pd.api.types.is_numeric_dtype(index[name])]


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
