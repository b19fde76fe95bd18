"""The noise-free recording: the waves of every beat at its time, and the waves of atrial fibrillation and flutter."""

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
# the part of each wave that no dipole explains, as a share: electrodes lie near some parts of the heart
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
        self._padded_samples = samples + 2 * self._margin
        self._rows = np.zeros((n * self._padded_samples, 8), np.float32)
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
        """Adds one event at each of `times` (records, events), NaN for none, in the form that `form` chooses for it."""
        first, last = span
        width = int(np.ceil((last - first) * self.rate)) + 1
        first_sample = np.ceil((times + first - self.start) * self.rate)
        record, event = np.nonzero((first_sample > -width) & (first_sample < self.samples))
        order = np.argsort(event % 3, kind="stable")
        record, event = record[order], event[order]
        third_starts = np.searchsorted(event % 3, [0, 1, 2, 3])
        first_sample, form_of_event = first_sample[record, event], form[record, event]
        offset = first_sample[:, None] + np.arange(width, dtype=np.float32)
        offset = offset / np.float32(self.rate) + (np.float32(self.start) - times[record, event])[:, None]
        if stretch is not None:
            offset /= stretch[record, event][:, None]
        centre, left, right, vector = (
            np.stack([getattr(waves, name) for waves in forms])[form_of_event, record]
            for name in ("centre", "left", "right", "vector")
        )
        blur = self._blur[record, None] ** 2
        wider_left, wider_right = np.sqrt(left**2 + blur), np.sqrt(right**2 + blur)
        vector = vector * ((left + right) / (wider_left + wider_right) * size[record, event][:, None])[..., None]
        # (t - centre) over the width of its own side, without a branch: mean slope × z + half the difference × |z|
        z = offset[:, None] - centre[:, :, None]
        asymmetry = np.abs(z)
        asymmetry *= (0.5 / wider_right - 0.5 / wider_left)[..., None]
        z *= (0.5 / wider_right + 0.5 / wider_left)[..., None]
        z += asymmetry
        z *= z
        np.minimum(z, 100, out=z)  # far below, exp is denormal and slow
        z *= np.float32(-0.5)
        wave_samples = np.exp(z, out=z).transpose(0, 2, 1) @ vector
        start = record * self._padded_samples + self._margin + first_sample.astype(np.int64)
        rows = start[:, None] + np.arange(width)
        sample_items = self._rows.view("V32")[:, 0]  # the leads of one sample as one item: moved at once
        for third_start, third_stop in pairwise(third_starts):  # beats k, k + 3, k + 6, … never overlap: each is added
            sample_rows = rows[third_start:third_stop].ravel()
            samples_sum = np.take(self._rows, sample_rows, axis=0)
            samples_sum += wave_samples[third_start:third_stop].reshape(-1, 8)
            sample_items[sample_rows] = samples_sum.view("V32")[:, 0]

    @property
    def signal(self) -> Floats:
        """The samples, (records, samples, 8)."""
        return self._rows.reshape(-1, self._padded_samples, 8)[:, self._margin : self._margin + self.samples]


