"""What a 12-lead recording is, and the error for one that cannot be used."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.errors import printable

LEADS: tuple[str, ...] = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

Signal = NDArray[np.float32]


class RecordError(ValueError):
    """A recording that cannot be used: a short stable reason, a colon, and the details.

    The reason ("truncated signal", "empty signal" …) is the same for every recording that fails in the same way, so
    that rejected recordings can be counted by it.
    """

    @property
    def reason(self) -> str:
        """The part before the colon."""
        return str(self).split(":", 1)[0]


def readable(path: str | Path) -> str:
    r"""A path as text of one line that can be written anywhere.

    Bytes of its name that are not UTF-8 are written as `\xe9`, control characters as `\x1b` and `\n`.
    """
    text = os.fspath(path)
    if not text.isascii():
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text if text.isprintable() else printable(text).replace("\n", "\\n").replace("\t", "\\t")


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Adds a path to every `RecordError` within that does not name it yet."""
    try:
        yield
    except RecordError as error:
        text, path = str(error), readable(path)
        if path in text:
            raise
        raise RecordError(f"{text} in {path}" if ":" in text else f"{text}: {path}") from error


@dataclass(slots=True)
class Record:
    """One 12-lead recording.

    Attributes:
        signal: (12, samples) float32, millivolts, leads in the order of `LEADS`.
        sampling_rate: Hz.
        record_id: name within its source.
        patient_id: "" where it is unknown.
        age: years, NaN where it is unknown.
        sex: "F", "M" or "".
        codes: the source's own codes, verbatim.
        quality: names of repairs and flags, such as "gain_repaired", "flat:V1", "limb_leads_derived".
        date: ISO 8601, "" where it is unknown.
        numbers: further patient data by the name of their column, such as a weight.
    """

    signal: Signal
    sampling_rate: float
    record_id: str = ""
    patient_id: str = ""
    age: float = nan
    sex: str = ""
    codes: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    date: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
