"""Waves: Gaussian movements of the cardiac dipole; those of the atria are here, those of the ventricles in depolarisation.py and repolarisation.py.

After McSharry et al. 2003 (Gaussian waves) and Sameni et al. 2007 (their three-dimensional dipole). A wave is a centre
and two widths in s (T waves rise slower than they fall), and a vector in mV: X to the left, Y to the feet, Z to the
back. Times count from the beginning of the QRS, for P waves from the beginning of the P wave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.rng import Draws
from ecg_lightning.simulator.torso import rotate

Floats = NDArray[np.floating]


@dataclass
class Waves:
    """Waves of one kind for a batch: centre, left and right (records, waves); vector (records, waves, 3 or leads)."""

    centre: Floats
    left: Floats
    right: Floats
    vector: Floats

    @classmethod
    def stack(cls, n: int, waves: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]]) -> Self:
        """Of a list of (centre, left, right, vector), each a number or (records,), vector (3,) or (records, 3)."""
        centre, left, right = (
            np.stack([np.broadcast_to(np.asarray(wave[i], np.float32), n) for wave in waves], 1) for i in range(3)
        )
        vector = np.stack([np.broadcast_to(np.asarray(wave[3], np.float32), (n, 3)) for wave in waves], 1)
        return cls(centre, left, right, vector)

    def where(self, condition: NDArray[np.bool_], other: Self) -> Self:
        """These waves where the condition (records,) holds, the other's elsewhere."""
        c = condition[:, None]
        return type(self)(
            np.where(c, self.centre, other.centre),
            np.where(c, self.left, other.left),
            np.where(c, self.right, other.right),
            np.where(c[..., None], self.vector, other.vector),
        )

    def joined(self, other: Self) -> Self:
        """These waves and the other's."""
        first_arrays, second_arrays = ((waves.centre, waves.left, waves.right, waves.vector) for waves in (self, other))
        return type(self)(
            *(np.concatenate(pair, 1, dtype=np.float32) for pair in zip(first_arrays, second_arrays, strict=True))
        )

    def on_leads(self, leads: Floats, local: Floats) -> Self:
        """Projected on lead vectors (records, leads, 3); `local` adds, as a share of a wave, the part that no dipole explains."""
        projected = self.vector @ leads.transpose(0, 2, 1)
        size = np.linalg.norm(self.vector, axis=2, keepdims=True)
        return type(self)(self.centre, self.left, self.right, projected + size * local)

    def at(self, times: Floats) -> Floats:
        """The sum of the waves at times (samples,) or (records, samples): (records, samples, 3 or leads)."""
        offset = np.atleast_2d(times)[..., None] - self.centre[:, None]
        width = np.where(offset < 0, self.left[:, None], self.right[:, None])
        return np.exp(-0.5 * (offset / width) ** 2) @ self.vector


def vector(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Floats:
    """The three components as the last axis, float32."""
    return np.stack(np.broadcast_arrays(*(np.asarray(a, np.float32) for a in (x, y, z))), -1)


def vary(waves: Waves, draws: Draws, name: str, share: float, floor: float) -> None:
    """Varies every vector by a share of its components, and by a floor (mV) in any direction, in place."""
    shape = waves.vector.shape[1:]
    waves.vector = waves.vector * (1 + share * draws.normal(f"{name} share", shape)) + floor * draws.normal(name, shape)


def p_waves(conditions: Conditions, patient_draws: Draws, record_draws: Draws) -> tuple[Waves, Waves]:
    """P waves of the sinus node and of an ectopic focus: right and left atrium, then their repolarisation.

    PR counts from the beginning of the P wave. Atrial repolarisation runs against the P wave and lasts into the ST
    segment, so that the PR segment lies a little off the line between T and P.
    """
    duration = np.clip(0.100 + 0.012 * patient_draws.normal("p duration") + 0.05 * (conditions.pr - 0.16), 0.07, 0.15)
    size = 0.080 * np.exp(0.32 * patient_draws.normal("p size"))
    left_atrium = np.exp(0.4 * patient_draws.normal("left atrium"))
    atrial_recovery = 0.16 * size * np.exp(0.4 * patient_draws.normal("atrial recovery"))
    waves = Waves.stack(
        record_draws.n,
        [
            (0.36 * duration, 0.17 * duration, 0.17 * duration, vector(0.90, 0.75, -0.80) * size[:, None]),
            (
                0.66 * duration,
                0.17 * duration,
                0.17 * duration,
                vector(1.25, 0.60, 0.35) * (size * left_atrium)[:, None],
            ),
            (duration + 0.06, 0.05, 0.07, vector(-2.15, -1.35, 0.45) * atrial_recovery[:, None]),
        ],
    )
    vary(waves, patient_draws, "p", 0.25, 0.008)
    ectopic = Waves(waves.centre, waves.left, waves.right, waves.vector.copy())
    ectopic.vector = rotate(ectopic.vector, record_draws.normal("ectopic p", (3,)))
    return waves, ectopic
