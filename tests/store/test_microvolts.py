"""From millivolts to a store's microvolts."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.signal import resample_poly

from ecg_lightning.records import RecordError
from ecg_lightning.store.microvolts import to_microvolts
from ecg_lightning.store.resampling import resampled


def test_resampling_is_scipys_polyphase_and_does_not_ring_at_an_offset() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=(12, 5000)).astype(np.float32)
    microvolts, clipped = to_microvolts(noise, 500, 100)
    np.testing.assert_allclose(microvolts, resample_poly(noise, 1, 5, axis=1, padtype="line").T * 1000, atol=0.51)
    assert microvolts.shape == (1000, 12)
    assert not clipped
    flat, _ = to_microvolts(np.full((12, 1285), 2.5, np.float32), 257, 100)
    assert flat.shape == (500, 12)
    np.testing.assert_allclose(flat, 2500, atol=1)
    fast = np.sin(2 * np.pi * 80 * np.arange(5000) / 500)  # would alias to 20 Hz
    quiet, _ = to_microvolts(np.tile(fast, (12, 1)).astype(np.float32), 500, 100)
    assert np.abs(quiet[50:-50]).max() < 10  # µV of 1000


def test_what_int16_cannot_hold_is_clipped_and_said() -> None:
    microvolts, clipped = to_microvolts(np.full((12, 3), -40, np.float32), 100, 100)
    assert clipped
    assert (microvolts == -32767).all()


@pytest.mark.parametrize("rate", [0.001, 24.9, 100_001.0, 1e12, -100.0, 0.0, float("nan"), float("inf")])
def test_a_rate_that_no_recorder_has_is_refused_before_anything_is_resampled(rate: float) -> None:
    with pytest.raises(RecordError, match="bad sampling rate"):
        to_microvolts(np.zeros((12, 5000), np.float32), rate, 500)


def test_a_recording_of_more_than_two_days_is_refused() -> None:
    endless = np.broadcast_to(np.float32(0), (12, 25 * 3600 * 49))  # 49 hours without the memory of them
    with pytest.raises(RecordError, match=r"too long: 49 hours of signal\. At most 48 hours are packed"):
        to_microvolts(endless, 25, 500)
    assert to_microvolts(np.zeros((12, 25 * 60), np.float32), 25, 500)[0].shape == (500 * 60, 12)


@pytest.mark.parametrize(
    ("rate", "sampling_rate"), [(500, 100), (100, 500), (250, 100), (360, 500), (257, 100), (977, 500)]
)
@pytest.mark.parametrize("samples", [2, 99, 1003])
def test_resampling_equals_scipys_at_any_ratio(rate: int, sampling_rate: int, samples: int) -> None:
    ratio = Fraction(sampling_rate, rate)
    signal = 5 + np.cumsum(np.random.default_rng(0).normal(size=(12, samples)), axis=1).astype(np.float32)
    expected = resample_poly(signal.astype(float), ratio.numerator, ratio.denominator, axis=1, padtype="line")
    np.testing.assert_allclose(resampled(signal, ratio), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
