"""A checkpoint of some of its terms: their outputs, thresholds and calibration, in the order that is asked for."""

from dataclasses import replace

import numpy as np
import torch

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.card import Scaling
from ecg_lightning.checkpoints.selection import with_terms


def test_outputs_thresholds_and_calibration_are_those_of_the_terms() -> None:
    whole = checkpoints.read("simulated-v1")
    numbers = np.arange(1.0, len(whole.terms) + 1).tolist()
    whole = replace(whole, card=replace(whole.card, calibration=Scaling(numbers, numbers[::-1])))
    terms = ["PVC", "AFIB", "1AVB"]
    part = with_terms(whole, terms, terms)
    rows = [whole.terms.index(term) for term in terms]
    x = torch.from_numpy(np.random.default_rng(0).normal(0, 0.3, (2, 12, 1000)).astype(np.float32))
    with torch.no_grad():
        torch.testing.assert_close(part.network()(x), whole.network()(x)[:, rows])
    assert part.terms == part.card.label_space == terms
    np.testing.assert_array_equal(part.card.decision_thresholds, whole.card.decision_thresholds[rows])
    assert part.card.calibration.slope == [numbers[row] for row in rows]
    assert part.card.calibration.intercept == [numbers[::-1][row] for row in rows]
    assert (part.card.test, part.card.reference, part.sha256) == (None, None, whole.sha256)
    assert whole.terms[:2] == ["NORM", "SR"]  # the other is as it was
