import numpy as np
import pytest

from ecg_lightning.records import RecordError
from ecg_lightning.records.times import RATES, check_plausible_rate, rate_of_times

COUNT = np.arange(2000)


@pytest.mark.parametrize(
    ("rate", "decimals"), [(500, 3), (360, 3), (1024, 3), (1000, 3), (257, 3), (128, 4), (250, 3), (512, 6), (100, 2)]
)
def test_rounded_times_say_the_rate_in_any_unit(rate: float, decimals: int) -> None:
    times = np.round(COUNT / rate, decimals)
    assert rate_of_times(times) == rate
    assert rate_of_times(times + 1.7e9) == rate
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        assert rate_of_times(np.round(factor * times, 9), unit) == rate
        assert rate_of_times(np.round(factor * times, 9)) == rate


def test_a_rate_that_is_no_whole_number_stays() -> None:
    assert rate_of_times(np.round(COUNT * 0.001667, 6)) == pytest.approx(1 / 0.001667, rel=1e-9)  # of a Mortara device


def test_jitter_is_even_and_a_gap_is_not() -> None:
    steps = 0.002 + np.random.default_rng(0).uniform(-1e-4, 1e-4, len(COUNT))
    assert rate_of_times(np.cumsum(steps)) == pytest.approx(500, rel=1e-3)
    times = COUNT / 500
    for uneven in (np.delete(times, 700), np.delete(times, range(3, 90)), times[::-1], 0 * times, times // 1):
        with pytest.raises(RecordError, match="uneven times"):
            rate_of_times(uneven)


@pytest.mark.parametrize("rate", [0.001, 0, -500, 1e9, float("nan"), float("inf"), RATES[0] * 0.99, RATES[1] * 1.01])
def test_rates_of_no_ecg(rate: float) -> None:
    with pytest.raises(RecordError, match="bad sampling rate"):
        check_plausible_rate(rate)
