"""From a source's own codes to the terms of the common vocabulary.

`overrides.csv` lists the codes that a source uses in another sense than its code system does, with the reason.
"""

from collections.abc import Iterable
from functools import cache

from ecg_lightning.errors import unknown
from ecg_lightning.labels.reports import read_report
from ecg_lightning.labels.vocabulary import SYSTEMS, TERMS, rows


def terms_of(system: str, code: str, source: str = "") -> tuple[str, ...]:
    """The terms that a code means; `()` where the code is unknown.

    An AHA statement whose modifiers (`60+310`) are not listed means what it means without the last one. A code of the
    system `mimic` is a statement of a machine report: see `reports.read_report`.

    Args:
        system: one of `SYSTEMS`, or `mimic`.
        code: the code as the source writes it; case and runs of white space do not count.
        source: the archive that wrote it, for the few codes that one uses in a sense of its own (overrides.csv).

    >>> terms_of("snomed", "426783006"), terms_of("aha", "60+310"), terms_of("aha", "145+362")
    (('SR',), ('PVC',), ('STD_',))
    >>> terms_of("snomed", "426783006", source="cpsc2018")
    ('NORM',)

    Raises:
        UserError: for a system that there is not.
    """
    if system == "mimic":
        return tuple(sorted(read_report([code]).positive))
    if system not in SYSTEMS:
        raise unknown("code system", system, [*SYSTEMS, "mimic"])
    if override := _overrides().get((source, system, code)):
        return (override,)
    found = _index(system).get(_fold(code), ())
    if not found and code.endswith(".0"):  # as a table of numbers writes it
        return terms_of(system, code.removesuffix(".0"), source)
    if not found and system == "aha" and "+" in code:
        return terms_of(system, code.rpartition("+")[0], source)
    return found


def translate(system: str, codes: Iterable[str], source: str = "") -> tuple[frozenset[str], tuple[str, ...]]:
    """The terms that a record's codes mean, and the codes that no term covers.

    >>> translate("snomed", ["164889003", "999"])
    (frozenset({'AFIB'}), ('999',))
    """
    if system == "mimic":
        report = read_report(codes)
        return report.positive, report.unknown
    meanings = {code: terms_of(system, code, source) for code in codes}
    positive = frozenset(term for terms in meanings.values() for term in terms)
    return positive, tuple(code for code, terms in meanings.items() if not terms)


def _fold(code: str) -> str:
    return " ".join(code.casefold().split())


@cache
def _index(system: str) -> dict[str, tuple[str, ...]]:
    """Each folded code of a system and the terms that have it, in the vocabulary's order."""
    found: dict[str, tuple[str, ...]] = {}
    for term in TERMS.values():
        for code in map(_fold, term.codes[system]):
            found[code] = (*found.get(code, ()), term.term)
    return found


@cache
def _overrides() -> dict[tuple[str, str, str], str]:
    return {(row["source"], row["system"], row["code"]): row["term"] for row in rows("overrides.csv")}
