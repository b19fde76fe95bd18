"""Label spaces: the ordered lists of terms that networks predict, and targets of 1, 0 or NaN (not annotated) for them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.errors import UserError, unknown
from ecg_lightning.labels.vocabulary import TERMS, ancestors, lists

OWN = "own:"


@dataclass(frozen=True)
class LabelSpace:
    """An ordered list of outputs, each made of one or more terms of the vocabulary.

    Args:
        name: the space's name in spaces.yaml, or `custom`.
        items: what each output is, as spaces.yaml writes it; `LabelSpace.load(items)` makes the same space again.
        terms: the outputs' names, in order.
        members: the terms of which each output consists.
        aggregate: whether an output is any of several different statements (else: near-synonyms of one).
    """

    name: str
    items: tuple[str, ...]
    terms: tuple[str, ...] = field(init=False)
    members: tuple[tuple[str, ...], ...] = field(init=False)
    aggregate: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        parsed = [_parse(item) for item in self.items]
        object.__setattr__(self, "terms", tuple(name for name, _, _ in parsed))
        object.__setattr__(self, "members", tuple(members for _, members, _ in parsed))
        object.__setattr__(self, "aggregate", tuple(aggregate for _, _, aggregate in parsed))
        twice = sorted({term for term in self.terms if self.terms.count(term) > 1})
        if twice or not self.terms:
            raise UserError(f"Label space {self.name!r} {f'names {twice} twice' if twice else 'has no terms'}.")

    @staticmethod
    def load(name_or_terms: "str | Sequence[str]") -> "LabelSpace":
        """A space of spaces.yaml by its name, or one made of terms.

        A list's items are terms (`AFIB`), merged near-synonyms (`CRBBB|RBBB`, named after the first), any of several
        statements (`MI=IMI+AMI`), or a term of one's own that the vocabulary lacks (`own:CHAGAS`).

        >>> LabelSpace.load("paper7").terms
        ('AFIB', '1AVB', 'STACH', 'SBRAD', 'IRBBB', 'CRBBB', 'PVC')
        >>> LabelSpace.load(["SR", "PAC|SVPB"]).terms
        ('SR', 'PAC')

        Raises:
            UserError: for an unknown name or term; the message suggests the nearest and lists the choices.
        """
        if not isinstance(name_or_terms, str):
            return LabelSpace("custom", tuple(name_or_terms))
        if name_or_terms not in _spaces():
            raise unknown("label space", name_or_terms, _spaces())
        return LabelSpace(name_or_terms, _spaces()[name_or_terms])

    def __len__(self) -> int:
        return len(self.terms)

    def encode(
        self,
        positive: Sequence[Collection[str]],
        annotated: Collection[str],
        uncertain: Sequence[Collection[str]] | None = None,
    ) -> NDArray[np.float32]:
        """Targets of records from one source.

        An output is 1 where one of its members, or a narrower term, is positive (CRBBB makes RBBB positive).
        Otherwise it is NaN where the record leaves it open: a broader term is positive and nothing says which kind it
        is (RBBB leaves CRBBB open), or the term itself, a narrower or a broader one is uncertain. Else it is 0 where the
        source annotates it: any member of merged near-synonyms, all members of an aggregate. All other outputs are NaN.

        Args:
            positive: each record's positive terms; names that are neither in the vocabulary nor the space's own
                change nothing.
            annotated: the terms that the source annotates, as `annotated_by` gives them.
            uncertain: each record's terms that are neither present nor absent, as `Annotation.uncertain` has them.

        Returns:
            (records, len(self)) of 1, 0 and NaN.
        """
        terms = list(dict.fromkeys([*TERMS, *(term for members in self.members for term in members)]))
        column = {term: i for i, term in enumerate(terms)}
        above = _matrix([ancestors(term) if term in TERMS else () for term in terms], column)
        member = _matrix(self.members, column)
        broader = _product(member, above) & ~member

        pairs = zip(positive, uncertain if uncertain is not None else repeat(()), strict=uncertain is not None)
        distinct: dict[tuple[frozenset[str], frozenset[str]], int] = {}
        row = np.fromiter(
            (
                distinct.setdefault((frozenset(present), frozenset(doubted)), len(distinct))
                for present, doubted in pairs
            ),
            np.intp,
        )
        stated = _matrix([positive_terms for positive_terms, _ in distinct], column)
        doubtful = _matrix([uncertain_terms for _, uncertain_terms in distinct], column)
        implied = _product(stated, above)
        present = _product(stated | implied, member.T)
        undecided = _product(stated & ~implied, broader.T)  # a term whose narrower one is positive leaves nothing open
        undecided |= _product(doubtful | _product(doubtful, above) | _product(doubtful, above.T), member.T)

        annotated_members = member[:, [column[term] for term in annotated if term in column]].sum(axis=1)
        absent = annotated_members >= np.where(self.aggregate, member.sum(axis=1), 1)
        targets = np.where(present, 1, np.where(absent & ~undecided, 0, np.nan))
        return targets.astype(np.float32)[row]


def _matrix(rows: Sequence[Collection[str]], column: Mapping[str, int]) -> NDArray[np.bool_]:
    """Which terms each row has, terms without a column left out: (rows, terms)."""
    matrix = np.zeros((len(rows), len(column)), bool)
    for i, terms in enumerate(rows):
        matrix[i, [column[term] for term in terms if term in column]] = True
    return matrix


def _product(left: NDArray[np.bool_], right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The boolean matrix product; float32, since numpy multiplies booleans without BLAS."""
    product: NDArray[np.bool_] = (left.astype(np.float32) @ right.astype(np.float32)) > 0
    return product


def _parse(item: str) -> tuple[str, tuple[str, ...], bool]:
    """An item's output name, its members, and whether they are an aggregate."""
    name, equals, members_text = item.rpartition("=")
    members = tuple(members_text.split("+" if equals else "|"))
    for member in members:
        if not member.startswith(OWN) and member not in TERMS:
            raise unknown("term", member, TERMS)
    members = tuple(member.removeprefix(OWN) for member in members)
    return name or members[0], members, bool(equals)


@cache
def _spaces() -> dict[str, tuple[str, ...]]:
    return lists("spaces.yaml")


def spaces() -> tuple[str, ...]:
    """The names of all label spaces of spaces.yaml."""
    return tuple(_spaces())
