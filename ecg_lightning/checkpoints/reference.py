"""A network's outputs for recordings that never change: by them, a published network is known to compute the same anywhere."""

import numpy as np
import torch
from numpy.typing import NDArray

from ecg_lightning.checkpoints.card import Card
from ecg_lightning.models.network import Network
from ecg_lightning.records import LEADS
from ecg_lightning.transforms import Preprocess

RECORDINGS = 2
AMPLITUDE = 500
"""Microvolts: the recordings are even noise between minus and plus this much."""
TOLERANCE = 1e-3
"""Relative to the largest logit: processors and versions of PyTorch differ by some 1e-5 of it."""


def outputs(network: Network, card: Card) -> NDArray[np.float64]:
    """Computes a network's logits for the fixed recordings, prepared as its card says.

    Returns:
        (recordings, terms).
    """
    window = round(card.input.seconds * card.input.sampling_rate)
    noise = np.random.default_rng(0).integers(-AMPLITUDE, AMPLITUDE, (RECORDINGS, window, len(LEADS)), np.int16)
    preprocess = Preprocess.from_dict(card.input.preprocess)
    with torch.inference_mode():
        lengths = torch.full((RECORDINGS,), window)
        x = preprocess(torch.from_numpy(noise), lengths, card.input.sampling_rate)
        beside = () if card.metadata is None else (torch.zeros(RECORDINGS, len(card.metadata.columns)),)
        logits = network(x, *beside)
    return np.asarray(logits.double().numpy())


def difference(stored: NDArray[np.float64], computed: NDArray[np.float64]) -> float:
    """Returns the largest difference between two arrays of logits, relative to the largest logit."""
    return float(np.abs(stored - computed).max() / max(1.0, np.abs(stored).max()))
