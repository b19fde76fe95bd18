"""Units, masks, leads, normalisation."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS
from ecg_lightning.transforms import normalise, select_leads, to_millivolts, valid_mask


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(4, 12, 500).cumsum(2) * 0.05 + torch.randn(4, 12, 1)


def test_to_millivolts_is_one_microvolt_a_step() -> None:
    signals = torch.tensor([[[1, -2], [1000, 32767], [0, -32768]]], dtype=torch.int16)
    x = to_millivolts(signals)
    assert x.dtype == torch.float32
    assert torch.equal(x, torch.tensor([[[0.001, 1.0, 0.0], [-0.002, 32.767, -32.768]]]))


def test_valid_mask() -> None:
    mask = valid_mask(torch.tensor([3, 0, 2]), 3)
    assert mask.tolist() == [[[True] * 3], [[False] * 3], [[True, True, False]]]


def test_select_leads(x: Tensor) -> None:
    assert select_leads(x, LEADS) is x
    leads = select_leads(x, ("V1", "I"))
    assert torch.equal(leads, torch.stack([x[:, 6], x[:, 0]], dim=1))
    with pytest.raises(UserError, match=r"no lead VX, v1\. Choose from: I, II, III, aVR"):
        select_leads(x, ("I", "VX", "v1"))
    with pytest.raises(UserError, match="no lead to see"):
        select_leads(x, ())


LENGTHS = [500, 400, 137, 2]


@pytest.mark.parametrize("masked", [False, True])
def test_zscore_equals_numpy_over_valid_samples(x: Tensor, masked: bool) -> None:
    lengths = LENGTHS if masked else [500] * 4
    y = normalise(x, "zscore", valid_mask(torch.tensor(lengths), 500) if masked else None)
    for recording, result, n in zip(x.double().numpy(), y.numpy(), lengths, strict=True):
        valid = recording[:, :n]
        expected = (valid - valid.mean(1, keepdims=True)) / valid.std(1, keepdims=True)
        np.testing.assert_allclose(result[:, :n], expected, atol=2e-5)
        assert not result[:, n:].any()


def test_zscore_all_keeps_the_leads_proportions(x: Tensor) -> None:
    y = normalise(x, "zscore_all", valid_mask(torch.tensor(LENGTHS), 500))
    for recording, result, n in zip(x.double().numpy(), y.numpy(), LENGTHS, strict=True):
        centred = recording[:, :n] - recording[:, :n].mean(1, keepdims=True)
        np.testing.assert_allclose(result[:, :n], centred / centred.std(), atol=2e-5)
        assert not result[:, n:].any()


def test_padding_has_no_say(x: Tensor) -> None:
    mask = valid_mask(torch.tensor(LENGTHS), 500)
    padded = torch.where(mask, x, 1e6)
    for method in ("zscore", "zscore_all", "none"):
        assert torch.equal(normalise(padded, method, mask), normalise(x, method, mask))  # type: ignore[arg-type]


def test_none_keeps_millivolts(x: Tensor) -> None:
    assert normalise(x, "none") is x


@pytest.mark.parametrize("method", ["zscore", "zscore_all"])
def test_flat_leads_and_empty_recordings_become_zero(x: Tensor, method: str) -> None:
    x[0, 3] = 5.123  # a lead that stands still, off the zero line
    x[1] = -0.7
    lengths = torch.tensor([500, 500, 0, 1])
    y = normalise(x, method, valid_mask(lengths, 500))  # type: ignore[arg-type]
    assert y.isfinite().all()
    assert y[0, 3].abs().max() < 1e-4
    assert not y[1].abs().max() > 1e-4
    assert not y[2:].any()


def test_unknown_method(x: Tensor) -> None:
    with pytest.raises(UserError, match=r"no normalisation 'minmax'\. Choose from: zscore, zscore_all, none"):
        normalise(x, "minmax")  # type: ignore[arg-type]
