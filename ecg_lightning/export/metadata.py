"""What an exported file says of itself, as texts that any program can read."""

import json

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.records import LEADS

FORMAT = 1
"""Version of these texts."""


def metadata_of(predictor: Predictor, millivolts: bool = False) -> dict[str, str]:
    """Returns the texts, by their names; all but `format` are JSON.

    `terms` are the outputs in order. `thresholds` are the probabilities from which each is positive, on the scale of the
    outputs, which are calibrated. `contract` says what goes in. `card` is the whole card of the checkpoint.

    Args:
        predictor: the network.
        millivolts: whether the file takes millivolts.
    """
    contract = {
        "sampling_rate": predictor.sampling_rate,
        "unit": "mV" if millivolts else "uV",
        "type": "float32" if millivolts else "int16",
        "layout": "batch, samples, leads",
        "leads": list(LEADS),
        "window_seconds": predictor.window / predictor.sampling_rate,
        "preprocess": predictor.preprocess.to_dict(),
        "metadata": predictor.metadata,
    }
    values = {
        "terms": predictor.terms,
        "thresholds": calibrated_thresholds(predictor).tolist(),
        "contract": contract,
        "notes": predictor.notes,
        "card": predictor.card.to_dict(),
    }
    return {"format": f"ecg_lightning {FORMAT}"} | {
        name: json.dumps(value, ensure_ascii=False, allow_nan=False) for name, value in values.items()
    }


def calibrated_thresholds(predictor: Predictor) -> NDArray[np.float64]:
    """Returns (terms,) the thresholds on the scale of calibrated probabilities; the positive terms stay the same."""
    return predictor.from_logits(np.asarray(logit(predictor.thresholds), np.float64), calibrated=True)
