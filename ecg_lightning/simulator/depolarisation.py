"""The QRS complex, as conduction, hypertrophy and scars shape it; times count from its beginning."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.rng import Draws
from ecg_lightning.simulator.torso import rotate
from ecg_lightning.simulator.waves import Waves, vary, vector

Floats = NDArray[np.floating]
_RIGHT = slice(4, 6)  # the waves of the right ventricle in a conducted beat


def qrs_waves(conditions: Conditions, patient_draws: Draws) -> Waves:
    """QRS of the conducted beats: septum, apex, free wall, base, the late right ventricle, and notches."""
    scale = np.exp(0.19 * patient_draws.normal("qrs size")) * np.where(conditions.female, 0.92, 1.05)
    scale = scale * np.where(conditions.present["LVOLT"], 0.42, 1)
    waves = _left_block(conditions, patient_draws).where(
        conditions.is_conduction("CLBBB"), _conducted(conditions, patient_draws)
    )
    apex_pacing = vector(0.20, -0.85, 0.65) + vector(0.30, 0.25, 0.30) * patient_draws.normal("pacing site", (3,))
    paced = wide_qrs(patient_draws, "paced", patient_draws.n, conditions.qrs, apex_pacing)
    spike = paced.vector[:, 1] * np.exp(0.8 * patient_draws.normal("spike"))[:, None]
    paced.centre[:, 5], paced.left[:, 5], paced.right[:, 5], paced.vector[:, 5] = -0.005, 0.001, 0.001, 1.5 * spike
    waves = paced.where(conditions.is_rhythm("PACE"), waves)
    pre_excited = conditions.is_conduction("WPW")
    delta = vector(0.35, -0.2, -0.4) * np.where(pre_excited, 0.8, 0)[:, None]
    waves.vector[:, 0] = np.where(pre_excited[:, None], delta, waves.vector[:, 0])
    broadened = conditions.is_conduction("WPW", "IVCD")[:, None]
    waves.left, waves.right = (np.where(broadened, 1.05 * width, width) for width in (waves.left, waves.right))
    vary(waves, patient_draws, "qrs", 0.20, 0.035)
    waves.vector = _axis(waves.vector, conditions, patient_draws)
    waves = notched(waves, patient_draws, "qrs", conditions.qrs)
    waves.vector = waves.vector * scale[:, None, None]
    return waves


def _conducted(conditions: Conditions, patient_draws: Draws) -> Waves:
    """The QRS of a left ventricle that is activated in time; the right one may be late."""
    duration, complete_block = conditions.qrs, conditions.is_conduction("CRBBB")
    right_delay = conditions.is_conduction("IRBBB", "CRBBB")
    lateness = right_lateness(conditions)
    lv_duration = 0.93 * (duration - 0.75 * lateness)  # the last steps are too slow to be seen
    # the last quarter of a normal QRS may show the crista supraventricularis: a small r' in V1 within normal limits
    crista = np.clip(0.08 * patient_draws.normal("crista"), 0, None)
    strength = np.where(right_delay, 0.38 * np.exp(0.33 * patient_draws.normal("right delay")), crista)
    strength = np.where(complete_block, 3.0 * strength, strength)[:, None]
    width = np.where(right_delay, 0.33 * lateness + 0.004, 0.085 * duration)
    late_centre = duration - 1.8 * width
    lv_enlargement = np.where(conditions.present["LVH"], patient_draws.uniform("lvh", 1.2, 1.9), 1)[:, None]
    rv_enlargement = np.where(conditions.present["RVH"], patient_draws.uniform("rvh", 0.5, 1.3), 0)
    waves = Waves.stack(
        patient_draws.n,
        [
            (0.20 * lv_duration, 0.080 * lv_duration, 0.080 * lv_duration, vector(-0.14, -0.05, -0.20)),
            (0.41 * lv_duration, 0.088 * lv_duration, 0.088 * lv_duration, vector(0.76, 0.50, -0.34)),
            (
                0.54 * lv_duration,
                0.088 * lv_duration,
                0.088 * lv_duration,
                vector(1.05, 0.36, 0.92) * lv_enlargement ** vector(1, 1, 0.6),
            ),
            (
                0.74 * lv_duration,
                0.085 * lv_duration,
                0.085 * lv_duration,
                vector(-0.18, -0.12, 0.48) * lv_enlargement**0.5,
            ),
            (late_centre, width, width, vector(-0.30, -0.05, -0.52) * strength),
            (
                late_centre - 1.2 * width,
                width,
                width,
                vector(-0.24, -0.03, -0.54) * np.where(right_delay[:, None], strength, 0),
            ),
        ],
    )
    # the late right ventricle pulls against the backward forces that write the S wave of V1
    posterior_factor = np.select(
        [complete_block & conditions.present["LAFB"], complete_block, conditions.is_conduction("IRBBB")],
        [0.75, 0.25, 0.5],
        1,
    )
    waves.vector[:, 2:4, 2] *= posterior_factor[:, None]
    waves.vector[:, 2] += vector(-0.9, 0.1, -0.8) * rv_enlargement[:, None]
    _scar(waves, conditions, patient_draws)
    return waves


def left_ventricular(waves: Waves, conditions: Conditions) -> Waves:
    """Returns the QRS without the waves of a right ventricle that is late: what a reader takes the frontal axis of."""
    late = conditions.is_conduction("IRBBB", "CRBBB")[:, None, None]
    vectors = waves.vector.copy()
    vectors[:, _RIGHT] = np.where(late, 0, vectors[:, _RIGHT])
    return Waves(waves.centre, waves.left, waves.right, vectors)


def right_lateness(conditions: Conditions) -> Floats:
    """How much later than the left ventricle the right one ends, s (records,): 0 without right bundle delay."""
    return np.where(conditions.is_conduction("IRBBB", "CRBBB"), np.clip(conditions.qrs - 0.080, 0.008, None), 0)


def _left_block(conditions: Conditions, patient_draws: Draws) -> Waves:
    """Left bundle branch block: from right to left and to the back, slowly, with a notch in the lateral leads."""
    duration = conditions.qrs
    notch = patient_draws.uniform("notch", 0.5, 2.0)[:, None]
    return Waves.stack(
        patient_draws.n,
        [
            (
                0.16 * duration,
                0.075 * duration,
                0.075 * duration,
                vector(0.05, 0.05, -0.10) * patient_draws.uniform("septal r", 0, 1.2)[:, None],
            ),
            (0.34 * duration, 0.110 * duration, 0.110 * duration, vector(0.68, 0.40, 1.05)),
            (0.52 * duration, 0.120 * duration, 0.120 * duration, vector(0.66, 0.20, 1.60)),
            (0.70 * duration, 0.105 * duration, 0.105 * duration, vector(0.70, 0.05, 1.10)),
            (0.82 * duration, 0.080 * duration, 0.080 * duration, vector(0.05, -0.15, 0.40)),
            (0.52 * duration, 0.040 * duration, 0.040 * duration, vector(-0.22, -0.10, -0.05) * notch),
        ],
    )


def _axis(vectors: Floats, conditions: Conditions, patient_draws: Draws) -> Floats:
    """Turns the QRS: leftwards with age, by hemiblock, and freely about the other two axes."""
    frontal = np.radians(-0.5 * (conditions.age - 50) + 9 * patient_draws.normal("axis"))
    frontal = np.where(conditions.is_conduction("CLBBB", "WPW", "IVCD"), frontal * 0.7, frontal)
    left_hemiblock, right_axis = conditions.present["LAFB"], conditions.present["LPFB"] | conditions.present["RVH"]
    right_axis_angle = np.radians(patient_draws.uniform("hemiblock axis", 57, 84))
    frontal = np.where(
        left_hemiblock,
        -np.radians(patient_draws.uniform("left axis", 58, 98)),
        np.where(right_axis & ~left_hemiblock, right_axis_angle, frontal),
    )
    frontal = np.where(conditions.is_rhythm("PACE"), 0.3 * frontal, frontal)
    angles = np.stack(
        [frontal, 0.20 * patient_draws.normal("heart turn"), 0.14 * patient_draws.normal("heart tilt")], 1
    )
    # the forces of a hemiblock are turned, not enlarged: what pointed left now points up, where the leads see more
    flattening = np.where(left_hemiblock[:, None, None], np.array([1, 0.6, 1], np.float32), 1)
    rotated = rotate(vectors * flattening, angles)
    height = np.where(conditions.is_conduction("CRBBB"), 0.65, 0.52)[:, None]
    rotated[..., 1] = np.where(left_hemiblock[:, None], height * rotated[..., 1], rotated[..., 1])
    # the left anterior fascicle activates the inferior wall first: the septal vector stays low
    rotated[:, 0] = np.where(left_hemiblock[:, None], vector(-0.10, 0.22, -0.16), rotated[:, 0])
    # and the lateral base last, upwards and to the back: S waves as far as V6
    rotated[:, 3] += np.where(left_hemiblock[:, None], vector(-0.25, -0.35, 0.25), 0)
    # late right ventricular activity does not follow the axis of the left ventricle
    late = conditions.is_conduction("IRBBB", "CRBBB")[:, None, None]
    rotated[:, _RIGHT] = np.where(late, vectors[:, _RIGHT], rotated[:, _RIGHT])
    return rotated.astype(np.float32)


def _scar(waves: Waves, conditions: Conditions, patient_draws: Draws) -> None:
    """Old infarction: the initial forces point away from the dead wall, and the R wave over it is lost."""
    loss = patient_draws.uniform("scar", 0.4, 1.1)[:, None]
    for name, initial_forces, remaining_r in (
        ("IMI", (-0.05, -0.60, 0.0), (1, 0.3, 1)),
        ("AMI", (0.05, 0.0, 0.65), (0.9, 1, -0.6)),
        ("LMI", (-0.50, 0.05, 0.10), (0.5, 1, 1)),
    ):
        has_scar = conditions.present[name][:, None]
        waves.vector[:, 0] += np.where(has_scar, loss * np.array(initial_forces, np.float32), 0)
        r_factor = 1 + loss * (np.array(remaining_r, np.float32) - 1)
        waves.vector[:, 1] *= np.where(has_scar, r_factor, 1)


def wide_qrs(draws: Draws, name: str, n: int, duration: ArrayLike, direction: Floats) -> Waves:
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
    """A QRS with notches and slurs of some milliseconds: what a real one has above 40 Hz, different from patient to patient."""
    shape = (2,)
    centre = (0.2 + 0.6 * draws.uniform(f"{name} notches", shape=shape)) * duration[:, None]
    width = draws.uniform(f"{name} notch width", 0.0025, 0.0045, shape)
    return waves.joined(Waves(centre, width, width, 0.12 * draws.normal(f"{name} notch size", (*shape, 3))))
