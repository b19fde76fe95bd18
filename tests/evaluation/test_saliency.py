"""Saliency: the completeness axiom and the deletion test for every network, an exact case, windows, leads and terms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fake
import small
from ecg_lightning import models
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.evaluation.saliency import integrated_gradients, saliency
from ecg_lightning.models.metadata import MetadataNetwork
from ecg_lightning.records import Record

TINY: dict[str, dict[str, Any]] = {
    "ResNet1d": {"widths": (4, 8, 8, 8)},
    "DenseNet1d": {"growth_rate": 4},
    "S4": {"width": 8, "layers": 2},
    "ECGCPC": {"width": 8, "layers": 2},
    "Transformer1d": {"width": 16, "layers": 2, "heads": 2},
    "Net1D": {"widths": (16, 16), "blocks": (1, 1), "stem_width": 16},
    "XResNet1d": {"depth": 18, "widths": (8, 8, 8, 8), "stem_widths": (4, 4, 8)},
    "Inception1d": {"depth": 3, "width": 4, "bottleneck": 4},
    "LSTM1d": {"width": 8},
}


def signals(batch: int = 1, samples: int = 200) -> Tensor:
    waves = [fake.ecg(samples, 100, seed=seed) for seed in range(batch)]
    x = torch.from_numpy(np.array(waves, np.float32))
    return (x - x.mean(2, keepdim=True)) / x.std(2, keepdim=True)


def test_every_network_is_here() -> None:
    assert {*TINY} == {*models.__all__}


@pytest.mark.parametrize("name", models.__all__)
def test_contributions_sum_to_the_difference_and_deleting_them_counts_more_than_deleting_at_random(name: str) -> None:
    torch.manual_seed(1)
    network = getattr(models, name)(leads=12, outputs=3, **TINY[name]).eval()
    x = signals()
    contributions, difference = integrated_gradients(network, x, target=1)
    assert contributions.shape == x.shape
    with torch.no_grad():
        expected = network(x)[:, 1] - network(torch.zeros_like(x))[:, 1]
    np.testing.assert_allclose(difference, expected.numpy(), atol=1e-5)
    error = np.abs(contributions.sum((1, 2)) - difference) / np.abs(contributions).sum((1, 2))
    assert error.max() < 0.02  # of what is added up

    # without the tenth that speaks most for the output it falls more than without any random tenth
    flat = torch.from_numpy(contributions).flatten(1)
    count = flat.shape[1] // 10
    random = torch.Generator().manual_seed(0)
    scores = [flat, *(torch.rand(flat.shape, generator=random) for _ in range(8))]
    with torch.no_grad():
        falls = []
        for score in scores:
            deleted = x.flatten(1).scatter(1, score.topk(count, dim=1).indices, 0.0).view_as(x)
            falls.append((network(x) - network(deleted))[:, 1])
    assert (falls[0] > torch.stack(falls[1:]).amax(0)).all()


class Weighted(nn.Module):
    """An output that is linear in the input, and one that is its square."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, x: Tensor) -> Tensor:
        value = (self.weights * x).sum((1, 2))
        return torch.stack([value, value.square()], dim=1)


def test_of_a_linear_output_they_are_weight_times_distance_from_the_mean() -> None:
    weights = torch.randn(2, 50, generator=torch.Generator().manual_seed(2))
    x = 3 + torch.randn(2, 2, 50, generator=torch.Generator().manual_seed(3))
    x[1, :, 30:] = 0  # padding
    lengths = np.array([50, 30])
    contributions, difference = integrated_gradients(Weighted(weights), x, 0, lengths, steps=2)
    for k, length in enumerate(lengths):
        distance = x[k, :, :length] - x[k, :, :length].mean(1, keepdim=True)
        expected = (weights[:, :length] * distance).numpy()
        np.testing.assert_allclose(contributions[k, :, :length], expected, atol=1e-5)
        assert difference[k] == pytest.approx(expected.sum(), abs=1e-4)
    assert not contributions[1, :, 30:].any()
    # and of a square, whose gradient changes along the path, the integral of a polynomial is exact
    contributions, difference = integrated_gradients(Weighted(weights), x, 1, lengths, steps=4)
    np.testing.assert_allclose(contributions.sum((1, 2)), difference, rtol=1e-4)


def test_patient_data_stay_where_they_are() -> None:
    torch.manual_seed(0)
    network = MetadataNetwork(models.ResNet1d(leads=12, outputs=2, **TINY["ResNet1d"]), [50.0, 0.5], [10.0, 0.5]).eval()
    beside = torch.tensor([[70.0, 1.0], [torch.nan, 0.0]])
    contributions, difference = integrated_gradients(network, signals(2), 0, beside=(beside,), batch_size=3)
    size = np.abs(contributions).sum((1, 2))
    assert (np.abs(contributions.sum((1, 2)) - difference) < 0.02 * size).all()


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    path = small.untrained(tmp_path_factory.mktemp("network"), ["V2", "II", "I"], terms=["PVC", "AFIB", "STACH"])
    return Predictor(path, device="cpu")


def test_a_published_network_with_its_preprocessing(predictor: Predictor) -> None:
    assert predictor.terms == ["AFIB", "STACH"]  # PVC has no threshold: it was not learnt
    record = Record(fake.ecg(2000, 500, seed=1).astype(np.float32), 500.0)  # 4 s; windows of 3 s at 100 Hz
    result = saliency(predictor, record, "STACH", steps=64)
    assert result.values.shape == (12, 400) and result.sampling_rate == 100
    unseen = np.delete(result.values, [0, 1, 7], axis=0)
    assert not unseen.any() and result.values[[0, 1, 7]].any(axis=1).all()
    flat = Record(np.zeros_like(record.signal), 500.0)
    logits = predictor.logits([record, flat])[:, 1]
    assert result.difference == pytest.approx(logits[0] - logits[1], abs=1e-4)
    assert abs(result.values.sum() - result.difference) < 0.02 * np.abs(result.values).sum()
    # the mean of two windows, which overlap from second 1 to 3
    windows = [
        Record(fake.ecg(2000, 500, seed=1)[:, first : first + 1500].astype(np.float32), 500.0) for first in (0, 500)
    ]
    parts = [saliency(predictor, window, "STACH", steps=64).values for window in windows]
    np.testing.assert_allclose(result.values[:, 20:80], parts[0][:, 20:80] / 2, atol=0.02 * np.abs(parts[0]).max())


def test_a_short_recording_and_a_missing_lead(predictor: Predictor) -> None:
    short = Record(fake.ecg(200, 100, seed=1).astype(np.float32), 100.0)
    short.signal[7] = 0
    result = saliency(predictor, short, "AFIB")
    assert result.values.shape == (12, 200) and not result.values[7].any() and result.values[0].any()


def test_another_term_is_refused(predictor: Predictor) -> None:
    record = Record(fake.ecg(300, 100, seed=1).astype(np.float32), 100.0)
    for term in ("PVC", "afib"):
        with pytest.raises(UserError, match=f"There is no term of this network '{term}'"):
            saliency(predictor, record, term)


def test_a_recording_is_left_as_it_is(predictor: Predictor, tmp_path: Path) -> None:
    record = Record(fake.ecg(300, 100, seed=1).astype(np.float32), 100.0)
    before, logits = record.signal.copy(), predictor.logits([record])
    saliency(predictor, record, "AFIB")
    assert np.array_equal(before, record.signal) and np.array_equal(logits, predictor.logits([record]))
