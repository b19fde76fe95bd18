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


def t_waves(made: Conditions, qrs: Waves, whose: Draws, own: Draws) -> Waves:
    """ST segment, T (two waves of different directions, so that it may be biphasic or notched) and U."""
    jt = made.qt - made.qrs
    fall = np.clip(0.032 + 0.006 * whose.normal("t fall"), 0.018, 0.05) * np.clip(jt / 0.30, 0.6, 1.3)
    rise = fall * whose.uniform("t skew", 1.1, 1.8)
    peak = made.qt - 2.1 * fall
    size = np.exp(0.28 * whose.normal("t size")) * np.where(made.female, 0.85, 1.1) * (1.15 - 0.004 * (made.age - 40))
    size = np.where(made.present["LOWT"], own.uniform("low t", 0.02, 0.35), size)
    main = vector(0.37, 0.145, -0.21) * size[:, None] * (1 + 0.15 * whose.normal("t", (3,))) + 0.02 * own.normal(
        "t", (3,)
    )
    turn = np.stack([np.radians(-0.2 * (made.age - 50)), *(0.18 * whose.normal("t turn", (2,))).T], 1)
    main = rotate(main[:, None], turn)[:, 0]
    # repolarisation that follows abnormal depolarisation runs against it
    area = ((qrs.left + qrs.right)[..., None] * qrs.vector).sum(1)
    secondary = made.is_conduction("CLBBB", "CRBBB", "WPW") | made.is_rhythm("PACE")
    strain = np.where(made.present["LVH"] & whose.chance("strain", 0.6), whose.uniform("strain size", 0.4, 1.2), 0)
    against = np.where(secondary, 5.5, 6 * strain)[:, None] * area
    main = np.where(secondary, np.where(made.is_conduction("CRBBB"), 0.85, 0.5), 1)[:, None] * main - against
    st = (
        0.10 * main * own.uniform("st", 0, 2.0)[:, None]
        + 0.012 * own.normal("st level", (3,))
        + vector(-0.01, 0, -0.025)
        - 0.08 * against
    )
    st, main = _ischaemia(st.astype(np.float32), main.astype(np.float32), made, whose, own)
    second = (
        main * whose.uniform("second t", 0.1, 0.45)[:, None]
        + 0.05 * whose.normal("second t", (3,)) * np.minimum(size, 1)[:, None]
    )
    u = np.abs(0.03 * whose.normal("u"))[:, None] * vector(0.3, 0.2, -0.6)
    return Waves.stack(
        own.n,
        [
            # at J the segment is near its height, and from there it runs into the T wave
            (made.qrs + 0.18 * jt, 0.13 * jt, 0.30 * jt, st),
            (peak, rise, fall, main * 0.75),
            (peak - 1.1 * rise, rise, rise, second),
            (made.qt + 0.06, 0.03, 0.04, u),
        ],
    )


def territory(own: Draws, name: str) -> NDArray[np.intp]:
    """Which of TERRITORIES an acute change (STE_, STD_, INVT) of a recording concerns, (records,)."""
    shares = {"STE_": [0.4, 0.35, 0.25], "STD_": [0.2, 0.15, 0.65], "INVT": [0.2, 0.25, 0.55]}
    return own.choice(f"territory of {name}", shares[name])


def _ischaemia(st: Floats, t: Floats, made: Conditions, whose: Draws, own: Draws) -> tuple[Floats, Floats]:
    """Injury lifts, ischaemia lowers the ST segment of a territory or turns its T wave; infarcts leave inverted T."""

    def wall(name: str) -> Floats:
        return _WALLS[territory(own, name)] + 0.15 * own.normal(f"wall of {name}", (3,))

    lifted = wall("STE_") * np.where(made.present["STE_"], own.uniform("elevation", 0.10, 0.45), 0)[:, None]
    lowered = wall("STD_") * np.where(made.present["STD_"], own.uniform("st depression", 0.05, 0.24), 0)[:, None]
    st = st + lifted - lowered
    t = t + 0.8 * lifted - lowered * own.uniform("with t", -0.3, 1.6)[:, None]
    turned = [("INVT", wall("INVT"), own.uniform("inverted t", 0.05, 0.45))]
    turned += [
        (name, _WALLS[k], whose.uniform(f"t after {name}", -0.25, 0.15)) for k, name in enumerate(("IMI", "AMI", "LMI"))
    ]
    for name, direction, depth in turned:
        unit = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
        along = (t * unit).sum(1)
        away = np.where(made.present[name] & (along > -depth), along + depth, 0)
        t = t - unit * away[:, None]
    return st.astype(np.float32), t.astype(np.float32)
