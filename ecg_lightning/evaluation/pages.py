"""The page of a recording: the ECG on paper, shaded where it speaks for a term, and the network's probabilities."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.evaluation.saliency import saliency
from ecg_lightning.figures import Bar, Shading, prediction_page
from ecg_lightning.figures.flags import flags_text
from ecg_lightning.labels.vocabulary import TERMS
from ecg_lightning.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHADED = 3
"""Positive terms whose saliency is drawn."""
_STEPS = 16  # points of the integral: enough for the three shades of a picture, at half the time


def page_of(
    predictor: Predictor,
    record: Record,
    logits: NDArray[np.float64],
    *,
    calibrated: bool = False,
    title: str = "",
    notes: Sequence[str] = (),
) -> "Figure":
    """Draws the page of one recording.

    The terms are in the order of their margins: the logit minus that of the threshold. Shaded is what speaks for the positive
    terms, `MOST_SHADED` at most; where none is positive, what speaks for the first.

    Args:
        predictor: the network.
        record: the recording.
        logits: (terms,) of `Predictor.logits`.
        calibrated: show calibrated probabilities and thresholds.
        title: a line above the ECG; nothing else on the page names the recording.
        notes: lines below the ECG and its flags.
    """
    bars = bars_of(predictor, logits, calibrated)
    shadings = shadings_of(predictor, record, bars)
    flags = flags_text(record.quality, without="missing")
    lines = [f"flags: {flags}"] if flags else []
    return prediction_page(record, bars, shadings=shadings, title=title, notes=[*lines, *notes])


def bars_of(predictor: Predictor, logits: NDArray[np.float64], calibrated: bool = False) -> list[Bar]:
    """Returns the terms of one recording in the order of their margins, the positive ones first.

    Args:
        predictor: the network.
        logits: (terms,) of `Predictor.logits`.
        calibrated: give calibrated probabilities and thresholds.
    """
    limits = np.asarray(logit(predictor.thresholds), np.float64)
    positive = predictor.from_logits(logits) >= predictor.thresholds
    order = np.lexsort((-(logits - limits), ~positive))
    probabilities, thresholds = (predictor.from_logits(values, calibrated) for values in (logits, limits))
    names = [predictor.terms[k] for k in order]
    return [
        Bar(
            name,
            TERMS[name].name if name in TERMS else "",
            float(probabilities[k]),
            float(thresholds[k]),
            bool(positive[k]),
        )
        for name, k in zip(names, order, strict=True)
    ]


def shadings_of(
    predictor: Predictor, record: Record, bars: Sequence[Bar], steps: int = _STEPS
) -> list[tuple[str, Shading]]:
    """Computes what speaks for the positive terms, `MOST_SHADED` at most; where none is positive, for the first.

    Args:
        predictor: the network.
        record: the recording.
        bars: its terms, of `bars_of`.
        steps: points of the integral.
    """
    shown = bars[: min(MOST_SHADED, max(1, sum(bar.positive for bar in bars)))]
    shadings = []
    for bar in shown:
        contributions = saliency(predictor, record, bar.term, steps)
        shadings.append((bar.term, Shading(contributions.values, contributions.sampling_rate)))
    return shadings
