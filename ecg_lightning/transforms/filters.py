"""Zero-phase filters and median baseline of whole batches, equal to SciPy's up to float32."""

from functools import lru_cache
from itertools import pairwise
from math import inf
from typing import NamedTuple

import torch
from torch import Tensor

from ecg_lightning.errors import UserError

Sections = tuple[tuple[float, ...], ...]
"""Second-order sections of a filter, as SciPy's, in tuples."""
NOTCH_QUALITY = 30.0
"""Frequency over width of a notch: that of ECGFounder and of MATLAB's examples."""


def check_band(low: float | None, high: float | None, rate: float) -> None:
    """Checks that 0 < low < high < rate / 2 (Hz); a limit that is None is not compared.

    Raises:
        UserError: where it is not so.
    """
    limits = [f for f in (0, low, high, rate / 2) if f is not None]
    if any(a >= b for a, b in pairwise(limits)):
        highest = "half the sampling rate" if rate == inf else f"{rate / 2:g} Hz, half the sampling rate"
        raise UserError(f"A pass band from {low} to {high} Hz is not between 0 and {highest}.")


def bandpass(
    x: Tensor,
    rate: float,
    low: float | None = None,
    high: float | None = None,
    order: int = 4,
    mask: Tensor | None = None,
) -> Tensor:
    """Applies a Butterworth filter forwards and backwards: `scipy.signal.sosfiltfilt` with its default padding.

    Args:
        x: (batch, leads, samples).
        rate: Sampling rate, Hz.
        low: Lower cut-off, Hz; None makes it a low-pass filter.
        high: Upper cut-off, Hz; None makes it a high-pass filter; with neither, x is returned as it is.
        order: Of the Butterworth design.
        mask: (batch, 1, samples), True where a sample is valid.

    Raises:
        UserError: For cut-offs that are not 0 < low < high < rate / 2.
    """
    if low is None and high is None:
        return x
    check_band(low, high, rate)
    return _zero_phase(x, _butterworth(rate, low, high, order), mask)


def notch(x: Tensor, rate: float, frequency: float | None, mask: Tensor | None = None) -> Tensor:
    """Removes one frequency, that of the mains: `scipy.signal.iirnotch` forwards and backwards.

    Args:
        x: (batch, leads, samples).
        rate: Sampling rate, Hz.
        frequency: Hz; with None, x is returned as it is.
        mask: (batch, 1, samples), True where a sample is valid.

    Raises:
        UserError: For a frequency that is not below half the sampling rate.
    """
    if frequency is None:
        return x
    if not 0 < frequency < rate / 2:
        raise UserError(f"A notch at {frequency:g} Hz is not between 0 and {rate / 2:g} Hz, half the sampling rate.")
    return _zero_phase(x, _iirnotch(rate, frequency), mask)


def remove_baseline(x: Tensor, rate: float, seconds: float | None) -> Tensor:
    """Subtracts from each sample the median of the samples around it: `scipy.signal.medfilt`, which has zeros beyond the ends.

    Args:
        x: (batch, leads, samples); 0 where a recording is padded.
        rate: Sampling rate, Hz.
        seconds: Length of the median's window, which is rounded to an odd number of samples; with None, x is returned as
            it is.
    """
    if seconds is None:
        return x
    half = (int(seconds * rate) + 1) // 2
    if torch.compiler.is_exporting():
        return x - _exported_median(x, 2 * half + 1)
    return x - (_processor_median if x.device.type == "cpu" else _device_median)(x, 2 * half + 1)


def _processor_median(x: Tensor, window: int) -> Tensor:
    """The running median by SciPy, which is some hundred times as fast as PyTorch on a processor."""
    import numpy as np
    from scipy.signal import medfilt

    leads = x.numpy().reshape(-1, x.shape[2])
    return torch.from_numpy(np.array([medfilt(lead, window) for lead in leads], leads.dtype)).view(x.shape)


