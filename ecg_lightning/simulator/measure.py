"""The measurements of a reader: amplitudes, axis, Q waves, ST level and T waves of the conducted beat without noise."""

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.depolarisation import left_ventricular
from ecg_lightning.simulator.torso import twelve_leads
from ecg_lightning.simulator.waves import Waves

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
_TIMES = np.arange(-0.02, 0.20, 0.004, dtype=np.float32)
# neighbours in space: aVL, I, -aVR, II, aVF, III in the frontal plane, V1 to V6 around the chest
_FRONTAL, _FRONTAL_SIGN = (4, 0, 3, 1, 5, 2), np.array([1, 1, -1, 1, 1, 1], np.float32)
_CHEST = tuple(range(6, 12))


class Beat:
    """The conducted beat of each record on the 12 leads, measured.

    Args:
        qrs: waves of the QRS on 8 leads.
        recovery: waves of ST, T and U on 8 leads.
        conditions: what was drawn.

    Attributes:
        r, s: (records, 12) tallest and deepest point of the QRS, mV, both positive.
        axis: (records,) frontal axis of the QRS, degrees, without what a late right ventricle adds.
        q_width, q_depth: (records, 12) of the negative deflection before the first R, s and mV.
        qs: (records, 12) whether there is no R at all.
        st_j, st_60: (records, 12) ST level at J and 60 ms later, mV.
        t: (records, 12) T wave at its extreme, mV.
        r_prime: (records,) V1 after the S wave, mV; 0 where no S wave parts it from the R.
        r_time: (records,) when V1 is highest, s from the beginning of the QRS.
    """

    def __init__(self, qrs: Waves, recovery: Waves, conditions: Conditions) -> None:
        leads = twelve_leads(qrs.at(_TIMES))
        self.r, self.s = np.maximum(leads.max(1), 0), np.maximum(-leads.min(1), 0)
        net = twelve_leads(left_ventricular(qrs, conditions).at(_TIMES))[..., [0, 5]].sum(1)
        self.axis: Floats = np.degrees(np.arctan2(2 / np.sqrt(3) * net[:, 1], net[:, 0])).astype(np.float32)
        r_started = np.maximum.accumulate(leads > 0.05, axis=1)
        before_r = ~r_started & (leads < -0.02)
        self.q_width, self.q_depth = 0.004 * before_r.sum(1), np.maximum(-(leads * before_r).min(1), 0)
        self.qs: Bools = np.asarray(~r_started.any(1))
        self.r_prime = _r_prime(leads[..., 6])
        self.r_time: Floats = _TIMES[leads[..., 6].argmax(1)]
        j = conditions.qrs[:, None] + np.array([[0.0, 0.06]], np.float32)
        self.st_j, self.st_60 = np.moveaxis(twelve_leads(recovery.at(j)), 1, 0)
        peak = recovery.centre[:, 1:2] + np.linspace(-1, 1, 5, dtype=np.float32) * recovery.left[:, 1:2]
        wave = twelve_leads(recovery.at(peak))
        self.t = np.take_along_axis(wave, np.abs(wave).argmax(1)[:, None], 1)[:, 0]


def _r_prime(v1: Floats) -> Floats:
    """(records,) the height of V1 after it has fallen and risen again, both by at least 0.03 mV; 0 without a second rise."""
    crest = np.maximum.accumulate(np.maximum(v1, 0), 1)
    valley = np.minimum.accumulate(np.where(v1 < crest - 0.03, v1, np.inf), 1)
    second_rise: Floats = np.where(v1 > valley + 0.03, np.maximum(v1, 0), 0).max(1)
    return second_rise


def neighbours(frontal: Bools, chest: Bools) -> Bools:
    """(records,) whether two neighbouring leads are set, of (records, 6) in the orders of `by_plane`."""
    return np.asarray((frontal[:, 1:] & frontal[:, :-1]).any(1) | (chest[:, 1:] & chest[:, :-1]).any(1))


def by_plane(values: Floats) -> tuple[Floats, Floats]:
    """(records, 12) as aVL, I, -aVR, II, aVF, III, and V1 to V6."""
    return values[:, _FRONTAL] * _FRONTAL_SIGN, values[:, _CHEST]
