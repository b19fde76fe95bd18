"""From a source's own codes to the terms of the common vocabulary.

`overrides.csv` lists the codes that a source uses in another sense than its code system does, with the reason.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial, reduce
from operator import or_

from ecg_lightning.errors import unknown
from ecg_lightning.labels.annotation import Annotation
from ecg_lightning.labels.reports import read_statement
from ecg_lightning.labels.vocabulary import CODE_COLUMNS, TERMS, rows


def translate(system: str, codes: Iterable[str], source: str = "") -> Annotation:
    """Translates the codes of one recording.

    Args:
        system: one of `SYSTEMS`.
        codes: the codes as the source writes them; case and runs of white space do not count.
        source: the archive that wrote them, for the few codes that an archive uses in its own sense (overrides.csv).

    >>> translate("snomed", ["164889003", "999"])
    Annotation(positive=frozenset({'AFIB'}), uncertain=frozenset(), unknown=('999',))
    >>> translate("snomed", ["426783006"], source="cpsc2018").positive
    frozenset({'NORM'})
    >>> translate("mimic", ["Possible inferior infarct"]).uncertain
    frozenset({'IMI'})

    Raises:
        UserError: for an unknown code system; the message lists all.
    """
    if system not in SYSTEMS:
        raise unknown("code system", system, SYSTEMS)
    read_code = SYSTEMS[system]
    return reduce(or_, (read_code(code, source) for code in codes), Annotation())


def _look_up(system: str, code: str, source: str) -> Annotation:
    """What a code of one of the code columns of terms.csv means in a source.

    An AHA statement whose modifiers (`60+310`) are not listed means the same as without its last modifier.
    """
    if override := _overrides().get((source, system, code)):
        return Annotation(frozenset({override}))
    if terms := _index(system).get(_fold(code)):
        return Annotation(frozenset(terms))
    if code.endswith(".0"):  # a table of numbers writes 1 as 1.0
        shorter_code = code.removesuffix(".0")
    elif system == "aha" and "+" in code:
        shorter_code = code.rpartition("+")[0]
    else:
        return Annotation(unknown=(code,))
    annotation = _look_up(system, shorter_code, source)
    return Annotation(annotation.positive, unknown=(code,) if annotation.unknown else ())


SYSTEMS: dict[str, Callable[[str, str], Annotation]] = {
    **{column: partial(_look_up, column) for column in CODE_COLUMNS},
    "mimic": lambda statement, source: read_statement(statement),
}
"""The code systems: each has a function from a code and its source to what the code says."""


def _fold(code: str) -> str:
    return " ".join(code.casefold().split())


@cache
def _index(system: str) -> dict[str, tuple[str, ...]]:
    """Each folded code of a system and the terms that have it."""
    terms_of_code: dict[str, tuple[str, ...]] = {}
    for term in TERMS.values():
        for code in map(_fold, term.codes[system]):
            terms_of_code[code] = (*terms_of_code.get(code, ()), term.term)
    return terms_of_code


@cache
def _overrides() -> dict[tuple[str, str, str], str]:
    return {(row["source"], row["system"], row["code"]): row["term"] for row in rows("overrides.csv")}
