"""Age, date and patient id of an exported file; names are never taken."""

from datetime import date, datetime
from math import isnan, nan

from ecg_lightning.records.missing import stated_id
from ecg_lightning.records.patient import CONTRADICTORY, parse_age

_DAYS_A_YEAR = 365.2425
_OLDEST_BIRTH = 1900  # programs write 1900 and earlier years where no date of birth is known
_MOST_DIFFERENCE = 1.5  # years between the stated age and that of the dates; an age may be rounded
_NOBODY = frozenset(
    ("anonymous", "anonym", "anonymized", "anonymised", "anonymisiert", "anonyme", "anonimo", "removed", "test")
)


def age_of(stated_age: float | None, birth: date | None, recorded: date | None) -> tuple[float, tuple[str, ...]]:
    """The age in years, and a flag where the age that the file states is not that of its dates; then it counts as unknown.

    Args:
        stated_age: years; None where it is not stated.
        birth: the date of birth; a placeholder such as 1900-01-01 counts as unknown.
        recorded: the date of the recording.

    >>> age_of(53, date(1900, 1, 1), date(2018, 7, 19))
    (53.0, ())
    >>> age_of(46, date(1953, 5, 8), date(2002, 11, 22))
    (nan, ('contradictory:age',))
    """
    age = nan if stated_age is None or stated_age < 0 else parse_age(f"{stated_age:g}")
    of_dates = nan
    if birth is not None and recorded is not None:
        years = (recorded - birth).days / _DAYS_A_YEAR
        if birth.year > _OLDEST_BIRTH and years >= 0:
            of_dates = years
        elif abs(age - years) <= _MOST_DIFFERENCE:
            age = nan  # a program computed it from the placeholder
    if isnan(of_dates):
        return age, ()
    if isnan(age):
        return float(int(of_dates)), ()
    if abs(age + 0.5 - of_dates) > _MOST_DIFFERENCE:
        return nan, (f"{CONTRADICTORY}:age",)
    return age, ()


def patient_id_of(text: str) -> str:
    """A patient's id; "" for words and zeros that programs write for nobody.

    >>> [patient_id_of(text) for text in ("SBJ-123", "0000", "Anonymous", "n/a")]
    ['SBJ-123', '', '', '']
    """
    name = stated_id(text)
    return "" if not name.strip("0 -") or name.casefold() in _NOBODY else name


def iso(recorded: datetime | None) -> str:
    """A date and time as text, "" for None: in local time, and without a time where it is midnight.

    >>> iso(datetime(2013, 1, 25, 10, 59, 19)), iso(datetime(2013, 1, 25)), iso(None)
    ('2013-01-25 10:59:19', '2013-01-25', '')
    """
    if recorded is None:
        return ""
    return recorded.replace(tzinfo=None, microsecond=0).isoformat(" ").removesuffix(" 00:00:00")
