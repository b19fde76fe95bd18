"""Beats that do not come down the conduction system: ventricular extrasystoles, and early atrial beats with aberration."""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.depolarisation import notched, wide_qrs
from ecg_lightning.simulator.rng import Draws
from ecg_lightning.simulator.waves import Waves, vector

Floats = NDArray[np.floating]


def ectopic_waves(conditions: Conditions, record_draws: Draws, name: str) -> tuple[Waves, Waves]:
    """QRS and T of a ventricular extrasystole from a random focus: wide, and with T against the QRS."""
    duration = np.clip(0.145 + 0.014 * record_draws.normal(f"{name} duration"), 0.120, 0.19)
    direction = record_draws.normal(f"{name} focus", (3,)) + vector(0, 0.35, 0.1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    direction *= (
        1.25
        * np.exp(0.25 * record_draws.normal(f"{name} size"))[:, None]
        * np.where(conditions.present["LVOLT"], 0.7, 1)[:, None]
    )
    direction = direction.astype(np.float32)
    qrs = notched(wide_qrs(record_draws, name, record_draws.n, duration, direction), record_draws, name, duration)
    t_peak = duration + np.clip(conditions.qt - conditions.qrs, 0.16, 0.40) - 0.08
    t = -direction * record_draws.uniform(f"{name} t", 0.2, 0.5)[:, None] + 0.05 * record_draws.normal(
        f"{name} t vector", (3,)
    )
    st = 0.3 * t
    st_centre = duration + 0.4 * (t_peak - duration)
    no_wave = (t_peak, 0.05, 0.05, np.zeros(3, np.float32))
    return qrs, Waves.stack(record_draws.n, [(st_centre, 0.05, 0.06, st), (t_peak, 0.065, 0.042, t), no_wave, no_wave])


def aberrant_waves(conditions: Conditions, qrs: Waves) -> Waves:
    """The conducted QRS with a late right ventricle: an early atrial beat that meets a refractory right bundle."""
    aberrant = Waves(qrs.centre.copy(), qrs.left.copy(), qrs.right.copy(), qrs.vector.copy())
    for k, delay in ((4, 0.035), (5, 0.012)):
        aberrant.centre[:, k] = conditions.qrs + delay
        aberrant.left[:, k] = aberrant.right[:, k] = 0.016
        aberrant.vector[:, k] = np.array([-0.45, 0.0, -0.55], np.float32)
    return aberrant
