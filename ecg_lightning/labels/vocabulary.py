"""The common vocabulary: one term for one clinical meaning, whatever code a source writes for it.

`terms.csv` has one row a term. The columns scp, snomed, aha, chapman, code15, cpsc2018 and ludb hold that code
system's codes for the term, several joined by `|`; `snomed_broader` is the nearest broader SNOMED CT concept where there
is none for the term itself; `broader` names the terms of which it is a kind; `kind` is diagnostic, form, rhythm (the
three parts of the SCP-ECG statements), clinical or technical; `source` says where the mapping was read:

========== ==========================================================================================
ptbxl      scp_statements.csv of PTB-XL 1.0.3
cinc2021   dx_mapping_scored.csv and dx_mapping_unscored.csv of the PhysioNet/CinC Challenge 2021
chapman    ConditionNames_SNOMED-CT.csv of the Chapman–Shaoxing–Ningbo archive
aha_snomed AHA_SNOMED_mapping.csv, Leinonen 2024
sph        code.csv of the SPH archive: the AHA statements (Mason 2007) and their modifiers
code15     columns of exams.csv of CODE-15%
cpsc2018   the class numbers of the China Physiological Signal Challenge 2018
ludb       the texts of ludb.csv
dicom      context group 3230 (ECG findings) of DICOM PS3.16
snomed     SNOMED CT International itself
========== ==========================================================================================

No statement of PTB-XL is a kind of another: PTB-XL says each of its 71 on its own, and its published tasks read them so.
`annotated.yaml` says which terms each source annotates.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from omegaconf import OmegaConf

from ecg_lightning.errors import unknown

CODE_COLUMNS = ("scp", "snomed", "aha", "chapman", "code15", "cpsc2018", "ludb")
"""The columns of terms.csv that hold codes, each named after its code system."""


@dataclass(frozen=True)
class Term:
    """One diagnostic statement of the common vocabulary, as its row of terms.csv has it."""

    term: str
    name: str
    kind: tuple[str, ...]
    broader: tuple[str, ...]
    codes: Mapping[str, tuple[str, ...]]
    snomed_broader: str
    source: tuple[str, ...]
    note: str


def rows(table: str) -> Iterator[dict[str, str]]:
    """The rows of one of this package's CSV tables."""
    yield from csv.DictReader(text(table).splitlines())


def text(table: str) -> str:
    """One of this package's data files."""
    return files("ecg_lightning.labels").joinpath(table).read_text(encoding="utf-8")


def lists(table: str) -> dict[str, tuple[str, ...]]:
    """One of this package's YAML files, in which each name has a list."""
    contents = OmegaConf.to_container(OmegaConf.create(text(table)))
    assert isinstance(contents, dict)
    return {str(name): tuple(items) for name, items in contents.items()}


def split(cell: str) -> tuple[str, ...]:
    """The parts of a cell that are joined by `|`."""
    return tuple(cell.split("|")) if cell else ()


TERMS: dict[str, Term] = {
    row["term"]: Term(
        term=row["term"],
        name=row["name"],
        kind=split(row["kind"]),
        broader=split(row["broader"]),
        codes={system: split(row[system]) for system in CODE_COLUMNS},
        snomed_broader=row["snomed_broader"],
        source=split(row["source"]),
        note=row["note"],
    )
    for row in rows("terms.csv")
}
"""All terms by name: PTB-XL's 71 statements, then the others."""


@cache
def ancestors(term: str) -> frozenset[str]:
    """All terms of which `term` is a kind, itself left out.

    >>> sorted(ancestors("CRBBB"))
    ['BBB', 'RBBB']
    """
    parents = TERMS[term].broader
    return frozenset(parents).union(*(ancestors(parent) for parent in parents))


@cache
def _annotated() -> dict[str, frozenset[str]]:
    return {source: frozenset(terms) for source, terms in lists("annotated.yaml").items()}


def annotated_by(source: str) -> frozenset[str]:
    """The terms that a source annotates: any other term is not annotated there (NaN), and never absent (0).

    Raises:
        UserError: for a source that annotated.yaml does not list.
    """
    if source not in _annotated():
        raise unknown("source", source, _annotated())
    return _annotated()[source]
