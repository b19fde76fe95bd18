"""What lies between the heart and the file: electrodes, muscles, mains, the device's filter, gain and resolution."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ecg_lightning.simulator.hospital import Device, Hospital
from ecg_lightning.simulator.rng import Draws

Floats = NDArray[np.floating]
_BAND = (0.1, 50.0)  # Hz: where the noise of a hospital's file is measured
PAD = 0.3  # s simulated on either side of the recording, where the circular filter's ends meet


def padded(samples: int, rate: float) -> int:
    """Samples to simulate for a recording of `samples`: a fast Fourier length with room at both ends."""
    return int(next_fast_len(samples + 2 * int(np.ceil(PAD * rate)), real=True))


class Devices(NamedTuple):
    """Each record's device, (records,) each: resolution in µV, gain, and the rest in Hz."""

    resolution: Floats
    gain: Floats
    highpass: Floats
    lowpass: Floats
    mains: Floats


def draw_devices(hospital: Hospital, own: Draws) -> Devices:
    """The device with which each record is made."""
    devices: list[Device] = hospital.devices
    chosen = own.choice("device", [d.share for d in devices])

    def each(name: str) -> Floats:
        return np.array([getattr(d, name) for d in devices], np.float32)[chosen]

    gain = np.exp(each("gain_error") * own.normal("gain"))
    return Devices(each("resolution"), gain, each("highpass"), each("lowpass"), each("mains"))


@lru_cache(maxsize=4)
def _shapes(samples: int, rate: float) -> tuple[Floats, Floats]:
    """Frequencies, and the spectra (frequencies, 2) of baseline wander and muscle noise, of unit variance in _BAND.

    The density in mV²/Hz is the same at any rate and length.
    """
    f, reference = np.fft.rfftfreq(samples, 1 / rate), np.arange(*_BAND, 0.01)

    def shapes(f: Floats) -> Floats:
        return np.stack([1 / (1 + (f / 0.25) ** 2), (0.3 + f / (f + 15)) / (1 + (f / 120) ** 4) ** 0.5], 1)

    spectra = shapes(f) * np.sqrt(samples * rate / 2 / (np.square(shapes(reference)).sum(0) * 0.01))
    spectra[0] = 0
    return f.astype(np.float32), spectra.astype(np.float32)


def add_noise(signal: Floats, rate: float, start: float, seconds: float, hospital: Hospital, own: Draws) -> Floats:
    """Add what nine electrodes pick up, in mV, and pass everything through the device's filters.

    Args:
        signal: (records, samples, 8) noise-free, its waves already as wide as the device's low-pass makes them.
        rate: sampling rate, Hz.
        start: time of the first sample, s; the recording begins at 0.
        seconds: length of the recording.
        hospital: whose noise and devices.
        own: draws by record.
    """
    n, samples, _ = signal.shape
    noise, device = hospital.noise, draw_devices(hospital, own)
    f, shapes = _shapes(samples, rate)
    passed = np.exp(-np.log(2) / 2 * (f / device.lowpass[:, None]) ** 2)[..., None]
    baseline = noise.baseline * np.exp(0.8 * own.normal("baseline")[:, None] + 0.4 * own.normal("baselines", (9,)))
    tremor = noise.muscle * np.exp(0.7 * own.normal("muscle")[:, None] + 0.35 * own.normal("muscles", (9,)))
    tremor[:, 3:] *= 0.4  # the limbs tremble more than the chest
    shape = shapes @ np.stack([baseline, tremor], 1).astype(np.float32)
    parts = own.normal("noise", (len(f), 2, 9))
    parts *= np.float32(np.sqrt(0.5)) * shape[:, :, None]
    total = (parts.reshape(-1, 18) @ _MIXED_PARTS).reshape(n, len(f), 16).view(np.complex64)
    hum = noise.mains * np.exp(1.2 * own.normal("mains")[:, None] + 0.5 * own.normal("mains by electrode", (9,)))
    line = np.round(device.mains * samples / rate).astype(int)
    heard = np.flatnonzero(line < 0.96 * (len(f) - 1))
    angle = np.exp(1j * own.uniform("mains phase", 0, 2 * np.pi, (9,)))
    total[heard, line[heard]] += ((hum * angle * samples / 2) @ _ELECTRODES)[heard]
    who, artefacts = _artefacts(samples, rate, start, seconds, hospital, own)
    total[who] += rfft(artefacts, axis=1)
    total *= passed
    total += rfft(signal, axis=1)
    s = 1j * f / np.maximum(device.highpass, 1e-4)[:, None]
    total *= (s / (1 + s)).astype(np.complex64)[..., None]  # one pole, as the diagnostic band of most devices
    return np.asarray(irfft(total, samples, axis=1), np.float32)


