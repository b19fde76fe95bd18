"""Machine reports in words, as MIMIC-IV-ECG has them (`report_0` … `report_17`), read by a table of phrases.

`mimic.csv` has one row a phrase: the terms that it means (joined by `|`; empty where it means none, as `abnormal ecg`).
In a statement the first and longest phrase wins, so that `incomplete right bundle branch block` is not also a right
bundle branch block. A phrase counts as said unless the statement takes it back:

- after a word of doubt (possible, probable, consider, borderline, cannot rule out, may be, suggests …) a phrase is
  possible, no more: `RBBB with RAD - possible left posterior fascicular block` says RBBB and RAD;
- a statement of alternatives (`or`, `versus`), or one that ends in `cannot be excluded`, leaves all its phrases possible;
- after `no`, `not`, `without` or `has replaced`, before `replaced by`, and anywhere beside `no longer`, a phrase is denied.

What is possible is neither 1 nor 0: hand `Report.possible` to `LabelSpace.encode` as `unsaid`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from ecg_lightning.labels.vocabulary import rows, split

DOUBT = re.compile(
    r"\b(possibl[ey]|probabl[ey]|consider|borderline|suspects?|suspected|questionable|likely|suggest(s|ive|ing)?|"
    r"may|might|could|(can ?not|can t|to) (rule out|exclude)|rule out|evaluate for|perhaps|equivocal)\b"
)
ALTERNATIVES = re.compile(r"\b(or|versus|vs|(can ?not|not) be (excluded|ruled out))\b")
DENIAL = re.compile(r"\b(no|not|without|absence of|ha(s|ve) replaced)\b")
REPLACED = re.compile(r"\breplaced by\b")
NO_LONGER = re.compile(r"\bno longer\b")
SPELLINGS = (
    (r"\((e?s)\)", ""),  # complex(es), PAC(s)
    (r"[^a-z0-9:]+", " "),
    (r"\b1st\b", "first"),
    (r"\b2nd\b", "second"),
    (r"\b3rd\b", "third"),
    (r"\ba v\b", "av"),
    (r"\bs a\b", "sa"),
    (r"\bi v\b", "iv"),
    (r"\binfarction\b", "infarct"),
    (r"\bmyocardial infarct\b", "infarct"),
    (r"\ban?t septal\b", "anteroseptal"),
    (r"\b(abnrm|abnormalities|abnormality|abn|changes?)\b", "change"),
)


@dataclass(frozen=True)
class Report:
    """What a report says: terms that are present, terms that it leaves open, and statements without a known phrase."""

    positive: frozenset[str]
    possible: frozenset[str]
    unknown: tuple[str, ...]


def read_report(statements: Iterable[str]) -> Report:
    """Reads the statements of one recording.

    >>> report = read_report(["Sinus rhythm with PAC(s)", "Possible inferior infarct - age undetermined"])
    >>> sorted(report.positive), sorted(report.possible)
    (['PAC', 'SR'], ['IMI'])
    """
    positive: set[str] = set()
    possible: set[str] = set()
    unread = []
    for statement in statements:
        read = _read(statement)
        if read is None:
            unread.append(statement)
        else:
            positive |= read[0]
            possible |= read[1]
    return Report(frozenset(positive), frozenset(possible - positive), tuple(unread))


@cache  # a few thousand statements make up the reports of 800,000 recordings
def _read(statement: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """The terms that a statement says and those that it leaves open; None where it has no known phrase."""
    plain = _plain(statement)
    pattern, terms = _phrases()
    found = [(match.start(), terms[match["phrase"]]) for match in pattern.finditer(plain)]
    if not found:
        return (frozenset(), frozenset()) if not plain else None
    between = pattern.sub(lambda match: " " * len(match[0]), plain)  # a phrase's own words do not doubt or deny
    if NO_LONGER.search(between):
        return frozenset(), frozenset()
    doubted = _first(DOUBT, between)
    denied = _first(DENIAL, between)
    replaced = REPLACED.search(between)
    alternatives = _first(ALTERNATIVES, between) < doubted  # what follows a word of doubt is open anyway
    positive: set[str] = set()
    possible: set[str] = set()
    for start, meant in found:
        if alternatives or doubted < start:
            possible.update(meant)
        elif start < denied and not (replaced and start < replaced.start()):
            positive.update(meant)
    return frozenset(positive), frozenset(possible - positive)


def _first(pattern: re.Pattern[str], plain: str) -> float:
    """Where a pattern begins; infinity where it does not occur."""
    match = pattern.search(plain)
    return match.start() if match else float("inf")


def _plain(words: str) -> str:
    """A text in one spelling: lower case, no punctuation, abbreviations of the carts spelt alike."""
    plain = words.casefold()
    for spelling, one in SPELLINGS:
        plain = re.sub(spelling, one, plain)
    return plain.strip()


@cache
def _phrases() -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    """A pattern that finds every phrase of mimic.csv, longest first and with its plural, and the phrases' terms."""
    terms = {_plain(row["phrase"]): split(row["terms"]) for row in rows("mimic.csv")}
    longest_first = sorted(terms, key=len, reverse=True)
    return re.compile(rf"\b(?P<phrase>{'|'.join(map(re.escape, longest_first))})(?:e?s)?\b"), terms
