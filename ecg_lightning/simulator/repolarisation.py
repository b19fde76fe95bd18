"""ST segment, T and U wave, as depolarisation and ischaemia shape them; times count from the beginning of the QRS."""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.rng import Draws
from ecg_lightning.simulator.torso import rotate
from ecg_lightning.simulator.waves import Waves, vector

Floats = NDArray[np.floating]
TERRITORIES = ("inferior", "anterior", "lateral")
_WALLS = np.array([[0.10, 0.99, 0.05], [0.20, 0.05, -0.98], [0.94, 0.05, 0.34]], np.float32)
"""Unit vectors to the wall of each territory; the lateral one spares V2 to V4."""


def t_waves(conditions: Conditions, qrs: Waves, patient_draws: Draws, record_draws: Draws) -> Waves:
    """ST segment, T (two waves of different directions, so that it may be biphasic or notched) and U."""
    jt = conditions.qt - conditions.qrs
    fall = np.clip(0.032 + 0.006 * patient_draws.normal("t fall"), 0.018, 0.05) * np.clip(jt / 0.30, 0.6, 1.3)
    rise = fall * patient_draws.uniform("t skew", 1.1, 1.8)
    peak = conditions.qt - 2.1 * fall
    size = (
        np.exp(0.28 * patient_draws.normal("t size"))
        * np.where(conditions.female, 0.85, 1.1)
        * (1.15 - 0.004 * (conditions.age - 40))
    )
    size = np.where(conditions.present["LOWT"], record_draws.uniform("low t", 0.02, 0.35), size)
    t_vector = vector(0.37, 0.145, -0.21) * size[:, None] * (
        1 + 0.15 * patient_draws.normal("t", (3,))
    ) + 0.02 * record_draws.normal("t", (3,))
    t_rotation = np.stack(
        [np.radians(-0.2 * (conditions.age - 50)), *(0.18 * patient_draws.normal("t turn", (2,))).T], 1
    )
    t_vector = rotate(t_vector[:, None], t_rotation)[:, 0]
    # repolarisation that follows abnormal depolarisation runs against it
    qrs_area = ((qrs.left + qrs.right)[..., None] * qrs.vector).sum(1)
    secondary = conditions.is_conduction("CLBBB", "CRBBB", "WPW") | conditions.is_rhythm("PACE")
    strain = np.where(
        conditions.present["LVH"] & patient_draws.chance("strain", 0.6),
        patient_draws.uniform("strain size", 0.4, 1.2),
        0,
    )
    opposing = np.where(secondary, 5.5, 6 * strain)[:, None] * qrs_area
    t_vector = (
        np.where(secondary, np.where(conditions.is_conduction("CRBBB"), 0.85, 0.5), 1)[:, None] * t_vector - opposing
    )
    st = (
        0.10 * t_vector * record_draws.uniform("st", 0, 2.0)[:, None]
        + 0.012 * record_draws.normal("st level", (3,))
        + vector(-0.01, 0, -0.025)
        - 0.08 * opposing
    )
    st, t_vector = _ischaemia(
        st.astype(np.float32), t_vector.astype(np.float32), conditions, patient_draws, record_draws
    )
    second_t = (
        t_vector * patient_draws.uniform("second t", 0.1, 0.45)[:, None]
        + 0.05 * patient_draws.normal("second t", (3,)) * np.minimum(size, 1)[:, None]
    )
    u = np.abs(0.03 * patient_draws.normal("u"))[:, None] * vector(0.3, 0.2, -0.6)
    return Waves.stack(
        record_draws.n,
        [
            # at J the segment is near its height, and from there it runs into the T wave
            (conditions.qrs + 0.18 * jt, 0.13 * jt, 0.30 * jt, st),
            (peak, rise, fall, t_vector * 0.75),
            (peak - 1.1 * rise, rise, rise, second_t),
            (conditions.qt + 0.06, 0.03, 0.04, u),
        ],
    )


def territory(record_draws: Draws, name: str) -> NDArray[np.intp]:
    """Which of TERRITORIES an acute change (STE_, STD_, INVT) of a recording concerns, (records,)."""
    shares = {"STE_": [0.4, 0.35, 0.25], "STD_": [0.2, 0.15, 0.65], "INVT": [0.2, 0.25, 0.55]}
    return record_draws.choice(f"territory of {name}", shares[name])


def _ischaemia(
    st: Floats, t: Floats, conditions: Conditions, patient_draws: Draws, record_draws: Draws
) -> tuple[Floats, Floats]:
    """Injury lifts, ischaemia lowers the ST segment of a territory or turns its T wave; infarcts leave inverted T."""

    def wall(name: str) -> Floats:
        return _WALLS[territory(record_draws, name)] + 0.15 * record_draws.normal(f"wall of {name}", (3,))

    st_elevation = (
        wall("STE_") * np.where(conditions.present["STE_"], record_draws.uniform("elevation", 0.10, 0.45), 0)[:, None]
    )
    st_depression = (
        wall("STD_")
        * np.where(conditions.present["STD_"], record_draws.uniform("st depression", 0.05, 0.24), 0)[:, None]
    )
    st = st + st_elevation - st_depression
    t = t + 0.8 * st_elevation - st_depression * record_draws.uniform("with t", -0.3, 1.6)[:, None]
    t_inversions = [("INVT", wall("INVT"), record_draws.uniform("inverted t", 0.05, 0.45))]
    t_inversions += [
        (name, _WALLS[k], patient_draws.uniform(f"t after {name}", -0.25, 0.15))
        for k, name in enumerate(("IMI", "AMI", "LMI"))
    ]
    for name, direction, depth in t_inversions:
        unit = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
        along = (t * unit).sum(1)
        excess = np.where(conditions.present[name] & (along > -depth), along + depth, 0)
        t = t - unit * excess[:, None]
    return st.astype(np.float32), t.astype(np.float32)
