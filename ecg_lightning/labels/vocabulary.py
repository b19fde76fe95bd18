"""The common vocabulary: one term for one clinical meaning, whatever code a source writes for it.

`terms.csv` has one row a term. The columns scp, snomed, aha, chapman, code15, cpsc2018 and ludb hold that code
system's codes for the term, several joined by `|`; `broader` names the terms of which it is a kind; `kind` is
diagnostic, form, rhythm (the three parts of the SCP-ECG statements), clinical or technical; `source` says where the
mapping was read:

========== ==========================================================================================
ptbxl      scp_statements.csv of PTB-XL 1.0.3
cinc2021   dx_mapping_scored.csv and dx_mapping_unscored.csv of the PhysioNet/CinC Challenge 2021
chapman    ConditionNames_SNOMED-CT.csv of the Chapman–Shaoxing–Ningbo archive
aha_snomed AHA_SNOMED_mapping.csv, Leinonen 2024
sph        code.csv of the SPH archive: the AHA statements (Mason 2007) and their modifiers
code15     columns of exams.csv of CODE-15%
cpsc2018   the class numbers of the China Physiological Signal Challenge 2018
ludb       the texts of ludb.csv
mimic      the machine reports of MIMIC-IV-ECG
snomed     SNOMED CT International itself
========== ==========================================================================================

No statement of PTB-XL is broader than another: PTB-XL says each of its 71 on its own, and its published tasks read
them so.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from omegaconf import OmegaConf

from ecg_lightning.errors import UserError

SYSTEMS = ("scp", "snomed", "aha", "chapman", "code15", "cpsc2018", "ludb")
FOLDER = files(__package__ or "ecg_lightning.labels")


@dataclass(frozen=True)
class Term:
    """One diagnostic statement of the common vocabulary, as its row of terms.csv has it."""

    term: str
    name: str
    kind: tuple[str, ...]
    broader: tuple[str, ...]
    codes: Mapping[str, tuple[str, ...]]
    source: tuple[str, ...]
    note: str


def _read() -> dict[str, Term]:
    def split(cell: str) -> tuple[str, ...]:
        return tuple(cell.split("|")) if cell else ()

    return {
        row["term"]: Term(
            term=row["term"],
            name=row["name"],
            kind=split(row["kind"]),
            broader=split(row["broader"]),
            codes={system: split(row[system]) for system in SYSTEMS},
            source=split(row["source"]),
            note=row["note"],
        )
        for row in csv.DictReader((FOLDER / "terms.csv").read_text(encoding="utf-8").splitlines())
    }


TERMS: dict[str, Term] = _read()
"""All terms by name: PTB-XL's 71 statements, then the others."""


@cache
def ancestors(term: str) -> frozenset[str]:
    """All terms of which `term` is a kind, itself left out: CRBBB is an RBBB and a BBB."""
    parents = TERMS[term].broader
    return frozenset(parents).union(*(ancestors(parent) for parent in parents))


@cache
def _index(system: str) -> dict[str, tuple[str, ...]]:
    """Each folded code of a system and the terms that have it, in the vocabulary's order."""
    found: dict[str, list[str]] = {}
    for term in TERMS.values():
        for code in term.codes[system]:
            found.setdefault(_fold(code), []).append(term.term)
    return {code: tuple(terms) for code, terms in found.items()}


def _fold(code: str) -> str:
    """A code as it is compared: case and runs of white space do not count."""
    return " ".join(code.casefold().split())


def terms_of(system: str, code: str) -> tuple[str, ...]:
    """The terms that a source's code means; `()` where the code is unknown.

    An AHA statement with modifiers (`60+310`) that is not listed as such means what it means without the last modifier.

    >>> terms_of("snomed", "426783006"), terms_of("aha", "60+310"), terms_of("aha", "145+362")
    (('SR',), ('PVC',), ('STD_',))

    Raises:
        UserError: for a system that is not one of `SYSTEMS`.
    """
    if system not in SYSTEMS:
        raise unknown("code system", system, SYSTEMS)
    found = _index(system).get(_fold(code), ())
    if not found and system == "aha" and "+" in code:
        return terms_of(system, code.rpartition("+")[0])
    return found


def translate(system: str, codes: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The terms that a record's codes mean, and the codes that no term covers.

    >>> translate("snomed", ["164889003", "999"])
    (frozenset({'AFIB'}), ('999',))
    """
    meanings = {code: terms_of(system, code) for code in codes}
    positive = frozenset(term for terms in meanings.values() for term in terms)
    return positive, tuple(code for code, terms in meanings.items() if not terms)


@cache
def _annotated() -> dict[str, frozenset[str]]:
    lists = OmegaConf.to_container(OmegaConf.create((FOLDER / "annotated.yaml").read_text(encoding="utf-8")))
    assert isinstance(lists, dict)
    return {str(source): frozenset(terms) for source, terms in lists.items()}


def annotated_by(source: str) -> frozenset[str]:
    """The terms that a source annotates: any other is unsaid there, not absent.

    Raises:
        UserError: for a source without a list in annotated.yaml.
    """
    if source not in _annotated():
        raise unknown("source", source, _annotated())
    return _annotated()[source]


def unknown(what: str, name: str, choices: Iterable[str]) -> UserError:
    """The error for a name that is not among the choices: it suggests the nearest and lists all."""
    choices = list(choices)
    folded = {choice.casefold(): choice for choice in choices}
    near = [folded[match] for match in get_close_matches(name.casefold(), folded)]
    suggestion = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return UserError(f"There is no {what} {name!r}.{suggestion} Choices: {', '.join(choices)}")
