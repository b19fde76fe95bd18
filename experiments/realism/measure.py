"""What is measured of a recording: rate and intervals by a delineator, amplitudes, and the power spectrum."""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt, welch
from scipy.stats import ks_2samp

Floats = NDArray[np.floating]
INTERVALS = ("heart rate, /min", "PR, ms", "QRS, ms", "QT, ms")


def intervals(signal: Floats, rate: int) -> dict[str, float]:
    """Medians over the beats of lead II (samples, 12), by NeuroKit2's wavelet delineation; NaN where it finds none.

    The QRS is measured by `qrs_width`: the delineator often takes the end of the P wave for its beginning.
    """
    import neurokit2 as nk

    medians = dict.fromkeys(INTERVALS, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clean = nk.ecg_clean(signal[:, 1], sampling_rate=rate)
            peaks = nk.ecg_peaks(clean, sampling_rate=rate)[1]["ECG_R_Peaks"]
            waves = nk.ecg_delineate(clean, peaks, sampling_rate=rate, method="dwt")[1]
        except (
            IndexError,
            KeyError,
            TypeError,
            ValueError,
            ZeroDivisionError,
        ):  # the delineator fails in many ways on noise and on short rhythms
            return medians
        p, on, t = (
            np.asarray(waves[f"ECG_{name}"], float) * 1000 / rate for name in ("P_Onsets", "R_Onsets", "T_Offsets")
        )
        count = min(map(len, (p, on, t)))
        p, on, t = (each[:count] for each in (p, on, t))
        width = np.atleast_1d(qrs_width(signal, np.asarray(peaks), rate))
        spans = (60000 / np.diff(np.asarray(peaks) * 1000 / rate), on - p, width, t - on)
        limits = ((20, 250), (60, 450), (40, 250), (200, 700))
        for name, span, (low, high) in zip(INTERVALS, spans, limits, strict=True):
            span = span[(span > low) & (span < high)]
            medians[name] = float(np.median(span)) if len(span) else np.nan
    return medians


def waves(signal: Floats, rate: int) -> Floats:
    """(3, 12) tallest R, deepest S and the T wave's extreme of the median beat of (samples, 12), mV; NaN without beats."""
    band, high = (
        butter(2, edge, kind, fs=rate, output="sos") for edge, kind in (([5, 25], "bandpass"), (0.5, "highpass"))
    )
    activity = uniform_filter1d(np.abs(sosfiltfilt(band, signal, axis=0)).sum(1), max(1, int(0.05 * rate)))
    peaks = find_peaks(activity, height=0.45 * np.quantile(activity, 0.995), distance=int(0.3 * rate))[0]
    before, after = int(0.35 * rate), int(0.55 * rate)
    inside = [peak for peak in peaks if before < peak < len(signal) - after]
    if len(inside) < 3:
        return np.full((3, signal.shape[1]), np.nan)
    level = sosfiltfilt(high, signal, axis=0)
    beats = np.stack([level[peak - before : peak + after] for peak in inside])
    beat = np.median(beats - beats[:, int(0.22 * rate) : int(0.26 * rate)].mean(1, keepdims=True), axis=0)
    qrs = beat[int(0.27 * rate) : int(0.44 * rate)]
    late = beat[int(0.50 * rate) : int(0.80 * rate)]
    return np.stack([qrs.max(0), qrs.min(0), late[np.abs(late).argmax(0), range(late.shape[1])]])


def qrs_width(signal: Floats, peaks: NDArray[np.int64], rate: int) -> float:
    """How long the median beat of (samples, 12) keeps moving, in any lead, at over 8 % of its greatest speed; ms."""
    before, after = int(0.3 * rate), int(0.4 * rate)
    smooth = sosfiltfilt(butter(4, 40, fs=rate, output="sos"), signal, axis=0)
    inside = [peak for peak in peaks if before < peak < len(signal) - after]
    beat = np.median([smooth[peak - before : peak + after] for peak in inside], axis=0)
    speed = np.abs(np.diff(beat, axis=0)).max(1)
    moving = np.flatnonzero(speed > 0.08 * speed.max())
    runs = np.split(moving, np.flatnonzero(np.diff(moving) > 0.012 * rate) + 1)
    return float(np.ptp(next(run for run in runs if speed.argmax() in run))) * 1000 / rate


def amplitudes(signals: Floats) -> Floats:
    """(records, 12) from the 0.5th to the 99.5th percentile of each lead, mV: the height of the QRS, without outliers."""
    low, high = np.percentile(signals, [0.5, 99.5], axis=1)
    return np.asarray(high - low)


def spectrum(signals: Floats, rate: int) -> tuple[Floats, Floats]:
    """Frequencies, and the median power density over recordings and leads in dB of mV²/Hz."""
    frequencies, power = welch(signals, rate, nperseg=min(4 * rate, signals.shape[1]), axis=1)
    return frequencies, 10 * np.log10(np.median(power.mean(2), axis=0) + 1e-12)


def compare(real: Floats, simulated: Floats) -> dict[str, float]:
    """Medians, 5th and 95th percentiles, and the Kolmogorov–Smirnov distance of two samples, NaN left out."""
    real, simulated = real[~np.isnan(real)], simulated[~np.isnan(simulated)]
    names = ("5%", "median", "95%")
    summary = {
        f"real {name}": float(value) for name, value in zip(names, np.percentile(real, [5, 50, 95]), strict=True)
    }
    quantiles = np.percentile(simulated, [5, 50, 95])
    summary |= {f"simulated {name}": float(value) for name, value in zip(names, quantiles, strict=True)}
    return summary | {"distance": float(ks_2samp(real, simulated).statistic)}
