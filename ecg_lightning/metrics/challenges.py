"""Scores as the PTB-XL benchmark and the challenges of 2018, 2020 and 2021 define them, in every resample.

Each is made of sums over records: a class here computes what each record adds, and `measure` weights it by how often the record was
drawn. A pair of record and term that is not annotated counts neither as a label nor as an output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ecg_lightning.metrics.outputs import Outputs
from ecg_lightning.metrics.pairs import Booleans, Floats
from ecg_lightning.metrics.resampled import mean_of_existing

BETA = 2
GRID = np.linspace(0, 1, 101)
"""Thresholds of Fmax."""
SINUS_RHYTHM = "SR"
POSITIONS = {
    "QWAVE": -0.1, "AFIB": 0.0, "AFLT": 0.0, "TAB_": 0.0, "INVT": 0.0, "BBB": 0.025, "CLBBB|LBBB": 0.025, "LNGQT": 0.05,
    "LVOLT": 0.075, "PRWP": 0.075, "CRBBB|RBBB": 0.1, "PACE": 0.125, "PVC|VPB": 0.125, "STACH": 0.125, "LAD": 0.15,
    "LAFB": 0.15, "IVCD": 0.15, "RAD": 0.15, "PAC|SVPB": 0.1625, "BRADY": 0.2, "1AVB": 0.2, "IRBBB": 0.2, "LPR": 0.2,
    "SARRH": 0.2, "SBRAD": 0.2, SINUS_RHYTHM: 0.25,
}  # fmt: skip
"""The scored classes of the CinC challenge of 2021 on a line: the credit for one class in place of another is ½ minus their distance."""
EXCEPTIONS = {("BBB", "CLBBB|LBBB"): 0.475, ("LVOLT", "PRWP"): 0.475}
"""Credits between classes at one place, which are not quite ½."""
CINC2021 = tuple(POSITIONS)
CINC2020 = tuple(name for name in POSITIONS if name not in ("BBB", "PRWP"))
CPSC2018 = ("NORM", "AFIB", "1AVB", "CLBBB|LBBB", "CRBBB|RBBB", "PAC|SVPB", "PVC|VPB", "STD_", "STE_")


def credits_of(classes: Sequence[str]) -> Floats:
    """Returns the challenge's weights: the credit for each output (column) in place of each label (row), (classes, classes)."""
    position = np.array([POSITIONS[name] for name in classes])
    credit: Floats = 0.5 - np.abs(position[:, None] - position)
    for (first, second), value in EXCEPTIONS.items():
        if first in classes and second in classes:
            row, column = classes.index(first), classes.index(second)
            credit[row, column] = credit[column, row] = value
    np.fill_diagonal(credit, 1)
    return credit


@dataclass(frozen=True)
class CinC:
    """The score of the CinC challenges: 1 where all labels are found, 0 for a network that always says sinus rhythm.

    Attributes:
        observed, correct, inactive: (records,) the credit for the outputs, for the labels themselves, for sinus rhythm alone.
    """

    observed: Floats
    correct: Floats
    inactive: Floats

    @classmethod
    def of(cls, labels: Booleans, called: Booleans, annotated: Booleans, classes: Sequence[str]) -> Self:
        """Computes what each record adds.

        Args:
            labels: (records, classes) which are positive.
            called: (records, classes) which are called positive.
            annotated: (records, classes) which count.
            classes: `CINC2020` or `CINC2021`.
        """
        credit = credits_of(classes)
        sinus = np.zeros_like(called)
        sinus[:, list(classes).index(SINUS_RHYTHM)] = True
        return cls(*(_credit(labels, outputs & annotated, credit) for outputs in (called, labels, sinus)))

    def measure(self, weights: Floats) -> Floats:
        """Computes the score in each resample of weights (records, resamples): (resamples,)."""
        observed, correct, inactive = (values @ weights for values in (self.observed, self.correct, self.inactive))
        possible = correct - inactive
        return np.divide(observed - inactive, possible, out=np.zeros_like(possible), where=possible != 0)


def _credit(labels: Booleans, called: Booleans, credit: Floats) -> Floats:
    """Computes the credit of each record, (records,): over its labels and outputs, divided by the number of terms in either."""
    either = np.maximum(np.count_nonzero(labels | called, axis=1), 1)
    earned: Floats = np.einsum("rj,rj->r", labels @ credit, called.astype(np.float64)) / either
    return earned


