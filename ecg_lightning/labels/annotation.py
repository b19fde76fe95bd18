"""What the codes of a recording say, in terms of the common vocabulary."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Annotation:
    """What the codes of a recording say, whatever code system they are of.

    Attributes:
        positive: terms that are present.
        uncertain: terms that the codes leave open (`possible inferior infarct`); their targets are NaN.
        unknown: codes that no term covers, each once, in their order.
    """

    positive: frozenset[str] = frozenset()
    uncertain: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()

    def __or__(self, other: "Annotation") -> "Annotation":
        """Joins what two codes say; a term that one of them states is not uncertain.

        >>> Annotation(uncertain=frozenset({"MI"})) | Annotation(frozenset({"MI"}), unknown=("9",))
        Annotation(positive=frozenset({'MI'}), uncertain=frozenset(), unknown=('9',))
        """
        positive = self.positive | other.positive
        uncertain = (self.uncertain | other.uncertain) - positive
        return Annotation(positive, uncertain, tuple(dict.fromkeys((*self.unknown, *other.unknown))))

    def as_uncertain(self) -> "Annotation":
        """The same terms, all of them left open."""
        return Annotation(uncertain=self.positive | self.uncertain, unknown=self.unknown)
