"""Patient data of one recording, as numbers."""

from math import nan

from ecg_lightning.records.record import Record

SEXES = {"M": 0.0, "F": 1.0}
"""The number that each sex is; any other text is unknown."""
OF_RECORD = ("age", "sex")
"""Columns that a recording's own header may state."""


def value_of(record: Record, column: str) -> float:
    """Returns the value of a column of patient data that a recording states; NaN where it is unknown."""
    if column == "age":
        return record.age
    return SEXES.get(record.sex, nan) if column == "sex" else record.numbers.get(column, nan)
