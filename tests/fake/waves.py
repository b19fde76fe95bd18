"""Synthetic 12-lead signals: sums of Gaussian waves, different for every seed, and just enough alike to ECGs."""

import numpy as np
from numpy.typing import NDArray

# P, Q, R, S, T: centre (s after the beat), width (s), and what leads I and II see of it (mV).
_CENTRE = np.array([-0.17, -0.03, 0.0, 0.03, 0.26])
_WIDTH = np.array([0.025, 0.010, 0.012, 0.012, 0.050])
_LIMB = np.array([[0.08, -0.08, 0.7, -0.15, 0.20], [0.14, -0.10, 1.0, -0.20, 0.28]])
_CHEST_R = np.array([0.20, 0.45, 0.80, 1.30, 1.20, 0.90])
_CHEST_S = np.array([-0.90, -1.30, -0.90, -0.50, -0.25, -0.12])


def ecg(
    samples: int, rate: float, seed: int, *, bpm: float = 72, irregular: bool = False, pr: float = 0.17, wide: float = 1
) -> NDArray[np.float64]:
    """A (12, samples) signal in millivolts whose limb leads obey Einthoven and Goldberger.

    Args:
        samples: length.
        rate: Hz; one seed gives the same recording at every rate.
        seed: sets amplitudes, axis, heart-rate variation and noise.
        bpm: heart rate.
        irregular: RR intervals as in atrial fibrillation, and no P wave.
        pr: seconds from P to R.
        wide: width of the QRS complex, 1 is normal.
    """
    random = np.random.default_rng(seed)
    seconds = np.arange(samples) / rate
    count = int(seconds[-1] * bpm / 60) + 3 if samples else 0
    intervals = 60 / bpm * (1 + random.uniform(-1, 1, count) * (0.3 if irregular else 0.03))
    beats = random.uniform(0.1, 0.6) + np.cumsum(intervals) - intervals[:1]
    centre, width = _CENTRE.copy(), _WIDTH.copy()
    centre[0], width[1:4] = -pr, width[1:4] * wide
    centre[1:4] *= wide
    distance = seconds - (beats[:, None, None] + centre[None, :, None])
    waves = np.exp(-0.5 * (distance / width[:, None]) ** 2).sum(axis=0)
    chest = np.stack([0.1 + 0 * _CHEST_R, 0 * _CHEST_R, _CHEST_R, _CHEST_S, 0.35 * np.sqrt(_CHEST_R)], axis=1)
    mixing = np.concatenate([_LIMB, chest]) * random.uniform(0.6, 1.4, (8, 5))
    if irregular:
        mixing[:, 0] = 0
    wander = np.sin(2 * np.pi * (random.uniform(0.1, 0.4, (8, 1)) * seconds + random.uniform(0, 1, (8, 1))))
    independent = mixing @ waves + 0.05 * wander
    first, second = independent[:2]
    return np.concatenate(
        [
            [first, second, second - first, -(first + second) / 2, first - second / 2, second - first / 2],
            independent[2:],
        ]
    )
