"""From the cardiac dipole to the leads: a Dower-type matrix, varied from patient to patient and by electrode placement."""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.leads import DOWER, FROM_INDEPENDENT
from ecg_lightning.simulator.hospital import Placement
from ecg_lightning.simulator.rng import Draws

Floats = NDArray[np.floating]
# how much larger chest leads are than Dower's, by the median healthy 12-lead recording (V1-V6)
_CHEST = np.array([0.76, 1.42, 0.98, 0.84, 0.86, 0.91], np.float32)
# how much lower V3 to V6 lie than Dower's torso has them, by the S waves of hearts that are activated upwards: LAFB, paced apex
_BELOW = np.array([0, 0, 0.25, 0.30, 0.25, 0.12], np.float32)
# the atria lie far from the left chest, where a dipole in the ventricles would overstate them
ATRIAL = np.array([1, 1, 0.9, 0.6, 0.4, 0.35, 0.35, 0.4], np.float32)[:, None]
# effect of swapping two cables on (I, II): the rows are the new I and II
_LIMB_SWAPS = np.array(
    [
        [[1, 0], [0, 1]],
        [[-1, 0], [-1, 1]],  # right arm with left arm: I upside down, II becomes III
        [[1, -1], [0, -1]],  # right arm with left leg: all upside down, I and III exchanged
        [[0, 1], [1, 0]],  # left arm with left leg: I and II exchanged
    ],
    np.float32,
)


def rotate(vectors: Floats, angles: Floats) -> Floats:
    """Turns vectors (records, waves, 3) by angles (records, 3), rad: in the frontal, horizontal and sagittal plane."""
    rotated = vectors
    for axis, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
        cos, sin = np.cos(angles[:, axis, None]), np.sin(angles[:, axis, None])
        rotated = rotated.copy()
        rotated[..., a], rotated[..., b] = (
            rotated[..., a] * cos - rotated[..., b] * sin,
            rotated[..., a] * sin + rotated[..., b] * cos,
        )
    return rotated


def lead_vectors(patient_draws: Draws, record_draws: Draws, placement: Placement) -> Floats:
    """The lead vectors (records, 8, 3) of I, II, V1-V6 for each patient's torso and each recording's electrodes."""
    rows = DOWER * np.exp(0.10 * patient_draws.normal("torso", (8, 3))) + 0.03 * patient_draws.normal(
        "torso offset", (8, 3)
    )
    rows[:, 2:] *= _CHEST[:, None]
    rows[:, 2:, 1] += _BELOW
    rows *= np.exp(0.12 * patient_draws.normal("chest"))[:, None, None]
    chest = rows[:, 2:]
    shift = placement.spread * (
        record_draws.normal("row shift")[:, None] + 0.7 * record_draws.normal("electrode shift", (6,))
    )
    neighbour = np.concatenate(
        [1.5 * chest[:, :1] - 0.5 * chest[:, 1:2], chest, 2 * chest[:, -1:] - chest[:, -2:-1]], 1
    )
    step = np.where(shift[..., None] > 0, neighbour[:, 2:] - chest, chest - neighbour[:, :-2])
    chest = chest + shift[..., None] * step
    # an electrode too high looks at the heart from above, as V1 and V2 often do
    chest[..., 1] += placement.spread * (
        record_draws.normal("height")[:, None] + 0.5 * record_draws.normal("electrode height", (6,))
    )
    return np.concatenate([rows[:, :2], chest], 1).astype(np.float32)


def misplace(signal: Floats, record_draws: Draws, placement: Placement) -> Floats:
    """Swaps cables in a share of the recordings; signal (records, samples, 8)."""
    limb = np.where(
        record_draws.chance("limb swap", placement.limb_reversal),
        1 + (record_draws.uniform("which limb") * 3).astype(int),
        0,
    )
    for k in np.flatnonzero(limb):
        signal[k, :, :2] = signal[k, :, :2] @ _LIMB_SWAPS[limb[k]].T
    first = 2 + (record_draws.uniform("which chest") * 5).astype(int)
    for k in np.flatnonzero(record_draws.chance("chest swap", placement.precordial_reversal)):
        signal[k][:, [first[k], first[k] + 1]] = signal[k][:, [first[k] + 1, first[k]]]
    return signal


def twelve_leads(signal: Floats) -> Floats:
    """All leads in standard order (..., 12) of I, II, V1-V6 (..., 8); III and the augmented leads are derived."""
    return signal @ _DERIVATION


_DERIVATION = np.ascontiguousarray(FROM_INDEPENDENT.T)