def _device_median(x: Tensor, window: int) -> Tensor:
    """The running median by PyTorch, on any device."""
    padded = torch.nn.functional.pad(x, (window // 2, window // 2))
    # recording by recording: the windows take as many times a recording's memory as they have samples
    return torch.stack([recording.unfold(1, window, 1).median(2).values for recording in padded])


def _exported_median(x: Tensor, window: int) -> Tensor:
    """The running median of operators that other programs have, and without a loop over the recordings."""
    windows = torch.nn.functional.pad(x, (window // 2, window // 2)).unfold(2, window, 1)
    return windows.topk(window // 2 + 1, dim=3).values[..., -1]


def _zero_phase(x: Tensor, sections: Sections, mask: Tensor | None) -> Tensor:
    """Applies a filter forwards and backwards, (batch, leads, samples).

    Like SciPy's, it begins in the steady state of an odd extension at either end; the end of a padded recording is its
    last valid sample. A recording too short for SciPy's extension gets a flat one beyond its other end.
    """
    samples = x.shape[2]
    padding = _design(sections, 1).padding
    if mask is None:
        last = torch.full((len(x), 1, 1), samples - 1, device=x.device)
    else:
        last = mask.sum(2, keepdim=True).clamp(min=1) - 1

    # beyond the right extension, its last value goes on: the backward filter then arrives in its steady state
    position = torch.arange(-padding, samples + padding, device=x.device).minimum(last + padding)
    before, after = position < 0, position > last
    mirrored = (
        torch.where(before, -position, torch.where(after, 2 * last - position, position)).clamp(min=0).minimum(last)
    )
    inside = x.gather(2, mirrored.expand(-1, x.shape[1], -1))
    edge = torch.where(before, x[:, :, :1], x.gather(2, last.expand(-1, x.shape[1], -1)))
    extended = torch.where(before | after, 2 * edge - inside, inside)

    size = extended.shape[2]
    design = _design(sections, size)
    response, gain = design.response, design.gain
    if torch.compiler.is_exporting():
        response = design.exported
    elif x.device.type != "cpu":
        response = _on_device(sections, size, x.device)
    forward = _causal(extended, response, gain)
    end = (last + 2 * padding).expand(-1, x.shape[1], -1)
    extended_end = torch.where(torch.arange(size, device=x.device) > end, forward.gather(2, end), forward)
    y = _causal(extended_end.flip(2), response, gain).flip(2)[:, :, padding : padding + samples]
    return y if mask is None else y * mask


@lru_cache(maxsize=32)
def _on_device(sections: Sections, size: int, device: torch.device) -> Tensor:
    """The filter's response on a GPU, copied once: a copy in every batch would wait for all that the GPU has still to do."""
    return _design(sections, size).response.to(device)


def _causal(x: Tensor, response: Tensor, gain: float) -> Tensor:
    """Filters x (batch, leads, samples) as if its first value had lasted forever before it."""
    first = x[:, :, :1]
    size, length = x.shape[2], 2 * (response.shape[0] - 1)
    spectrum = torch.fft.rfft(x - first, length) * response
    y: Tensor = torch.fft.irfft(spectrum, length)[:, :, :size] + gain * first
    return y


@lru_cache(maxsize=32)
def _butterworth(rate: float, low: float | None, high: float | None, order: int) -> Sections:
    from scipy.signal import butter

    if low is None or high is None:
        sections = butter(order, low or high or 0, "highpass" if low else "lowpass", output="sos", fs=rate)
    else:
        sections = butter(order, (low, high), "bandpass", output="sos", fs=rate)
    return tuple(map(tuple, sections.tolist()))


@lru_cache(maxsize=32)
def _iirnotch(rate: float, frequency: float) -> Sections:
    from scipy.signal import iirnotch

    numerator, denominator = iirnotch(frequency, NOTCH_QUALITY, fs=rate)
    return ((*numerator.tolist(), *denominator.tolist()),)


class Design(NamedTuple):
    """A filter for signals of one length.

    Attributes:
        response: spectrum of the first samples of its impulse response, as many as the signal has: the outputs of a causal
            filter need no more, however long the response is.
        exported: the same at a power of two of frequencies, for exported networks: ONNX Runtime's transforms of other lengths
            are off by more than 1e-4 of the signal.
        gain: at 0 Hz.
        padding: samples, SciPy's.
    """

    response: Tensor
    exported: Tensor
    gain: float
    padding: int


@lru_cache(maxsize=32)
def _design(sections: Sections, size: int) -> Design:
    """Designs a filter for signals of `size` samples."""
    import numpy as np  # here, because only runs with a filter should wait for scipy.signal
    from scipy.fft import next_fast_len
    from scipy.signal import sosfilt

    rows = np.array(sections)
    impulse = np.zeros(size)
    impulse[0] = 1
    lengths = 2 * next_fast_len(size, real=True), 2 << (size - 1).bit_length()
    response, exported = (
        torch.from_numpy(np.fft.rfft(sosfilt(rows, impulse), length)).to(torch.complex64) for length in lengths
    )
    gain = float(np.prod(rows[:, :3].sum(1) / rows[:, 3:].sum(1)))
    taps = 2 * len(rows) + 1 - min((rows[:, 2] == 0).sum(), (rows[:, 5] == 0).sum())
    return Design(response, exported, gain, 3 * int(taps))
