"""Labels that mean one thing everywhere: the common vocabulary, what each source annotates, and label spaces."""

from ecg_lightning.labels.codes import terms_of, translate
from ecg_lightning.labels.reports import Report, read_report
from ecg_lightning.labels.space import LabelSpace, spaces
from ecg_lightning.labels.vocabulary import SYSTEMS, TERMS, Term, ancestors, annotated_by

__all__ = [
    "SYSTEMS",
    "TERMS",
    "LabelSpace",
    "Report",
    "Term",
    "ancestors",
    "annotated_by",
    "read_report",
    "spaces",
    "terms_of",
    "translate",
]
