"""What the comments of a WFDB header say of the patient, and ages and sexes in the words of any source."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import nan
from typing import TypeVar

from ecg_lightning.records.missing import stated, stated_id

# Blanks but no line breaks around the colon: an empty value must not take the next line for its own.
_COMMENT = re.compile(
    r"(?:^#+[ \t]*|<)(age|sex|gender|dx|patient[ _]?id)>?[ \t]*:[ \t]*([^<\r\n]*)", re.IGNORECASE | re.MULTILINE
)
_OLDEST = 150.0  # years
_AGE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:y|yo|yrs?|years?|j|jahre?|a|ans|años)?\.?", re.IGNORECASE)
_SEXES = {
    "F": "f fem female woman girl frau weiblich femme féminin feminin femenino femenina feminino feminina femmina "
    "femminile mujer mulher donna",
    "M": "m masc male man boy mann männlich maennlich homme masculin masculino masculina maschio maschile hombre homem "
    "uomo",
}
_SEX_OF = {word: sex for sex, words in _SEXES.items() for word in words.split()}
CONTRADICTORY = "contradictory"
T = TypeVar("T", str, float)


@dataclass(slots=True)
class Patient:
    """What the comments of a header say of the patient.

    Attributes:
        patient_id: "" where it is unknown.
        age: years, NaN where it is unknown.
        sex: F, M or "".
        codes: of all lines, each once.
        flags: "contradictory:age" … where lines contradict each other; then the value counts as unknown.
    """

    patient_id: str = ""
    age: float = nan
    sex: str = ""
    codes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def parse_patient(comments: str) -> Patient:
    r"""Reads age, sex, diagnosis codes and patient id from comments as CinC, CODE-15%, LUDB, PTB and INCART write them.

    >>> parse_patient("#Age: 74\n#Sex: Male\n#Dx: 59118001\n#Dx: 164889003")
    Patient(patient_id='', age=74.0, sex='M', codes=('59118001', '164889003'), flags=())
    """
    values: dict[str, list[str]] = {"age": [], "sex": [], "patient": [], "dx": []}
    for key, value in _COMMENT.findall(comments):
        name = key.lower()
        values["sex" if name == "gender" else "patient" if name.startswith("patient") else name].append(value)
    flags: list[str] = []

    def unique_value(name: str, parse: Callable[[str], T], default: T) -> T:
        distinct = {value for value in map(parse, values[name]) if value not in ("", nan)}
        if len(distinct) > 1:
            flags.append(f"{CONTRADICTORY}:{name}")
        return distinct.pop() if len(distinct) == 1 else default

    patient_id, age, sex = (
        unique_value("patient", stated_id, ""),
        unique_value("age", parse_age, nan),
        unique_value("sex", parse_sex, ""),
    )
    codes = dict.fromkeys(code for value in values["dx"] for code in _codes(value))
    return Patient(patient_id, age, sex, tuple(codes), tuple(flags))


def _codes(value: str) -> Iterable[str]:
    """The codes of one line: joined by commas, semicolons or bars, and by blanks where all are numbers."""
    for part in map(stated, re.split(r"[,;|]", value)):
        words = part.split()
        yield from words if all(word.isdecimal() for word in words) else (part,)


def parse_age(text: str) -> float:
    """Years; NaN for a text that is no number, and for more than 150 (archives write NaN, Unknown, -1, 300).

    >>> [parse_age(text) for text in ("63", "45,5", "62 years", "300")]
    [63.0, 45.5, 62.0, nan]
    """
    match = _AGE.fullmatch(text.strip())
    age = float(match.group(1).replace(",", ".")) if match else nan
    return age if age <= _OLDEST else nan  # the one object, so that it is found among others


def parse_sex(text: str) -> str:
    """F or M for a word that means it, such as Female, male, f, weiblich, hombre; "" for any other.

    >>> [parse_sex(text) for text in ("Female", "m", "mujer", "missing", "U")]
    ['F', 'M', 'F', '', '']
    """
    return _SEX_OF.get(text.strip().rstrip(".").casefold(), "")
