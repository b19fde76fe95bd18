"""Draws: the same for a record in any batch, independent between names, and of the right distribution."""

import numpy as np
import pytest
from scipy import stats

from ecg_lightning.simulator.rng import Draws


def test_a_record_draws_the_same_in_any_batch() -> None:
    single, together = Draws(3, [41]), Draws(3, range(100))
    np.testing.assert_array_equal(single.normal("noise", (7,))[0], together.normal("noise", (7,))[41])
    np.testing.assert_array_equal(single.uniform("age")[0], together.uniform("age")[41])


def test_a_longer_draw_begins_like_a_shorter_one() -> None:
    draws = Draws(0, range(5))
    np.testing.assert_array_equal(draws.normal("noise", (101,))[:, :50], draws.normal("noise", (50,)))


@pytest.mark.parametrize("key", [("a", 1, 0), ("b", 0, 0), ("a", 0, 1)], ids=["seed", "name", "key"])
def test_seed_name_and_key_each_change_the_draw(key: tuple[str, int, int]) -> None:
    name, seed, shift = key
    first = Draws(0, np.arange(20_000)).normal("a")
    second = Draws(seed, np.arange(20_000) + shift).normal(name)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


def test_distributions() -> None:
    draws = Draws(0, range(4000))
    assert stats.kstest(draws.uniform("u", 2, 5, (5,)).ravel(), stats.uniform(2, 3).cdf).pvalue > 1e-3
    assert stats.kstest(draws.normal("n", (5,)).ravel(), "norm").pvalue > 1e-3
    assert draws.chance("c", 0.2).mean() == pytest.approx(0.2, abs=0.02)
    counts = np.bincount(draws.choice("k", [1, 2, 5]), minlength=3)
    assert stats.chisquare(counts, np.array([1, 2, 5]) * 500).pvalue > 1e-3
