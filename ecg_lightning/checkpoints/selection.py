"""A checkpoint that predicts some of its terms alone, so that it can be measured on data that have no others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ecg_lightning.checkpoints.adapt import HEAD
from ecg_lightning.checkpoints.card import Scaling
from ecg_lightning.checkpoints.checkpoint import Checkpoint


def with_terms(checkpoint: Checkpoint, terms: Sequence[str], label_space: Any) -> Checkpoint:
    """Returns a checkpoint with the outputs of some terms, in the order given; its thresholds and calibration go with them.

    Args:
        checkpoint: predicts these terms, and others.
        terms: each one of its terms.
        label_space: that the terms are those of, for the card.
    """
    card, outputs = checkpoint.card, len(checkpoint.terms)
    rows = [checkpoint.terms.index(term) for term in terms]
    of_terms = {name: tensor for name, tensor in checkpoint.state.items() if name.startswith(HEAD)}
    head = {name: tensor[rows] for name, tensor in of_terms.items() if tensor.shape[:1] == (outputs,)}
    scaling = Scaling(*([values[row] for row in rows] if values else [] for values in vars(card.calibration).values()))
    of_rows = replace(
        card,
        terms=list(terms),
        label_space=label_space,
        thresholds=[card.thresholds[row] for row in rows] if card.thresholds else [],
        calibration=scaling,
        metrics={},
        test=None,
        reference=None,
    )
    return replace(checkpoint, state=checkpoint.state | head, card=of_rows)
