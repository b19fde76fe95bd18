"""Beats that do not come down the conduction system: ventricular extrasystoles, and early atrial beats with aberration."""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.depolarisation import notched, wide
from ecg_lightning.simulator.rng import Draws
from ecg_lightning.simulator.waves import Waves, vector

Floats = NDArray[np.floating]


def ectopic_waves(made: Conditions, own: Draws, name: str) -> tuple[Waves, Waves]:
    """QRS and T of a ventricular extrasystole from a random focus: wide, and with T against the QRS."""
    duration = np.clip(0.145 + 0.014 * own.normal(f"{name} duration"), 0.120, 0.19)
    direction = own.normal(f"{name} focus", (3,)) + vector(0, 0.35, 0.1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    direction *= (
        1.25 * np.exp(0.25 * own.normal(f"{name} size"))[:, None] * np.where(made.present["LVOLT"], 0.7, 1)[:, None]
    )
    direction = direction.astype(np.float32)
    qrs = notched(wide(own, name, own.n, duration, direction), own, name, duration)
    peak = duration + np.clip(made.qt - made.qrs, 0.16, 0.40) - 0.08
    t = -direction * own.uniform(f"{name} t", 0.2, 0.5)[:, None] + 0.05 * own.normal(f"{name} t vector", (3,))
    st = 0.3 * t
    middle = duration + 0.4 * (peak - duration)
    none = (peak, 0.05, 0.05, np.zeros(3, np.float32))
    return qrs, Waves.stack(own.n, [(middle, 0.05, 0.06, st), (peak, 0.065, 0.042, t), none, none])


def aberrant_waves(made: Conditions, qrs: Waves) -> Waves:
    """The conducted QRS with a late right ventricle: an early atrial beat that meets a refractory right bundle."""
    late = Waves(qrs.centre.copy(), qrs.left.copy(), qrs.right.copy(), qrs.vector.copy())
    for k, delay in ((4, 0.035), (5, 0.012)):
        late.centre[:, k] = made.qrs + delay
        late.left[:, k] = late.right[:, k] = 0.016
        late.vector[:, k] = np.array([-0.45, 0.0, -0.55], np.float32)
    return late
