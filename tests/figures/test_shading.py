"""How strongly moments are shaded."""

import numpy as np
import pytest

from ecg_lightning.figures.shading import LEVELS, Shading, levels_at


def test_contributions_are_smoothed_without_a_shift_and_negative_ones_left_out() -> None:
    values = np.zeros((12, 200))
    values[2, 100], values[5, 100], values[7, ::2], values[7, 1::2] = 2, -4, 3, -3
    smoothed = Shading(values, 100.0).smoothed()
    assert smoothed[2].argmax() == 100 and smoothed[2, 100] == 1 == smoothed.max()
    assert smoothed[2, 99] == pytest.approx(smoothed[2, 101]) and smoothed[2, 105] == 0
    assert smoothed[5].max() == 0 and smoothed[7, 10:-10].max() < 0.1  # signs that alternate cancel
    assert Shading(values, 100.0).strongest_lead() == 2
    assert Shading(np.zeros((12, 5)), 100.0).smoothed().max() == 0


@pytest.mark.parametrize("rate", [100, 500])
def test_levels_go_by_time(rate: int) -> None:
    values = np.zeros((12, 2 * rate))
    values[0, rate : rate + rate // 10] = 1
    shading = Shading(values, rate, start=3.0)
    times = np.array([0.0, 3.5, 4.05, 4.5, 9])
    assert levels_at(shading.smoothed()[0], shading, times).tolist() == [0, 0, len(LEVELS), 0, 0]
