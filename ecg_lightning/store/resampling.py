"""Resampling as scipy's `resample_poly`, several times as fast: a filter over blocks is a product of matrices."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly

_HALF = 10  # samples of the lower rate on each side of the filter's middle, as resample_poly has them
_KAISER = 5.0
_LARGEST = 1 << 17  # numbers of a block's matrix: 257 to 100 Hz has 51,400; of odder ratios scipy is as fast


def resampled(signal: NDArray[np.float32], ratio: Fraction) -> NDArray[np.float32]:
    """Resamples with the anti-aliasing Kaiser window of `resample_poly`.

    Beyond its ends a lead goes on as the line through its first and last sample, so that a baseline offset does not ring there.

    Args:
        signal: (leads, samples).
        ratio: the new sampling rate over the old one.

    Returns:
        (leads, ceil(samples · ratio)).
    """
    up, down = ratio.numerator, ratio.denominator
    if up == down:
        return signal
    frame, outputs, margin = _block(up, down)
    if 2 * frame * outputs > _LARGEST:
        by_scipy: NDArray[np.float32] = resample_poly(signal, up, down, axis=1, padtype="line")
        return by_scipy
    leads, samples = signal.shape
    count = -(-samples * up // down)
    blocks = -(-count // outputs)
    first, slope = signal[:, :1], (signal[:, -1:] - signal[:, :1]) / np.float32(max(1, samples - 1))
    frames = np.arange(-margin, (blocks + 1) * frame - margin, dtype=np.float32) * slope + first
    frames[:, margin : margin + samples] = signal
    frames = frames.reshape(leads, blocks + 1, frame)
    in_first, in_second = _matrices(up, down)
    values = frames[:, :-1] @ in_first
    values += frames[:, 1:] @ in_second
    by_blocks: NDArray[np.float32] = values.reshape(leads, -1)[:, :count]
    return by_blocks


def _block(up: int, down: int) -> tuple[int, int, int]:
    """Samples of a frame, outputs of a block, and how many samples before its first output a block needs."""
    margin = -(-_HALF * max(up, down) // up)
    periods = -(-2 * margin // down)
    return periods * down, periods * up, margin


@lru_cache(maxsize=16)
def _matrices(up: int, down: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two (frame, outputs) matrices: what each sample of a block's two frames adds to each of its outputs."""
    frame, outputs, margin = _block(up, down)
    half = _HALF * max(up, down)
    taps = up * firwin(2 * half + 1, 1 / max(up, down), window=("kaiser", _KAISER))
    # In steps of 1 / (up · old rate), output j lies at j · down and sample k at (k - margin) · up.
    position = half + np.arange(outputs) * down - (np.arange(2 * frame)[:, None] - margin) * up
    matrix = np.where((position >= 0) & (position <= 2 * half), taps[position.clip(0, 2 * half)], 0).astype(np.float32)
    return matrix[:frame], matrix[frame:]
