"""Units of voltage, as headers and people write them, in millivolts."""

from ecg_lightning.records.record import RecordError

_MILLIVOLTS = {"v": 1000.0, "mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6}


def millivolts(unit: str) -> float:
    """The millivolts of one unit: a name (V, mV, uV, µV, nV; case is free), or a digital gain in ADC units per millivolt.

    >>> millivolts("uV"), millivolts("200")
    (0.001, 0.005)

    Raises:
        RecordError: for a text that is neither a unit of voltage nor a positive number.
    """
    factor = _MILLIVOLTS.get(unit.strip().lower())
    if factor is None:
        try:
            gain = float(unit)
        except ValueError:
            gain = 0.0
        if not gain > 0:
            raise RecordError(f"unknown unit: {unit!r} is not V, mV, uV or nV, nor a gain (ADC units per millivolt)")
        factor = 1 / gain
    return factor
