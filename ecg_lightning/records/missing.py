"""Words that mean "no value" in tables and headers; every reader uses this list."""

import re

_WORDS = frozenset(
    [
        "na",
        "nan",
        "nat",
        "null",
        "nil",
        "nul",
        "none",
        "void",
        "blank",
        "empty",
        "missing",
        "undefined",
        "unspecified",
        "unassigned",
        "unknown",
        "unknwn",
        "unkn",
        "unk",
        "notknown",
        "notavailable",
        "notapplicable",
        "notreported",
        "notrecorded",
        "notspecified",
        "notstated",
        "notgiven",
        "notprovided",
        "notset",
        "nodata",
        "novalue",
        "noinformation",
        "unbekannt",
        "keineangabe",
        "keineangaben",
        "fehlt",
        "inconnu",
        "inconnue",
        "nonrenseigne",
        "nonrenseignee",
        "desconocido",
        "desconocida",
        "desconhecido",
        "desconhecida",
        "sconosciuto",
        "sindatos",
        "semdados",
        "onbekend",
        "okänd",
        "ukendt",
        "ukjent",
    ]
)
"""Case-folded, without the marks of `_INNER`."""
_INNER = re.compile(r"[\s./_\\-]+")  # N/A, n.a., not_available
_AROUND = " \t\r\n\v\f\xa0\u200b\ufeff"
_MARKS = re.compile(r"[\s\-–—−_.?¿*#~:;,/\\'\"<>()\[\]{}]*")  # a plus is none: it may be a finding
_CODED_IDS = frozenset(("-1", "-9", "-99", "-999", "-9999"))
_DECIMALS = re.compile(r"(-?\d+)\.0+")


def stated(cell: str) -> str:
    """What a cell or a header's value states, without white space around it; "" for a word that means "no value".

    >>> [stated(cell) for cell in (" 1.18.2 ", "N/A", "<NA>", "unknown", "--", "?", "NORM", "0")]
    ['1.18.2', '', '', '', '', '', 'NORM', '0']
    """
    text = cell.strip(_AROUND)
    if _MARKS.fullmatch(text):
        return ""
    return "" if _INNER.sub("", text.strip("<>()[]{}'\"#*?-–— ")).casefold() in _WORDS else text


def stated_id(cell: str) -> str:
    """As `stated`, for an id: without the decimals that a table of numbers adds, and "" for a coded -1 or -9.

    >>> [stated_id(cell) for cell in ("7.0", "nan", "007", "-9.0", "A1.0")]
    ['7', '', '007', '', 'A1.0']
    """
    text = stated(cell)
    if match := _DECIMALS.fullmatch(text):
        text = match.group(1)
    return "" if text in _CODED_IDS else text
