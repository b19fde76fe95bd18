"""The recordings on which a network was most confidently wrong: which they are, and their ECGs with its saliency."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.datamodules.unpack import record_of, stated_terms
from ecg_lightning.evaluation.predictions import Predictions
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.evaluation.saliency import saliency
from ecg_lightning.figures import Shading, ecg_figure, encode
from ecg_lightning.figures.flags import flags_text
from ecg_lightning.records import LEADS
from ecg_lightning.report.numbers import term_name

PIXELS = 5
"""Pixels of a millimetre of ECG paper: a picture has some 60 KB."""


@dataclass(frozen=True)
class Mistake:
    """A call that was wrong.

    Attributes:
        row: of the recording among the predictions.
        term: column of the term.
        is_missed: whether the recording has the term and was called negative; otherwise it was the other way round.
    """

    row: int
    term: int
    is_missed: bool


@dataclass(frozen=True)
class DrawnMistake:
    """A mistake as the page shows it.

    Attributes:
        kind: `missed` or `false alarm`.
        term: its short name.
        name: what it means.
        sentence: what the network said, and what the labels say.
        image: the ECG as a data URI.
        alt: what a screen reader says in place of it.
        width: of the image, pixels.
        height: of the image, pixels.
        record_id: of the recording; empty where the page names no recordings.
    """

    kind: str
    term: str
    name: str
    sentence: str
    image: str
    alt: str
    width: int
    height: int
    record_id: str = ""


def worst(outputs: Predictions, thresholds: Sequence[float | None], most: int) -> list[Mistake]:
    """Chooses the mistakes that are farthest on the wrong side of their threshold, in logits.

    The terms take turns: first the worst mistake of each term, the worst of these first, then the second worst of each. A
    recording is chosen once.

    Args:
        outputs: the predictions of the test.
        thresholds: (terms,) probabilities; None for a term that was not learnt.
        most: the largest number of mistakes.
    """
    turns: list[tuple[int, float, Mistake]] = []
    for term, threshold in enumerate(thresholds):
        if threshold is None or not 0 < threshold < 1:
            continue
        distance = outputs.logits[:, term] - np.log(threshold / (1 - threshold))
        labels, called = outputs.targets[:, term], outputs.positive[:, term] == 1
        wrong = np.flatnonzero((called & (labels == 0)) | (~called & (labels == 1)))
        order = wrong[np.argsort(-np.abs(distance[wrong]), kind="stable")]
        turns += [
            (turn, -abs(float(distance[row])), Mistake(int(row), term, bool(labels[row] == 1)))
            for turn, row in enumerate(order[:most].tolist())
        ]
    chosen: dict[int, Mistake] = {}
    for _, _, mistake in sorted(turns, key=lambda entry: (entry[0], entry[1], entry[2].term)):
        chosen.setdefault(mistake.row, mistake)
    return list(chosen.values())[:most]


def draw(
    mistakes: Sequence[Mistake],
    outputs: Predictions,
    thresholds: Sequence[float | None],
    data: PackedDataModule,
    predictor: Predictor,
    ids: bool = False,
) -> list[DrawnMistake]:
    """Draws the ECGs of some mistakes on paper, shaded where they speak for the mistaken term; term by term.

    Args:
        mistakes: from `worst`.
        outputs: the predictions of the test.
        thresholds: (terms,) probabilities.
        data: holds the recordings.
        predictor: the network.
        ids: whether the record ids are shown.
    """
    by_term = sorted(mistakes, key=lambda mistake: mistake.term)
    return [_drawn(mistake, outputs, thresholds, data, predictor, ids) for mistake in by_term]


def _drawn(
    mistake: Mistake,
    outputs: Predictions,
    thresholds: Sequence[float | None],
    data: PackedDataModule,
    predictor: Predictor,
    ids: bool,
) -> DrawnMistake:
    record = record_of(data, int(outputs.records[mistake.row]))
    term = outputs.terms[mistake.term]
    contributions = saliency(predictor, record, term)
    shading = Shading(contributions.values, contributions.sampling_rate)
    flags = flags_text(record.quality, without="missing")
    figure = ecg_figure(record, notes=[flags] if flags else [], shadings=[(term, shading)])
    width, height = (round(25.4 * PIXELS * inches) for inches in figure.get_size_inches())
    image = "data:image/png;base64," + b64encode(encode(figure, "png", PIXELS)).decode("ascii")
    kind = "missed" if mistake.is_missed else "false alarm"
    labels, called = (
        [name for name, value in zip(outputs.terms, values[mistake.row], strict=True) if value == 1]
        for values in (outputs.targets, outputs.positive)
    )
    threshold = thresholds[mistake.term]
    further = [name for name in stated_terms(data, int(outputs.records[mistake.row])) if name not in labels]
    beside = f" (and beside them {', '.join(further)})" if further else ""
    sentence = (
        f"probability {outputs.probabilities[mistake.row, mistake.term]:.3f}, threshold {threshold:.3f}. "
        f"Labels: {', '.join(labels) or 'none of the terms'}{beside}. "
        f"The network calls: {', '.join(called) or 'none of the terms'}."
    )
    alt = (
        f"ECG on paper, {'with' if mistake.is_missed else 'without'} the label {term}. Shaded most for {term}: lead "
        f"{LEADS[shading.strongest_lead()]}."
    )
    record_id = str(outputs.record_ids[mistake.row]) if ids else ""
    return DrawnMistake(kind, term, term_name(term), sentence, image, alt, width, height, record_id)