def _electrodes() -> Floats:
    """Leads I, II, V1-V6 (columns) of potentials at the right arm, left arm, left leg and six chest electrodes (rows)."""
    limb = [[-1, 1, 0], [-1, 0, 1], *[[-1 / 3] * 3] * 6]
    return np.concatenate([np.array(limb), np.concatenate([np.zeros((2, 6)), np.eye(6)])], 1).T.astype(np.float32)


_ELECTRODES = _electrodes()
# the same for nine real, then nine imaginary parts; the leads come out as complex numbers lie in memory
_MIXED_PARTS = np.kron(_ELECTRODES, np.eye(2, dtype=np.float32)).reshape(9, 2, 16).transpose(1, 0, 2).reshape(18, 16)


def _artefacts(
    samples: int, rate: float, start: float, seconds: float, hospital: Hospital, own: Draws
) -> tuple[NDArray[np.intp], Floats]:
    """Motion (a jump that decays) and bursts of muscle noise: in which records, and (those records, samples, 8)."""
    moved, tense = own.chance("motion", hospital.noise.motion), own.chance("burst", hospital.noise.burst)
    who = np.flatnonzero(moved | tense)
    time = (start + np.arange(samples, dtype=np.float32) / rate)[None] - (own.uniform("artefact begin") * seconds)[
        who, None
    ]
    lead = (own.uniform("artefact lead") * 8).astype(int)[who, None]
    several = own.chance("several leads", 0.4)[who, None]
    reach = np.where(several, np.exp(-np.abs(np.arange(8) - lead)), np.arange(8) == lead)
    height = np.where(moved, 0.5 * own.normal("jump"), 0)[who, None]
    decay = (0.1 + own.uniform("decay"))[who, None]
    made = height * np.where(time > 0, np.exp(-np.maximum(time, 0) / decay), 0)
    # white noise has the same density at any rate when its variance goes with the rate
    size = np.where(tense, own.uniform("burst size", 0.02, 0.12), 0)[who, None] * np.sqrt(rate / 100)
    width = own.uniform("burst width", 0.2, 2.0)[who, None]
    made = made + Draws(0, own.keys[who]).normal("burst noise", (samples,)) * size * np.exp(-0.5 * (time / width) ** 2)
    return who, (made[..., None] * reach[:, None]).astype(np.float32)


def lose_contact(signal: Floats, rate: float, hospital: Hospital, own: Draws) -> None:
    """One electrode reads nothing, from some time on or throughout, in its share of recordings; (records, samples, 8), in place.

    A chest electrode's lead is flat then; a limb electrode is missed by two limb leads and by Wilson's terminal, so that
    all chest leads change.
    """
    time = np.arange(signal.shape[1]) / rate
    electrode = (own.uniform("lost electrode") * 9).astype(int)
    begin = np.where(own.chance("never connected", 0.4), 0, own.uniform("loses contact") * signal.shape[1] / rate)
    for k in np.flatnonzero(own.chance("contact", hospital.noise.contact_loss)):
        one, two = signal[k, :, 0], signal[k, :, 1]
        right_arm = -(one + two) / 3
        potentials = [right_arm, one + right_arm, two + right_arm, *signal[k, :, 2:].T]
        lost = np.where(time >= begin[k], potentials[electrode[k]], 0).astype(np.float32)
        signal[k] -= lost[:, None] * _ELECTRODES[electrode[k]]
