"""Saliency: how much each sample of a recording speaks for a term, by integrated gradients."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecg_lightning.errors import unknown
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.records import LEADS, Record
from ecg_lightning.transforms.signal import lead_rows, valid_mask

STEPS = 32
"""Points of the integral; see the test of the completeness axiom for what it misses."""


@dataclass(frozen=True, eq=False)
class Saliency:
    """What speaks for a term in a recording, and what speaks against it.

    Attributes:
        values: (12, samples) contribution of each sample to the logit; 0 in leads that the network does not see.
        sampling_rate: Hz, the network's.
        difference: the term's logit, minus that of the recording with flat leads; the values' sum but for an error of the
            integral (the completeness axiom).
    """

    values: NDArray[np.float64]
    sampling_rate: float
    difference: float


def saliency(predictor: Predictor, record: Record, term: str, steps: int = STEPS) -> Saliency:
    """Computes the contribution of each sample to a term's logit, by integrated gradients (Sundararajan et al. 2017).

    The path goes from flat leads, each at its own mean, to the recording, in the network's input: millivolts behind
    filters and normalisation. Because the normalisation's mean and deviation stay those of the recording, the
    result is that in millivolts: both are the same straight line. A recording of several windows has the mean of their logits,
    so that each window contributes its part.

    Args:
        predictor: the network.
        record: the recording.
        term: one that it predicts.
        steps: points of the integral.

    Raises:
        UserError: for a term that the network does not predict.
        RecordError: where the recording lacks leads, see `Predictor.missing_leads`.
    """
    if term not in predictor.terms:
        raise unknown("term of this network", term, predictor.terms)
    target = int(np.flatnonzero(predictor.learnt)[predictor.terms.index(term)])
    windows = predictor.windows(record)
    contributions, differences = integrated_gradients(
        predictor.network, windows.signals, target, windows.lengths, windows.beside, steps, predictor.batch_size
    )
    values = np.zeros((len(LEADS), int((windows.starts + windows.lengths).max())))
    rows = lead_rows(predictor.preprocess.leads)
    for part, start, length in zip(contributions, windows.starts, windows.lengths, strict=True):
        values[rows, start : start + length] += part[:, :length] / len(contributions)
    return Saliency(values, predictor.sampling_rate, float(differences.mean()))


def integrated_gradients(
    network: nn.Module,
    signals: Tensor,
    target: int,
    lengths: NDArray[np.int64] | None = None,
    beside: tuple[Tensor, ...] = (),
    steps: int = STEPS,
    batch_size: int = 64,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Computes the contribution of each sample of a network's input to one of its outputs.

    Args:
        network: in evaluation mode; from (batch, leads, samples) to (batch, outputs).
        signals: (batch, leads, samples) its input.
        target: which output.
        lengths: (batch,) samples without padding; all by default.
        beside: further inputs, which do not move along the path.
        steps: points of the integral.
        batch_size: inputs that the network sees at once.

    Returns:
        (batch, leads, samples) contributions; and (batch,) the output minus that of the flat leads, which is what the
        contributions of an input should sum to.
    """
    from captum.attr import IntegratedGradients  # takes a second, which commands without saliency do not need

    x = signals.detach().clone()
    ends = torch.full((len(x),), x.shape[2]) if lengths is None else torch.from_numpy(lengths)
    mask = valid_mask(ends.to(x.device), x.shape[2])
    flat = (x * mask).sum(2, keepdim=True) / mask.sum(2, keepdim=True) * mask
    # cuDNN's recurrent layers have no gradient in evaluation mode
    with torch.backends.cudnn.flags(enabled=False):
        contributions = IntegratedGradients(network).attribute(
            x.requires_grad_(), flat, target, beside or None, steps, internal_batch_size=batch_size
        )
        with torch.no_grad():
            difference = network(x, *beside)[:, target] - network(flat, *beside)[:, target]
    return contributions.detach().double().cpu().numpy(), difference.double().cpu().numpy()