def synthesise(
    conditions: Conditions, beats: Beats, leads: Floats, patient_draws: Draws, record_draws: Draws, canvas: Canvas
) -> tuple[Floats, Waves, Waves]:
    """Draws the recording of every patient on the canvas.

    Args:
        conditions: what was drawn for the batch.
        beats: its beats.
        leads: lead vectors (records, 8, 3).
        patient_draws: draws by patient.
        record_draws: draws by record.
        canvas: where to draw.

    Returns:
        The signals (records, samples, 8) in mV, and QRS and ST-T of the conducted beats on the leads, for the
        definitions to measure.
    """
    sinus_p, ectopic_p = p_waves(conditions, patient_draws, record_draws)
    qrs = qrs_waves(conditions, patient_draws)
    t = t_waves(conditions, qrs, patient_draws, record_draws)
    first_pvc = ectopic_waves(conditions, record_draws, "pvc")
    second_pvc = ectopic_waves(conditions, record_draws, "second pvc")

    def local(kind: str, form: str, waves: Waves) -> Floats:
        return _LOCAL[kind] * patient_draws.normal(f"local {kind}{form}", (waves.vector.shape[1], 8))

    ps = [waves.on_leads(leads * ATRIAL_LEADS, local("p", "", waves)) for waves in (sinus_p, ectopic_p)]
    forms = [qrs, first_pvc[0], second_pvc[0], aberrant_waves(conditions, qrs)]
    complexes = [
        waves.on_leads(leads, local("qrs", f" {form_number}", waves)) for form_number, waves in enumerate(forms)
    ]
    recoveries = [
        waves.on_leads(leads, local("t", f" {form_number}", waves))
        for form_number, waves in enumerate([t, first_pvc[1], second_pvc[1]])
    ]

    depth = record_draws.uniform("respiratory depth", 0.004, 0.03)[:, None]
    size = (1 + depth * beats.respiration + 0.006 * record_draws.normal("beat size", beats.onset.shape[1:])).astype(
        np.float32
    )
    ventricular = beats.kind == VENTRICULAR
    form = np.where(ventricular, 1 + beats.second_form, 0)
    canvas.draw(ps, (beats.kind == ATRIAL).astype(np.intp), beats.p_onset, np.ones_like(size), None, _SPANS["p"])
    canvas.draw(complexes, np.where(beats.aberrant, 3, form), beats.onset, size, None, _SPANS["qrs"])
    canvas.draw(recoveries, form, beats.onset, size, beats.stretch, _SPANS["t"])
    signal = canvas.signal
    _fibrillate(signal, conditions, leads, record_draws, canvas)
    return signal, complexes[0], recoveries[0]


def _fibrillate(signal: Floats, conditions: Conditions, leads: Floats, record_draws: Draws, canvas: Canvas) -> None:
    """Adds the waves of atrial fibrillation (4 to 9 Hz, wandering) and of flutter (a saw tooth) in place."""
    atrial = np.array([[0.25, 0.45, -0.80], [0.10, 0.95, -0.25]], np.float32)
    time = (canvas.start + np.arange(canvas.samples, dtype=np.float32) / canvas.rate)[None]
    fibrillation, flutter = conditions.is_rhythm("AFIB"), conditions.is_rhythm("AFLT")
    fibrillating = np.flatnonzero(fibrillation | flutter)
    if not len(fibrillating):
        return
    wander = record_draws.normal("f phase", (6,))[fibrillating]
    modulation_rate = record_draws.uniform("f pace", 0.15, 0.9, (6,))[fibrillating]
    start_phase = record_draws.uniform("f start", 0, 2 * np.pi, (6,))[fibrillating]
    frequency = np.where(flutter, 1 / flutter_cycle(record_draws), record_draws.uniform("f rate", 4.5, 8.5))[
        fibrillating
    ]
    is_fibrillation = np.where(flutter[fibrillating], 0.0, 1.0)[:, None]
    phase = 2 * np.pi * frequency[:, None] * time + start_phase[:, :1]
    envelope = np.ones_like(phase)
    for k in range(6):
        slow = np.sin(2 * np.pi * modulation_rate[:, k, None] * time + start_phase[:, k, None])
        if k < 4:
            phase += is_fibrillation * 1.2 * wander[:, k, None] * slow
        else:
            envelope += is_fibrillation * 0.35 * slow
    wave = (
        np.sin(phase)
        + np.where(flutter[fibrillating], 0.5, 0.3)[:, None] * np.sin(2 * phase + 0.9)
        + 0.15 * np.sin(3 * phase + 1.8)
    )
    amplitude = np.where(
        flutter, record_draws.uniform("flutter size", 0.06, 0.22), 0.035 * np.exp(0.6 * record_draws.normal("f size"))
    )[fibrillating]
    direction = atrial[flutter[fibrillating].astype(int)] + 0.2 * record_draws.normal("f direction", (3,))[fibrillating]
    on_leads = (leads[fibrillating] @ direction[..., None])[..., 0] + 0.1 * record_draws.normal("f local", (8,))[
        fibrillating
    ]
    signal[fibrillating] += (amplitude[:, None] * wave * envelope)[..., None] * on_leads[:, None]
