"""Labels that mean one thing everywhere: the common vocabulary, what each source annotates, and label spaces."""

from ecg_lightning.labels.space import LabelSpace, spaces
from ecg_lightning.labels.vocabulary import SYSTEMS, TERMS, Term, ancestors, annotated_by, terms_of, translate

__all__ = [
    "SYSTEMS",
    "LabelSpace",
    "Term",
    "ancestors",
    "annotated_by",
    "spaces",
    "terms_of",
    "translate",
    "vocabulary",
]