@dataclass(frozen=True)
class Betas:
    """F-beta and G-beta, in which a record with n labels counts 1/n.

    Attributes:
        hits, alarms, misses: (records, terms) what each record adds.
    """

    hits: Floats
    alarms: Floats
    misses: Floats

    @classmethod
    def of_benchmark(cls, outputs: Outputs) -> Self:
        """Computes them as the PTB-XL benchmark does: where no term is called positive, the most probable one is.

        A record without a label is left out: the benchmark's tasks have none, and its formula would divide by 0.
        """
        decided = outputs.is_decided
        called = outputs.is_called & decided
        silent = ~called.any(axis=1) & decided.any(axis=1)
        best = np.where(decided, outputs.probabilities, -np.inf).argmax(axis=1)
        called[silent, best[silent]] = True
        count = np.count_nonzero((outputs.targets == 1) & decided, axis=1)
        return cls._of(outputs, called, decided, np.divide(1, count, out=np.zeros(len(count)), where=count > 0))

    @classmethod
    def of_cinc2020(cls, outputs: Outputs) -> Self:
        """Computes them as the challenge of 2020 does: a record without a label counts as one with one label."""
        decided = outputs.is_decided
        count = np.count_nonzero((outputs.targets == 1) & decided, axis=1)
        return cls._of(outputs, outputs.is_called, decided, 1 / np.maximum(count, 1))

    @classmethod
    def _of(cls, outputs: Outputs, called: Booleans, decided: Booleans, share: Floats) -> Self:
        positive = outputs.targets == 1
        outcomes = (called & positive, called & ~positive, ~called & positive)
        return cls(*((outcome & decided) * share[:, None] for outcome in outcomes))

    def measure(self, weights: Floats) -> tuple[Floats, Floats]:
        """Computes macro F-beta and G-beta in each resample of weights (records, resamples), both (resamples,)."""
        hits, alarms, misses = (values.T @ weights for values in (self.hits, self.alarms, self.misses))
        with np.errstate(invalid="ignore"):  # 0/0 of a term without a positive that is never called
            f = (1 + BETA**2) * hits / ((1 + BETA**2) * hits + alarms + BETA**2 * misses)
            g = hits / (hits + alarms + BETA * misses)
        return mean_of_existing(f), mean_of_existing(g)


@dataclass(frozen=True)
class FMax:
    """The sample-centric Fmax of the PTB-XL benchmark: the best F1 of mean precision and mean recall over one threshold for all terms.

    The mean of the precision is over the records with an output at or above the threshold, that of the recall over those with a
    label. The thresholds are 0, 0.01, …, 1.

    Attributes:
        precision, has_output: (thresholds, records).
        recall: (thresholds, records), 0 where a record has no label.
        has_label: (records,).
    """

    precision: Floats
    has_output: Floats
    recall: Floats
    has_label: Floats

    @classmethod
    def of(cls, outputs: Outputs) -> Self:
        """Computes what each record adds at each threshold."""
        annotated, positive = outputs.is_annotated, outputs.targets == 1
        labels = np.count_nonzero(positive, axis=1)
        precision, has_output, recall = (np.zeros((GRID.size, len(outputs))) for _ in range(3))
        for number, threshold in enumerate(GRID):
            called = annotated & (outputs.probabilities >= threshold)
            hits, calls = np.count_nonzero(called & positive, axis=1), np.count_nonzero(called, axis=1)
            has_output[number] = calls > 0
            precision[number] = hits / np.maximum(calls, 1)
            recall[number] = hits / np.maximum(labels, 1)
        return cls(precision, has_output, recall, (labels > 0).astype(np.float64))

    def measure(self, weights: Floats) -> Floats:
        """Computes Fmax in each resample of weights (records, resamples): (resamples,), NaN without any label."""
        with np.errstate(invalid="ignore"):  # 0/0 where no record has an output, or none has a label
            precision = (self.precision @ weights) / (self.has_output @ weights)
            recall = (self.recall @ weights) / (self.has_label @ weights)
            f1 = 2 * precision * recall / (precision + recall)
        best: Floats = np.where(np.isnan(f1), -np.inf, f1).max(axis=0)
        return np.where(np.isfinite(best), best, np.where(self.has_label @ weights > 0, 0.0, np.nan))


@dataclass(frozen=True)
class CPSC:
    """The score of CPSC2018: mean F1 of nine classes, of which each record gets one, the most probable.

    An answer is right if it is among the record's labels. A wrong one counts as a miss of the first label, in the order of the
    classes. A record without a label, or whose answer is not annotated, is left out.

    Attributes:
        right, answered, labelled: (records, classes).
    """

    right: Floats
    answered: Floats
    labelled: Floats

    @classmethod
    def of(cls, probabilities: Floats, targets: Floats) -> Self:
        """Computes what each record adds.

        Args:
            probabilities: (records, classes) in the order of `CPSC2018`.
            targets: (records, classes) 1, 0 or NaN.
        """
        answer = probabilities.argmax(axis=1)
        records = np.arange(len(targets))
        answered, labelled = np.zeros(targets.shape), np.zeros(targets.shape)
        answered[records, answer] = 1
        is_right = targets[records, answer] == 1
        labelled[records, np.where(is_right, answer, (targets == 1).argmax(axis=1))] = 1
        counts = ((targets == 1).any(axis=1) & ~np.isnan(targets[records, answer]))[:, None]
        return cls(answered * is_right[:, None] * counts, answered * counts, labelled * counts)

    def measure(self, weights: Floats) -> Floats:
        """Computes the score in each resample of weights (records, resamples), over the classes that occur: (resamples,)."""
        right, answered, labelled = (values.T @ weights for values in (self.right, self.answered, self.labelled))
        with np.errstate(invalid="ignore"):  # 0/0 of a class that neither occurs nor is answered
            return mean_of_existing(2 * right / (answered + labelled))


def columns_of(classes: Sequence[str], items: Sequence[tuple[str, ...]]) -> list[int] | None:
    """Returns the outputs that mean a challenge's classes, in the order of the classes; None where the label space lacks one.

    Args:
        classes: of the challenge; `A|B` are equivalent terms that count as one.
        items: the terms that each output of the label space joins.
    """
    members = [frozenset(terms) for terms in items]
    wanted = [frozenset(name.split("|")) for name in classes]
    return [members.index(terms) for terms in wanted] if all(terms in members for terms in wanted) else None
