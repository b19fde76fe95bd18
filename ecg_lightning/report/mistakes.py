"""The recordings on which a network was most confidently wrong: which they are, and their ECGs with its saliency."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecg_lightning.evaluation.predictions import Predictions


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
