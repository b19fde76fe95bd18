"""The noise-free recording: each beat's waves written where the beat falls, and the waves of fibrillating atria."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.simulator.conditions import Conditions
from ecg_lightning.simulator.depolarisation import qrs_waves
from ecg_lightning.simulator.ectopic import aberrant_waves, ectopic_waves
from ecg_lightning.simulator.repolarisation import t_waves
from ecg_lightning.simulator.rhythm import ATRIAL, VENTRICULAR, Beats, flutter_cycle
from ecg_lightning.simulator.rng import Draws
from ecg_lightning.simulator.torso import ATRIAL as ATRIAL_LEADS
from ecg_lightning.simulator.waves import Waves, p_waves

Floats = NDArray[np.floating]
# how long the waves of one event last, s from its beginning
_SPANS = {"p": (-0.02, 0.40), "qrs": (-0.03, 0.27), "t": (0.05, 0.72)}
# what no dipole explains, as a share of each wave: electrodes lie near some parts of the heart
_LOCAL = {"p": 0.20, "qrs": 0.12, "t": 0.11}
_GAUSSIAN = 0.1325  # standard deviation (s) × cut-off (Hz) of a Gaussian low-pass, √ln 2 / 2π


class Canvas:
    """Samples (records, samples, leads) on which events are drawn.

    Args:
        n: number of records.
        samples: samples of the result.
        rate: sampling rate, Hz.
        start: time of the first sample, s.
        lowpass: cut-off of each record's device, Hz (records,); the waves are widened by a Gaussian of that cut-off.
    """

    def __init__(self, n: int, samples: int, rate: float, start: float, lowpass: Floats) -> None:
        self.rate, self.start, self.samples = rate, start, samples
        self._margin = int(np.ceil(0.8 * rate)) + 2
        self._wide = samples + 2 * self._margin
        self._rows = np.zeros((n * self._wide, 8), np.float32)
        self._blur = (_GAUSSIAN / np.minimum(lowpass, 0.6 * rate)).astype(np.float32)

    def draw(
        self,
        forms: list[Waves],
        form: NDArray[np.intp],
        times: Floats,
        size: Floats,
        stretch: Floats | None,
        span: tuple[float, float],
    ) -> None:
        """Add one event at each of `times` (records, events), NaN for none, in the form that `form` chooses for it."""
        first, last = span
        width = int(np.ceil((last - first) * self.rate)) + 1
        begin = np.ceil((times + first - self.start) * self.rate)
        record, event = np.nonzero((begin > -width) & (begin < self.samples))
        order = np.argsort(event % 3, kind="stable")
        record, event = record[order], event[order]
        turns = np.searchsorted(event % 3, [0, 1, 2, 3])
        begin, which = begin[record, event], form[record, event]
        offset = begin[:, None] + np.arange(width, dtype=np.float32)
        offset = offset / np.float32(self.rate) + (np.float32(self.start) - times[record, event])[:, None]
        if stretch is not None:
            offset /= stretch[record, event][:, None]
        centre, left, right, vector = (
            np.stack([getattr(w, name) for w in forms])[which, record] for name in ("centre", "left", "right", "vector")
        )
        blur = self._blur[record, None] ** 2
        wider_left, wider_right = np.sqrt(left**2 + blur), np.sqrt(right**2 + blur)
        vector = vector * ((left + right) / (wider_left + wider_right) * size[record, event][:, None])[..., None]
        # (t - centre) over the width of its own side, without a branch: mean slope × z + half the difference × |z|
        z = offset[:, None] - centre[:, :, None]
        bent = np.abs(z)
        bent *= (0.5 / wider_right - 0.5 / wider_left)[..., None]
        z *= (0.5 / wider_right + 0.5 / wider_left)[..., None]
        z += bent
        z *= z
        np.minimum(z, 100, out=z)  # far below, exp is denormal and slow
        z *= np.float32(-0.5)
        drawn = np.exp(z, out=z).transpose(0, 2, 1) @ vector
        start = record * self._wide + self._margin + begin.astype(np.int64)
        rows = start[:, None] + np.arange(width)
        whole = self._rows.view("V32")[:, 0]  # the leads of one sample as one item: moved at once
        for one, next_one in pairwise(turns):  # every third beat: these never overlap, so that each is added
            where = rows[one:next_one].ravel()
            added = np.take(self._rows, where, axis=0)
            added += drawn[one:next_one].reshape(-1, 8)
            whole[where] = added.view("V32")[:, 0]

    @property
    def signal(self) -> Floats:
        """The samples, (records, samples, 8)."""
        return self._rows.reshape(-1, self._wide, 8)[:, self._margin : self._margin + self.samples]


def synthesise(
    made: Conditions, beats: Beats, leads: Floats, whose: Draws, own: Draws, canvas: Canvas
) -> tuple[Floats, Waves, Waves]:
    """Draw the recording of every patient on the canvas.

    Args:
        made: what was drawn for the batch.
        beats: its beats.
        leads: lead vectors (records, 8, 3).
        whose: draws by patient.
        own: draws by record.
        canvas: where to draw.

    Returns:
        The signals (records, samples, 8) in mV, and QRS and ST-T of the conducted beats on the leads, for the
        definitions to measure.
    """
    sinus_p, ectopic_p = p_waves(made, whose, own)
    qrs = qrs_waves(made, whose)
    t = t_waves(made, qrs, whose, own)
    first, second = ectopic_waves(made, own, "pvc"), ectopic_waves(made, own, "second pvc")

    def local(kind: str, form: str, waves: Waves) -> Floats:
        return _LOCAL[kind] * whose.normal(f"local {kind}{form}", (waves.vector.shape[1], 8))

    ps = [w.on_leads(leads * ATRIAL_LEADS, local("p", "", w)) for w in (sinus_p, ectopic_p)]
    forms = [qrs, first[0], second[0], aberrant_waves(made, qrs)]
    complexes = [w.on_leads(leads, local("qrs", f" {k}", w)) for k, w in enumerate(forms)]
    recoveries = [w.on_leads(leads, local("t", f" {k}", w)) for k, w in enumerate([t, first[1], second[1]])]

    depth = own.uniform("respiratory depth", 0.004, 0.03)[:, None]
    size = (1 + depth * beats.respiration + 0.006 * own.normal("beat size", beats.onset.shape[1:])).astype(np.float32)
    ventricular = beats.kind == VENTRICULAR
    form = np.where(ventricular, 1 + beats.second_form, 0)
    canvas.draw(ps, (beats.kind == ATRIAL).astype(np.intp), beats.p_onset, np.ones_like(size), None, _SPANS["p"])
    canvas.draw(complexes, np.where(beats.aberrant, 3, form), beats.onset, size, None, _SPANS["qrs"])
    canvas.draw(recoveries, form, beats.onset, size, beats.stretch, _SPANS["t"])
    signal = canvas.signal
    _fibrillate(signal, made, leads, own, canvas)
    return signal, complexes[0], recoveries[0]


def _fibrillate(signal: Floats, made: Conditions, leads: Floats, own: Draws, canvas: Canvas) -> None:
    """Add the waves of atrial fibrillation (4 to 9 Hz, wandering) and of flutter (a saw tooth) in place."""
    atrial = np.array([[0.25, 0.45, -0.80], [0.10, 0.95, -0.25]], np.float32)
    time = (canvas.start + np.arange(canvas.samples, dtype=np.float32) / canvas.rate)[None]
    fibrillation, flutter = made.is_rhythm("AFIB"), made.is_rhythm("AFLT")
    who = np.flatnonzero(fibrillation | flutter)
    if not len(who):
        return
    wander = own.normal("f phase", (6,))[who]
    pace = own.uniform("f pace", 0.15, 0.9, (6,))[who]
    turn = own.uniform("f start", 0, 2 * np.pi, (6,))[who]
    frequency = np.where(flutter, 1 / flutter_cycle(own), own.uniform("f rate", 4.5, 8.5))[who]
    restless = np.where(flutter[who], 0.0, 1.0)[:, None]
    phase = 2 * np.pi * frequency[:, None] * time + turn[:, :1]
    envelope = np.ones_like(phase)
    for k in range(6):
        slow = np.sin(2 * np.pi * pace[:, k, None] * time + turn[:, k, None])
        if k < 4:
            phase += restless * 1.2 * wander[:, k, None] * slow
        else:
            envelope += restless * 0.35 * slow
    wave = (
        np.sin(phase)
        + np.where(flutter[who], 0.5, 0.3)[:, None] * np.sin(2 * phase + 0.9)
        + 0.15 * np.sin(3 * phase + 1.8)
    )
    amplitude = np.where(flutter, own.uniform("flutter size", 0.06, 0.22), 0.035 * np.exp(0.6 * own.normal("f size")))[
        who
    ]
    direction = atrial[flutter[who].astype(int)] + 0.2 * own.normal("f direction", (3,))[who]
    on_leads = (leads[who] @ direction[..., None])[..., 0] + 0.1 * own.normal("f local", (8,))[who]
    signal[who] += (amplitude[:, None] * wave * envelope)[..., None] * on_leads[:, None]
