"""What lies between the heart and the file: electrodes, muscles, mains, the device's filter, gain and resolution."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ecg_lightning.simulator.hospital import Device, Hospital
from ecg_lightning.simulator.rng import Draws

Floats = NDArray[np.floating]
PAD = 0.3  # s simulated on either side of the recording, where the circular filter's ends meet


def padded(samples: int, rate: float) -> int:
    """Samples to simulate for a recording of `samples`: a fast Fourier length with room at both ends."""
    return int(next_fast_len(samples + 2 * int(np.ceil(PAD * rate)), real=True))


def draw_devices(hospital: Hospital, own: Draws) -> tuple[Floats, ...]:
    """Each record's device: resolution (µV), gain, high-pass, low-pass and mains (Hz), each (records,)."""
    devices: list[Device] = hospital.devices
    chosen = own.choice("device", [d.share for d in devices])

    def each(name: str) -> Floats:
        return np.array([getattr(d, name) for d in devices], np.float32)[chosen]

    gain = np.exp(each("gain_error") * own.normal("gain"))
    return each("resolution"), gain, each("highpass"), each("lowpass"), each("mains")


@lru_cache(maxsize=4)
def _shapes(samples: int, rate: float) -> tuple[Floats, Floats]:
    """Frequencies, and the spectra (frequencies, 2) of baseline wander and muscle noise, of unit variance in time."""
    f = np.fft.rfftfreq(samples, 1 / rate).astype(np.float32)
    wander = 1 / (1 + (f / 0.25) ** 2)
    muscle = (0.3 + f / (f + 15)) / (1 + (f / 120) ** 4) ** 0.5
    for shape in (wander, muscle):
        shape[0] = 0
        shape *= samples / np.sqrt(2 * (shape**2).sum())
    return f, np.stack([wander, muscle], 1).astype(np.float32)


def add_noise(signal: Floats, rate: float, hospital: Hospital, own: Draws, highpass: Floats, mains: Floats) -> Floats:
    """Filter clean signals (records, samples, 8) and add what nine electrodes pick up, in mV."""
    n, samples, _ = signal.shape
    noise = hospital.noise
    f, shapes = _shapes(samples, rate)
    baseline = noise.baseline * np.exp(0.8 * own.normal("baseline")[:, None] + 0.4 * own.normal("baselines", (9,)))
    tremor = noise.muscle * np.exp(0.7 * own.normal("muscle")[:, None] + 0.35 * own.normal("muscles", (9,)))
    tremor[:, 3:] *= 0.4  # the limbs tremble more than the chest
    shape = shapes @ np.stack([baseline, tremor], 1).astype(np.float32)
    parts = own.normal("noise", (len(f), 2, 9))
    parts *= np.float32(np.sqrt(0.5)) * shape[:, :, None]
    total = rfft(signal, axis=1)
    total += (parts.reshape(-1, 18) @ _MIXED_PARTS).reshape(n, len(f), 16).view(np.complex64)
    hum = noise.mains * np.exp(1.2 * own.normal("mains")[:, None] + 0.5 * own.normal("mains by electrode", (9,)))
    line = np.round(mains * samples / rate).astype(int)
    heard = np.flatnonzero(line < 0.96 * (len(f) - 1))
    angle = np.exp(1j * own.uniform("mains phase", 0, 2 * np.pi, (9,)))
    total[heard, line[heard]] += ((hum * angle * samples / 2) @ _ELECTRODES)[heard]
    s = 1j * f / np.maximum(highpass, 1e-4)[:, None]
    total *= (s / (1 + s)).astype(np.complex64)[..., None]  # one pole, as the diagnostic band of most devices
    return np.asarray(irfft(total, samples, axis=1), np.float32)


def _electrodes() -> Floats:
    """Leads I, II, V1-V6 (columns) of potentials at the right arm, left arm, left leg and six chest electrodes (rows)."""
    limb = [[-1, 1, 0], [-1, 0, 1], *[[-1 / 3] * 3] * 6]
    return np.concatenate([np.array(limb), np.concatenate([np.zeros((2, 6)), np.eye(6)])], 1).T.astype(np.float32)


_ELECTRODES = _electrodes()
# the same for nine real, then nine imaginary parts; the leads come out as complex numbers lie in memory
_MIXED_PARTS = np.kron(_ELECTRODES, np.eye(2, dtype=np.float32)).reshape(9, 2, 16).transpose(1, 0, 2).reshape(18, 16)


def add_artefacts(signal: Floats, rate: float, hospital: Hospital, own: Draws) -> None:
    """Motion (a jump that decays), muscle bursts and lost contact, in place, each in its share of recordings."""
    samples = signal.shape[1]
    time = np.arange(samples, dtype=np.float32) / rate
    length = samples / rate
    lead = (own.uniform("artefact lead") * 8).astype(int)
    several = own.chance("several leads", 0.4)
    begin = own.uniform("artefact begin") * length
    reach = np.exp(-np.abs(np.arange(8) - lead[:, None])) * np.where(several[:, None], 1, np.arange(8) == lead[:, None])
    for k in np.flatnonzero(own.chance("motion", hospital.noise.motion)):
        after = time - begin[k]
        height = 0.5 * own.normal("jump")[k]
        jump = height * np.where(after > 0, np.exp(-np.maximum(after, 0) / (0.1 + own.uniform("decay")[k])), 0)
        signal[k] += (jump[:, None] * reach[k]).astype(np.float32)
    bursts = np.flatnonzero(own.chance("burst", hospital.noise.burst))
    if len(bursts):
        # a burst's own samples count from its record's start, so that the length of the recording does not matter
        rough = Draws(0, own.keys[bursts]).normal("burst noise", (samples,))
        middle, width = begin[bursts, None], own.uniform("burst width", 0.2, 2.0)[bursts, None]
        envelope = np.exp(-0.5 * ((time - middle) / width) ** 2) * own.uniform("burst size", 0.02, 0.12)[bursts, None]
        signal[bursts] += ((rough * envelope)[..., None] * reach[bursts][:, None]).astype(np.float32)
    for k in np.flatnonzero(own.chance("contact", hospital.noise.contact_loss)):
        signal[k][time > (0 if several[k] else begin[k]), lead[k]] = 0
