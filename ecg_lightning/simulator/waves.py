"""The waves of a heartbeat: Gaussian movements of the cardiac dipole, as conduction and disease shape them.

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
            np.stack([np.broadcast_to(np.asarray(w[i], np.float32), n) for w in waves], 1) for i in range(3)
        )
        vector = np.stack([np.broadcast_to(np.asarray(w[3], np.float32), (n, 3)) for w in waves], 1)
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

    def on_leads(self, leads: Floats, local: Floats) -> Self:
        """Projected on lead vectors (records, leads, 3); `local` adds what no dipole explains, as a share of a wave."""
        projected = self.vector @ leads.transpose(0, 2, 1)
        size = np.linalg.norm(self.vector, axis=2, keepdims=True)
        return type(self)(self.centre, self.left, self.right, projected + size * local)

    def at(self, times: Floats) -> Floats:
        """The sum of the waves at times (samples,), (records, samples, 3 or leads)."""
        offset = times[None, :, None] - self.centre[:, None]
        width = np.where(offset < 0, self.left[:, None], self.right[:, None])
        return np.exp(-0.5 * (offset / width) ** 2) @ self.vector


def _v(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Floats:
    return np.stack(np.broadcast_arrays(*(np.asarray(a, np.float32) for a in (x, y, z))), -1)


def _vary(waves: Waves, draws: Draws, name: str, share: float, floor: float) -> None:
    """Vary every vector by a share of its components, and by a floor in any direction."""
    shape = waves.vector.shape[1:]
    waves.vector = waves.vector * (1 + share * draws.normal(f"{name} share", shape)) + floor * draws.normal(name, shape)


def p_waves(made: Conditions, whose: Draws, own: Draws) -> tuple[Waves, Waves]:
    """P waves of the sinus node and of an ectopic focus: right, then left atrium (PR counts from their beginning)."""
    n = own.n
    duration = np.clip(0.100 + 0.012 * whose.normal("p duration") + 0.05 * (made.pr - 0.16), 0.07, 0.15)
    size = 0.105 * np.exp(0.32 * whose.normal("p size"))
    left = np.exp(0.4 * whose.normal("left atrium"))
    waves = Waves.stack(
        n,
        [
            (0.36 * duration, 0.17 * duration, 0.17 * duration, _v(0.90, 0.75, -0.70) * size[:, None]),
            (0.66 * duration, 0.17 * duration, 0.17 * duration, _v(1.25, 0.60, 0.55) * (size * left)[:, None]),
        ],
    )
    _vary(waves, whose, "p", 0.25, 0.008)
    ectopic = Waves(waves.centre, waves.left, waves.right, waves.vector.copy())
    ectopic.vector = rotate(ectopic.vector, own.normal("ectopic p", (3,)))
    return waves, ectopic


def qrs_waves(made: Conditions, whose: Draws) -> Waves:
    """QRS of the conducted beats: septum, apex, free wall, base, then the late right (or left) ventricle."""
    n, d = whose.n, made.qrs
    scale = np.exp(0.22 * whose.normal("qrs size")) * np.where(made.female, 0.92, 1.05)
    scale = scale * np.where(made.present["LVOLT"], 0.42, 1)
    right_delay = made.is_conduction("IRBBB", "CRBBB")
    late = np.where(right_delay, np.clip(d - 0.080, 0.008, None), 0)  # what the right ventricle adds
    lv = d - 0.75 * late
    # the last quarter of a normal QRS may show the crista supraventricularis: a small r' in V1 within normal limits
    crista = np.clip(0.22 * whose.normal("crista"), 0, None)
    strength = np.where(right_delay, 0.32 * np.exp(0.5 * whose.normal("right delay")), crista)
    strength = np.where(made.is_conduction("CRBBB"), 2.4 * strength, strength)
    width = np.where(right_delay, 0.33 * late + 0.004, 0.085 * d)
    end = d - 1.8 * width
    hypertrophy = np.where(made.present["LVH"], whose.uniform("lvh", 1.25, 2.1), 1)
    right = np.where(made.present["RVH"], whose.uniform("rvh", 0.5, 1.3), 0)
    normal = Waves.stack(
        n,
        [
            (0.20 * lv, 0.080 * lv, 0.080 * lv, _v(-0.14, -0.05, -0.20)),
            (0.41 * lv, 0.088 * lv, 0.088 * lv, _v(0.84, 0.58, -0.36)),
            (0.54 * lv, 0.088 * lv, 0.088 * lv, _v(1.15, 0.46, 0.76) * hypertrophy[:, None]),
            (0.74 * lv, 0.085 * lv, 0.085 * lv, _v(-0.18, -0.12, 0.40) * hypertrophy[:, None] ** 0.5),
            (end, width, width, _v(-0.62, -0.05, -0.40) * strength[:, None]),
            (end - 1.2 * width, width, width, _v(-0.50, -0.03, -0.45) * np.where(right_delay, strength, 0)[:, None]),
        ],
    )
    # the septum and the late right ventricle pull against the backward forces that write the S wave of V1
    opposed = np.select([made.is_conduction("CRBBB"), made.is_conduction("IRBBB")], [0.45, 0.75], 1)
    normal.vector[:, 2:4, 2] *= opposed[:, None]
    normal.vector[:, 2] += _v(-0.9, 0.1, -0.8) * right[:, None]
    _scar(normal, made, whose, lv)
    left_block = Waves.stack(
        n,
        [
            (0.16 * d, 0.075 * d, 0.075 * d, _v(0.05, 0.05, -0.10) * whose.uniform("septal r", 0, 1.2)[:, None]),
            (0.34 * d, 0.110 * d, 0.110 * d, _v(0.55, 0.30, 0.55)),
            (0.52 * d, 0.120 * d, 0.120 * d, _v(0.60, 0.20, 0.75)),
            (0.70 * d, 0.110 * d, 0.110 * d, _v(0.60, 0.05, 0.50)),
            (0.82 * d, 0.080 * d, 0.080 * d, _v(0.05, -0.15, 0.35)),
            (0.43 * d, 0.050 * d, 0.050 * d, _v(-0.15, -0.10, -0.05) * whose.uniform("notch", 0, 1.5)[:, None]),
        ],
    )
    waves = left_block.where(made.is_conduction("CLBBB"), normal)
    paced = _wide(whose, "paced", n, d, _v(0.35, -0.85, 0.45))
    spike = paced.vector[:, 1] * np.exp(0.8 * whose.normal("spike"))[:, None]
    paced.centre[:, 5], paced.left[:, 5], paced.right[:, 5], paced.vector[:, 5] = -0.005, 0.001, 0.001, 1.5 * spike
    waves = paced.where(made.is_rhythm("PACE"), waves)
    pre_excited = made.is_conduction("WPW")
    delta = _v(0.35, -0.2, -0.4) * np.where(pre_excited, 0.8, 0)[:, None]
    waves.vector[:, 0] = np.where(pre_excited[:, None], delta, waves.vector[:, 0])
    widened = made.is_conduction("WPW", "IVCD")[:, None]
    waves.left, waves.right = (np.where(widened, 1.05 * w, w) for w in (waves.left, waves.right))
    _vary(waves, whose, "qrs", 0.20, 0.035)
    waves.vector = _axis(waves.vector, made, whose) * scale[:, None, None]
    return waves


def _axis(vectors: Floats, made: Conditions, whose: Draws) -> Floats:
    """Turn the QRS: leftwards with age, by hemiblock, and freely about the other two axes."""
    frontal = np.radians(-0.55 * (made.age - 35) + 13 * whose.normal("axis"))
    frontal = np.where(made.is_conduction("CLBBB", "WPW", "IVCD"), frontal * 0.7, frontal)
    left, right = made.present["LAFB"], made.present["LPFB"] | made.present["RVH"]
    target = np.radians(whose.uniform("hemiblock axis", 95, 140))
    frontal = np.where(left, -target, np.where(right & ~left, 0.6 * target, frontal))
    frontal = np.where(made.is_rhythm("PACE"), 0.3 * frontal, frontal)
    angles = np.stack([frontal, 0.18 * whose.normal("heart turn"), 0.14 * whose.normal("heart tilt")], 1)
    turned = rotate(vectors, angles)
    # the left anterior fascicle activates the inferior wall first: the septal vector stays low
    turned[:, 0] = np.where(left[:, None], _v(-0.10, 0.22, -0.16), turned[:, 0])
    # late right ventricular activity does not follow the axis of the left ventricle
    turned[:, 4:] = np.where(made.is_conduction("IRBBB", "CRBBB")[:, None, None], vectors[:, 4:], turned[:, 4:])
    return turned.astype(np.float32)


def _scar(waves: Waves, made: Conditions, whose: Draws, lv: Floats) -> None:
    """Old infarction: the initial forces point away from the dead wall, and the R wave over it is lost."""
    loss = whose.uniform("scar", 0.3, 1.1)[:, None]
    for name, away, kept in (
        ("IMI", (-0.05, -0.55, 0.0), (1, 0.4, 1)),
        ("AMI", (0.05, 0.0, 0.65), (0.9, 1, -0.6)),
        ("LMI", (-0.50, 0.05, 0.10), (0.5, 1, 1)),
    ):
        here = made.present[name][:, None]
        waves.vector[:, 0] += np.where(here, loss * np.array(away, np.float32), 0)
        keep = 1 + loss * (np.array(kept, np.float32) - 1)
        waves.vector[:, 1] *= np.where(here, keep, 1)


def _wide(draws: Draws, name: str, n: int, duration: Floats, direction: Floats) -> Waves:
    """A QRS that spreads through the myocardium: three broad waves about one direction."""
    drift = 0.35 * draws.normal(f"{name} drift", (3,)) * np.linalg.norm(direction, axis=-1, keepdims=True)
    d = duration
    return Waves.stack(
        n,
        [
            (0.15 * d, 0.07 * d, 0.07 * d, 0.20 * direction - 0.3 * drift),
            (0.33 * d, 0.11 * d, 0.11 * d, 0.75 * direction - 0.5 * drift),
            (0.54 * d, 0.13 * d, 0.13 * d, 0.80 * direction),
            (0.75 * d, 0.11 * d, 0.11 * d, 0.40 * direction + drift),
            (0.85 * d, 0.07 * d, 0.07 * d, -0.10 * direction + 0.3 * drift),
            (0.45 * d, 0.05 * d, 0.05 * d, -0.15 * direction * draws.uniform(f"{name} notch")[:, None]),
        ],
    )


def t_waves(made: Conditions, qrs: Waves, whose: Draws, own: Draws) -> Waves:
    """ST segment, T (two waves, so that it may be biphasic or notched) and U."""
    n, jt = own.n, made.qt - made.qrs
    fall = np.clip(0.032 + 0.006 * whose.normal("t fall"), 0.018, 0.05) * np.clip(jt / 0.30, 0.6, 1.3)
    rise = fall * whose.uniform("t skew", 1.1, 1.8)
    peak = made.qt - 2.1 * fall
    size = np.exp(0.33 * whose.normal("t size")) * np.where(made.female, 0.85, 1.1) * (1.15 - 0.004 * (made.age - 40))
    size = np.where(made.present["LOWT"], own.uniform("low t", 0.02, 0.35), size)
    size = np.where(made.present["INVT"], own.uniform("inverted t", -0.9, -0.15), size)
    main = _v(0.41, 0.14, -0.20) * size[:, None] * (1 + 0.15 * whose.normal("t", (3,))) + 0.03 * own.normal("t", (3,))
    main = rotate(
        main[:, None], np.stack([np.radians(-0.2 * (made.age - 50)), *(0.18 * whose.normal("t turn", (2,))).T], 1)
    )[:, 0]
    # repolarisation that follows abnormal depolarisation runs against it
    area = ((qrs.left + qrs.right)[..., None] * qrs.vector).sum(1)
    secondary = made.is_conduction("CLBBB", "CRBBB", "WPW") | made.is_rhythm("PACE")
    strain = np.where(made.present["LVH"] & whose.chance("strain", 0.4), whose.uniform("strain size", 0.5, 1.2), 0)
    against = np.where(secondary, 4.5, 1.5 * strain)[:, None] * area
    main = np.where(secondary[:, None], 0.35, 1) * main - against
    st = (
        0.10 * main * own.uniform("st", 0, 2.2)[:, None]
        + 0.012 * own.normal("st level", (3,))
        + _v(0, 0, -0.025)
        - 0.12 * against
    )
    st, main = _ischaemia(st.astype(np.float32), main.astype(np.float32), made, whose, own)
    second = main * whose.uniform("second t", 0.1, 0.45)[:, None] + 0.02 * whose.normal("second t", (3,))
    u = np.abs(0.03 * whose.normal("u"))[:, None] * _v(0.3, 0.2, -0.6)
    waves = Waves.stack(
        n,
        [
            (made.qrs + 0.35 * jt, 0.22 * jt, 0.25 * jt, st),
            (peak, rise, fall, main * 0.75),
            (peak - 1.1 * rise, rise, rise, second),
            (made.qt + 0.06, 0.03, 0.04, u),
        ],
    )
    return waves


def _ischaemia(st: Floats, t: Floats, made: Conditions, whose: Draws, own: Draws) -> tuple[Floats, Floats]:
    """Injury lifts, ischaemia lowers the ST segment of a territory and turns its T wave; infarcts leave inverted T."""
    territory = np.array([[0.1, 0.9, 0.1], [0.2, 0.05, -0.9], [0.9, -0.1, 0.1]], np.float32)
    where = territory[own.choice("territory", [0.4, 0.35, 0.25])] + 0.15 * own.normal("territory", (3,))
    lifted = np.where(made.present["STE_"], own.uniform("elevation", 0.10, 0.35), 0)[:, None]
    lateral = _v(0.75, 0.35, -0.30) + 0.2 * own.normal("depression", (3,))
    lowered = np.where(made.present["STD_"], own.uniform("st depression", 0.06, 0.22), 0)[:, None]
    st = st + where * lifted - lateral * lowered
    t = t + 0.8 * where * lifted - lateral * lowered * own.uniform("with t", -0.3, 1.6)[:, None]
    for k, name in enumerate(("IMI", "AMI", "LMI")):
        turned = np.where(made.present[name], whose.uniform(f"t after {name}", -0.05, 0.45), 0)[:, None]
        t = t - territory[k] * turned
    return st.astype(np.float32), t.astype(np.float32)


def ectopic_waves(made: Conditions, own: Draws, name: str) -> tuple[Waves, Waves]:
    """QRS and T of a ventricular extrasystole from a random focus: wide, and with T against the QRS."""
    duration = np.clip(0.145 + 0.014 * own.normal(f"{name} duration"), 0.120, 0.19)
    direction = own.normal(f"{name} focus", (3,)) + _v(0, 0.35, 0.1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    direction *= (
        1.25 * np.exp(0.25 * own.normal(f"{name} size"))[:, None] * np.where(made.present["LVOLT"], 0.7, 1)[:, None]
    )
    qrs = _wide(own, name, own.n, duration, direction.astype(np.float32))
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
