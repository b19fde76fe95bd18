"""Labels that mean one thing everywhere: the common vocabulary, what each source annotates, and label spaces."""

from ecg_lightning.labels.annotation import Annotation
from ecg_lightning.labels.codes import SYSTEMS, translate
from ecg_lightning.labels.space import LabelSpace, spaces
from ecg_lightning.labels.vocabulary import TERMS, Term, ancestors, annotated_by

__all__ = ["SYSTEMS", "TERMS", "Annotation", "LabelSpace", "Term", "ancestors", "annotated_by", "spaces", "translate"]
