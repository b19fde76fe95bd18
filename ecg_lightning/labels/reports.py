"""Machine reports in words, as MIMIC-IV-ECG has them (`report_0` … `report_17`), read by a table of phrases.

`mimic.csv` has one row for each phrase: the terms that it means, joined by `|` (no term for phrases such as `abnormal ecg`).
Where two phrases begin at the same place, the longer one counts, so that `incomplete right bundle branch block` is not also
a right bundle branch block. A phrase is positive, with these exceptions:

- After a word of doubt (possible, probable, consider, borderline, cannot rule out, may be, suggests …) a phrase is
  uncertain: `RBBB with RAD - possible left posterior fascicular block` states RBBB and RAD, and leaves LPFB open.
- In a statement of alternatives (`or`, `versus`), or one that ends in `cannot be excluded`, all phrases are uncertain.
- After `no`, `not`, `without` or `has replaced`, before `replaced by`, and in a statement with `no longer`, a phrase is
  denied.
"""

import re
from functools import cache

from ecg_lightning.labels.annotation import Annotation
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


@cache  # a few thousand statements make up the reports of 800,000 recordings
def read_statement(statement: str) -> Annotation:
    """Reads one statement of a machine report; a statement without any phrase of the table is unknown.

    >>> read_statement("Sinus rhythm with possible inferior infarct - age undetermined")
    Annotation(positive=frozenset({'SR'}), uncertain=frozenset({'IMI'}), unknown=())
    """
    plain = _plain(statement)
    pattern, terms_of_phrase = _phrases()
    matches = list(pattern.finditer(plain))
    if not matches:
        return Annotation(unknown=(statement,) if plain else ())
    between = pattern.sub(lambda match: " " * len(match[0]), plain)  # words of a phrase itself do not doubt or deny
    if NO_LONGER.search(between):
        return Annotation()
    doubt = _first(DOUBT, between)
    denial = _first(DENIAL, between)
    replacement = REPLACED.search(between)
    alternatives = _first(ALTERNATIVES, between) < doubt  # a phrase behind a word of doubt is uncertain in any case
    positive: set[str] = set()
    uncertain: set[str] = set()
    for match in matches:
        terms, start = terms_of_phrase[match["phrase"]], match.start()
        if alternatives or doubt < start:
            uncertain.update(terms)
        elif start < denial and not (replacement and start < replacement.start()):
            positive.update(terms)
    return Annotation(frozenset(positive), frozenset(uncertain - positive))


def _first(pattern: re.Pattern[str], plain: str) -> float:
    """The position where a pattern begins; infinity where it does not occur."""
    match = pattern.search(plain)
    return match.start() if match else float("inf")


def _plain(words: str) -> str:
    """A text in one spelling: lower case, no punctuation, one form for each abbreviation of the ECG carts."""
    plain = words.casefold()
    for spelling, replacement in SPELLINGS:
        plain = re.sub(spelling, replacement, plain)
    return plain.strip()


@cache
def _phrases() -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    """A pattern that finds every phrase of mimic.csv, longest first and with its plural, and the phrases' terms."""
    terms = {_plain(row["phrase"]): split(row["terms"]) for row in rows("mimic.csv")}
    longest_first = sorted(terms, key=len, reverse=True)
    return re.compile(rf"\b(?P<phrase>{'|'.join(map(re.escape, longest_first))})(?:e?s)?\b"), terms
