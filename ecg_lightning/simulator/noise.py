"""Everything that changes the signal between the heart and the file: electrodes, muscles, mains, and the device."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ecg_lightning.records.leads import FROM_ELECTRODES, INDEPENDENT
from ecg_lightning.records.record import LEADS
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


def draw_devices(hospital: Hospital, record_draws: Draws) -> Devices:
    """The device with which each record is made."""
    devices: list[Device] = hospital.devices
    device_index = record_draws.choice("device", [device.share for device in devices])

    def per_record(name: str) -> Floats:
        return np.array([getattr(device, name) for device in devices], np.float32)[device_index]

    gain = np.exp(per_record("gain_error") * record_draws.normal("gain"))
    return Devices(per_record("resolution"), gain, per_record("highpass"), per_record("lowpass"), per_record("mains"))


@lru_cache(maxsize=4)
def _shapes(samples: int, rate: float) -> tuple[Floats, Floats]:
    """Frequencies, and the spectra (frequencies, 2) of baseline wander and muscle noise, of unit variance in _BAND.

    The density in mV²/Hz is the same at any rate and length.
    """
    frequencies, reference = np.fft.rfftfreq(samples, 1 / rate), np.arange(*_BAND, 0.01)

    def densities(frequencies: Floats) -> Floats:
        return np.stack(
            [
                1 / (1 + (frequencies / 0.25) ** 2),
                (0.3 + frequencies / (frequencies + 15)) / (1 + (frequencies / 120) ** 4) ** 0.5,
            ],
            1,
        )

    spectra = densities(frequencies) * np.sqrt(samples * rate / 2 / (np.square(densities(reference)).sum(0) * 0.01))
    spectra[0] = 0
    return frequencies.astype(np.float32), spectra.astype(np.float32)


def add_noise(
    signal: Floats, rate: float, start: float, seconds: float, hospital: Hospital, record_draws: Draws
) -> Floats:
    """Adds what nine electrodes pick up, in mV, and passes everything through the device's filters.

    Args:
        signal: (records, samples, 8) noise-free, its waves already as wide as the device's low-pass makes them.
        rate: sampling rate, Hz.
        start: time of the first sample, s; the recording begins at 0.
        seconds: length of the recording.
        hospital: its noise and devices.
        record_draws: draws by record.
    """
    n, samples, _ = signal.shape
    noise, device = hospital.noise, draw_devices(hospital, record_draws)
    frequencies, shapes = _shapes(samples, rate)
    lowpass_gain = np.exp(-np.log(2) / 2 * (frequencies / device.lowpass[:, None]) ** 2)[..., None]
    baseline = noise.baseline * np.exp(
        0.8 * record_draws.normal("baseline")[:, None] + 0.4 * record_draws.normal("baselines", (9,))
    )
    tremor = noise.muscle * np.exp(
        0.7 * record_draws.normal("muscle")[:, None] + 0.35 * record_draws.normal("muscles", (9,))
    )
    tremor[:, 3:] *= 0.4  # the limbs tremble more than the chest
    shape = shapes @ np.stack([baseline, tremor], 1).astype(np.float32)
    spectrum_parts = record_draws.normal("noise", (len(frequencies), 2, 9))
    spectrum_parts *= np.float32(np.sqrt(0.5)) * shape[:, :, None]
    spectrum = (spectrum_parts.reshape(-1, 18) @ _MIXED_PARTS).reshape(n, len(frequencies), 16).view(np.complex64)
    hum = noise.mains * np.exp(
        1.2 * record_draws.normal("mains")[:, None] + 0.5 * record_draws.normal("mains by electrode", (9,))
    )
    mains_bin = np.round(device.mains * samples / rate).astype(int)
    below_nyquist = np.flatnonzero(mains_bin < 0.96 * (len(frequencies) - 1))
    mains_phase = np.exp(1j * record_draws.uniform("mains phase", 0, 2 * np.pi, (9,)))
    spectrum[below_nyquist, mains_bin[below_nyquist]] += ((hum * mains_phase * samples / 2) @ _ELECTRODES)[
        below_nyquist
    ]
    disturbed, artefacts = _artefacts(samples, rate, start, seconds, hospital, record_draws)
    spectrum[disturbed] += rfft(artefacts, axis=1)
    spectrum *= lowpass_gain
    spectrum += rfft(signal, axis=1)
    s_over_pole = 1j * frequencies / np.maximum(device.highpass, 1e-4)[:, None]
    # one pole, as the diagnostic band of most devices
    spectrum *= (s_over_pole / (1 + s_over_pole)).astype(np.complex64)[..., None]
    return np.asarray(irfft(spectrum, samples, axis=1), np.float32)


# leads I, II, V1-V6 (columns) from the potentials at RA, LA, LL and six chest electrodes (rows)
_ELECTRODES = np.ascontiguousarray(FROM_ELECTRODES[[LEADS.index(lead) for lead in INDEPENDENT]].T)
# the same for nine real and then nine imaginary parts; the result has the memory layout of complex numbers
_MIXED_PARTS = np.kron(_ELECTRODES, np.eye(2, dtype=np.float32)).reshape(9, 2, 16).transpose(1, 0, 2).reshape(18, 16)


def _artefacts(
    samples: int, rate: float, start: float, seconds: float, hospital: Hospital, record_draws: Draws
) -> tuple[NDArray[np.intp], Floats]:
    """Motion (a jump that decays) and bursts of muscle noise: in which records, and (those records, samples, 8)."""
    has_motion = record_draws.chance("motion", hospital.noise.motion)
    has_burst = record_draws.chance("burst", hospital.noise.burst)
    disturbed = np.flatnonzero(has_motion | has_burst)
    time = (start + np.arange(samples, dtype=np.float32) / rate)[None] - (
        record_draws.uniform("artefact begin") * seconds
    )[disturbed, None]
    lead = (record_draws.uniform("artefact lead") * 8).astype(int)[disturbed, None]
    on_several_leads = record_draws.chance("several leads", 0.4)[disturbed, None]
    lead_weights = np.where(on_several_leads, np.exp(-np.abs(np.arange(8) - lead)), np.arange(8) == lead)
    jump = np.where(has_motion, 0.5 * record_draws.normal("jump"), 0)[disturbed, None]
    decay = (0.1 + record_draws.uniform("decay"))[disturbed, None]
    artefact = jump * np.where(time > 0, np.exp(-np.maximum(time, 0) / decay), 0)
    # white noise has the same density at any rate when its variance goes with the rate
    size = np.where(has_burst, record_draws.uniform("burst size", 0.02, 0.12), 0)[disturbed, None] * np.sqrt(rate / 100)
    width = record_draws.uniform("burst width", 0.2, 2.0)[disturbed, None]
    artefact = artefact + Draws(0, record_draws.keys[disturbed]).normal("burst noise", (samples,)) * size * np.exp(
        -0.5 * (time / width) ** 2
    )
    return disturbed, (artefact[..., None] * lead_weights[:, None]).astype(np.float32)


def lose_contact(signal: Floats, rate: float, hospital: Hospital, record_draws: Draws) -> None:
    """Disconnects one electrode, from some time on or throughout, in the hospital's share of recordings; in place.

    The lead of a disconnected chest electrode is flat. Without a limb electrode, two limb leads change, and so do all
    chest leads, which are measured against Wilson's terminal.

    Args:
        signal: (records, samples, 8), mV.
        rate: sampling rate, Hz.
        hospital: its share of recordings with lost contact.
        record_draws: draws by record.
    """
    time = np.arange(signal.shape[1]) / rate
    electrode = (record_draws.uniform("lost electrode") * 9).astype(int)
    begin = np.where(
        record_draws.chance("never connected", 0.4), 0, record_draws.uniform("loses contact") * signal.shape[1] / rate
    )
    for k in np.flatnonzero(record_draws.chance("contact", hospital.noise.contact_loss)):
        lead_i, lead_ii = signal[k, :, 0], signal[k, :, 1]
        right_arm = -(lead_i + lead_ii) / 3
        potentials = [right_arm, lead_i + right_arm, lead_ii + right_arm, *signal[k, :, 2:].T]
        lost_potential = np.where(time >= begin[k], potentials[electrode[k]], 0).astype(np.float32)
        signal[k] -= lost_potential[:, None] * _ELECTRODES[electrode[k]]
