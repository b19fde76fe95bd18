"""Filters against SciPy's."""

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor

from ecg_lightning.errors import UserError
from ecg_lightning.transforms import bandpass, valid_mask
from ecg_lightning.transforms.filters import _device_median, notch, remove_baseline


@pytest.fixture(scope="module")
def x() -> Tensor:
    """Random walks that start anywhere: an edge treated otherwise than SciPy's would show."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.randn(4, 3, 1000, generator=generator)
    return steps.cumsum(2) * 0.05 + 3 * torch.randn(4, 3, 1, generator=generator)


@pytest.mark.parametrize(
    ("rate", "low", "high", "order"),
    [
        (100, 0.5, 45, 4),
        (500, 0.5, 45, 4),
        (500, 0.05, 150, 4),
        (500, 3, 20, 1),
        (500, None, 40, 3),
        (250, 0.5, None, 2),
    ],
)
def test_bandpass_equals_sosfiltfilt(x: Tensor, rate: float, low: float | None, high: float | None, order: int) -> None:
    kind = "bandpass" if low and high else "highpass" if low else "lowpass"
    sections = scipy.signal.butter(order, (low, high) if low and high else low or high, kind, output="sos", fs=rate)
    whole = scipy.signal.sosfiltfilt(sections, x.double().numpy())
    np.testing.assert_allclose(bandpass(x, rate, low, high, order).numpy(), whole, atol=1e-5)

    lengths = [1000, 999, 400, 40]
    mask = valid_mask(torch.tensor(lengths), 1000)
    y = bandpass(torch.where(mask, x, torch.nan).nan_to_num(), rate, low, high, order, mask).numpy()
    for recording, result, n in zip(x.double().numpy(), y, lengths, strict=True):
        np.testing.assert_allclose(result[:, :n], scipy.signal.sosfiltfilt(sections, recording[:, :n]), atol=1e-5)
        assert not result[:, n:].any()


def test_bandpass_of_recordings_shorter_than_the_extension_is_finite(x: Tensor) -> None:
    y = bandpass(x, 100, 0.5, 45, mask=valid_mask(torch.tensor([0, 1, 2, 27]), 1000))
    assert y.isfinite().all()


def test_no_band_no_filter(x: Tensor) -> None:
    assert bandpass(x, 100) is x
    assert notch(x, 100, None) is x
    assert remove_baseline(x, 100, None) is x


def test_notch_equals_filtfilt(x: Tensor) -> None:
    numerator, denominator = scipy.signal.iirnotch(50, 30, 500)
    lengths = [1000, 999, 400, 40]
    mask = valid_mask(torch.tensor(lengths), 1000)
    y = notch(x * mask, 500, 50, mask).numpy()
    for recording, result, n in zip(x.double().numpy(), y, lengths, strict=True):
        expected = scipy.signal.filtfilt(numerator, denominator, recording[:, :n])
        np.testing.assert_allclose(result[:, :n], expected, atol=2e-5)
        assert not result[:, n:].any()
    with pytest.raises(UserError, match="A notch at 50 Hz is not between 0 and 50 Hz"):
        notch(x, 100, 50)


@pytest.mark.parametrize(("rate", "window"), [(500, 201), (100, 41), (360, 145)])
def test_baseline_equals_medfilt(x: Tensor, rate: int, window: int) -> None:
    expected = [[lead - scipy.signal.medfilt(lead, window) for lead in recording] for recording in x.numpy()]
    np.testing.assert_allclose(remove_baseline(x, rate, 0.4).numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(x - _device_median(x, window), expected)


@pytest.mark.parametrize(("low", "high"), [(0.5, 50), (45, 0.5), (0, 40), (-1, None), (None, 60)])
def test_impossible_band(x: Tensor, low: float | None, high: float | None) -> None:
    with pytest.raises(UserError, match=f"from {low} to {high} Hz is not between 0 and 50 Hz, half the sampling rate"):
        bandpass(x, 100, low, high)
