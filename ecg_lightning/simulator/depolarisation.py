"""The QRS complex, as conduction, hypertrophy and scars shape it; times count from its beginning."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.rng import Draws
from ecg_lightning.simulator.torso import rotate
from ecg_lightning.simulator.waves import Waves, vary, vector

Floats = NDArray[np.floating]


def qrs_waves(made: Conditions, whose: Draws) -> Waves:
    """QRS of the conducted beats: septum, apex, free wall, base, the late right ventricle, and notches."""
    scale = np.exp(0.19 * whose.normal("qrs size")) * np.where(made.female, 0.92, 1.05)
    scale = scale * np.where(made.present["LVOLT"], 0.42, 1)
    waves = _left_block(made, whose).where(made.is_conduction("CLBBB"), _conducted(made, whose))
    paced = wide(whose, "paced", whose.n, made.qrs, vector(0.35, -0.85, 0.45))
    spike = paced.vector[:, 1] * np.exp(0.8 * whose.normal("spike"))[:, None]
    paced.centre[:, 5], paced.left[:, 5], paced.right[:, 5], paced.vector[:, 5] = -0.005, 0.001, 0.001, 1.5 * spike
    waves = paced.where(made.is_rhythm("PACE"), waves)
    pre_excited = made.is_conduction("WPW")
    delta = vector(0.35, -0.2, -0.4) * np.where(pre_excited, 0.8, 0)[:, None]
    waves.vector[:, 0] = np.where(pre_excited[:, None], delta, waves.vector[:, 0])
    widened = made.is_conduction("WPW", "IVCD")[:, None]
    waves.left, waves.right = (np.where(widened, 1.05 * w, w) for w in (waves.left, waves.right))
    vary(waves, whose, "qrs", 0.20, 0.035)
    waves.vector = _axis(waves.vector, made, whose)
    waves = notched(waves, whose, "qrs", made.qrs)
    waves.vector = waves.vector * scale[:, None, None]
    return waves


def _conducted(made: Conditions, whose: Draws) -> Waves:
    """The QRS of a left ventricle that is activated in time; the right one may be late."""
    d, right_delay, complete = made.qrs, made.is_conduction("IRBBB", "CRBBB"), made.is_conduction("CRBBB")
    late = right_lateness(made)
    lv = 0.93 * (d - 0.75 * late)  # the last steps are too slow to be seen
    # the last quarter of a normal QRS may show the crista supraventricularis: a small r' in V1 within normal limits
    crista = np.clip(0.08 * whose.normal("crista"), 0, None)
    strength = np.where(right_delay, 0.38 * np.exp(0.33 * whose.normal("right delay")), crista)
    strength = np.where(complete, 3.0 * strength, strength)[:, None]
    width = np.where(right_delay, 0.33 * late + 0.004, 0.085 * d)
    end = d - 1.8 * width
    hypertrophy = np.where(made.present["LVH"], whose.uniform("lvh", 1.15, 1.75), 1)[:, None]
    right = np.where(made.present["RVH"], whose.uniform("rvh", 0.5, 1.3), 0)
    waves = Waves.stack(
        whose.n,
        [
            (0.20 * lv, 0.080 * lv, 0.080 * lv, vector(-0.14, -0.05, -0.20)),
            (0.41 * lv, 0.088 * lv, 0.088 * lv, vector(0.76, 0.50, -0.34)),
            (0.54 * lv, 0.088 * lv, 0.088 * lv, vector(1.05, 0.36, 0.92) * hypertrophy),
            (0.74 * lv, 0.085 * lv, 0.085 * lv, vector(-0.18, -0.12, 0.48) * hypertrophy**0.5),
            (end, width, width, vector(-0.30, -0.05, -0.52) * strength),
            (
                end - 1.2 * width,
                width,
                width,
                vector(-0.24, -0.03, -0.54) * np.where(right_delay[:, None], strength, 0),
            ),
        ],
    )
    # the late right ventricle pulls against the backward forces that write the S wave of V1
    opposed = np.select([complete, made.is_conduction("IRBBB")], [0.25, 0.65], 1)
    waves.vector[:, 2:4, 2] *= opposed[:, None]
    waves.vector[:, 2] += vector(-0.9, 0.1, -0.8) * right[:, None]
    _scar(waves, made, whose)
    return waves


def right_lateness(made: Conditions) -> Floats:
    """How much later than the left ventricle the right one ends, s (records,): 0 without right bundle delay."""
    return np.where(made.is_conduction("IRBBB", "CRBBB"), np.clip(made.qrs - 0.080, 0.008, None), 0)


def _left_block(made: Conditions, whose: Draws) -> Waves:
    """Left bundle branch block: from right to left and to the back, slowly, with a notch in the lateral leads."""
    d = made.qrs
    notch = whose.uniform("notch", 0.5, 2.0)[:, None]
    return Waves.stack(
        whose.n,
        [
            (0.16 * d, 0.075 * d, 0.075 * d, vector(0.05, 0.05, -0.10) * whose.uniform("septal r", 0, 1.2)[:, None]),
            (0.34 * d, 0.110 * d, 0.110 * d, vector(0.68, 0.40, 1.05)),
            (0.52 * d, 0.120 * d, 0.120 * d, vector(0.66, 0.20, 1.60)),
            (0.70 * d, 0.105 * d, 0.105 * d, vector(0.70, 0.05, 1.10)),
            (0.82 * d, 0.080 * d, 0.080 * d, vector(0.05, -0.15, 0.40)),
            (0.52 * d, 0.040 * d, 0.040 * d, vector(-0.22, -0.10, -0.05) * notch),
        ],
    )


def _axis(vectors: Floats, made: Conditions, whose: Draws) -> Floats:
    """Turn the QRS: leftwards with age, by hemiblock, and freely about the other two axes."""
    frontal = np.radians(-0.5 * (made.age - 50) + 9 * whose.normal("axis"))
    frontal = np.where(made.is_conduction("CLBBB", "WPW", "IVCD"), frontal * 0.7, frontal)
    left, right = made.present["LAFB"], made.present["LPFB"] | made.present["RVH"]
    rightwards = np.radians(whose.uniform("hemiblock axis", 57, 84))
    frontal = np.where(
        left, -np.radians(whose.uniform("left axis", 58, 98)), np.where(right & ~left, rightwards, frontal)
    )
    frontal = np.where(made.is_rhythm("PACE"), 0.3 * frontal, frontal)
    angles = np.stack([frontal, 0.20 * whose.normal("heart turn"), 0.14 * whose.normal("heart tilt")], 1)
    # the forces of a hemiblock are turned, not enlarged: what pointed left now points up, where the leads see more
    flat = np.where(left[:, None, None], np.array([1, 0.6, 1], np.float32), 1)
    turned = rotate(vectors * flat, angles)
    turned[..., 1] = np.where(left[:, None], 0.52 * turned[..., 1], turned[..., 1])
    # the left anterior fascicle activates the inferior wall first: the septal vector stays low
    turned[:, 0] = np.where(left[:, None], vector(-0.10, 0.22, -0.16), turned[:, 0])
    turned[:, 3, 0] -= np.where(left, 0.35, 0)  # and the lateral base last: S waves as far as V6
    # late right ventricular activity does not follow the axis of the left ventricle
    turned[:, 4:] = np.where(made.is_conduction("IRBBB", "CRBBB")[:, None, None], vectors[:, 4:], turned[:, 4:])
    return turned.astype(np.float32)


def _scar(waves: Waves, made: Conditions, whose: Draws) -> None:
    """Old infarction: the initial forces point away from the dead wall, and the R wave over it is lost."""
    loss = whose.uniform("scar", 0.4, 1.1)[:, None]
    for name, away, kept in (
        ("IMI", (-0.05, -0.60, 0.0), (1, 0.3, 1)),
        ("AMI", (0.05, 0.0, 0.65), (0.9, 1, -0.6)),
        ("LMI", (-0.50, 0.05, 0.10), (0.5, 1, 1)),
    ):
        here = made.present[name][:, None]
        waves.vector[:, 0] += np.where(here, loss * np.array(away, np.float32), 0)
        keep = 1 + loss * (np.array(kept, np.float32) - 1)
        waves.vector[:, 1] *= np.where(here, keep, 1)


def wide(draws: Draws, name: str, n: int, duration: ArrayLike, direction: Floats) -> Waves:
    """A QRS that spreads through the myocardium: broad waves about one direction (3,) or (records, 3), mV."""
    drift = 0.35 * draws.normal(f"{name} drift", (3,)) * np.linalg.norm(direction, axis=-1, keepdims=True)
    d = np.asarray(duration)
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


def notched(waves: Waves, draws: Draws, name: str, duration: Floats) -> Waves:
    """A QRS with notches and slurs of some milliseconds: what a real one has above 40 Hz, of a patient's own."""
    shape = (2,)
    centre = (0.2 + 0.6 * draws.uniform(f"{name} notches", shape=shape)) * duration[:, None]
    width = draws.uniform(f"{name} notch width", 0.0025, 0.0045, shape)
    return waves.joined(Waves(centre, width, width, 0.12 * draws.normal(f"{name} notch size", (*shape, 3))))
