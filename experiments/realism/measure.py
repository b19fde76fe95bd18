"""What is measured of a recording: rate and intervals by a delineator, amplitudes, and the power spectrum."""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch
from scipy.stats import ks_2samp

Floats = NDArray[np.floating]
INTERVALS = ("heart rate, /min", "PR, ms", "QRS, ms", "QT, ms")


def intervals(signal: Floats, rate: int) -> dict[str, float]:
    """Medians over the beats of lead II (samples, 12), by NeuroKit2's wavelet delineation; NaN where it finds none."""
    import neurokit2 as nk

    found = dict.fromkeys(INTERVALS, np.nan)
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
            return found
        p, on, off, t = (
            np.asarray(waves[f"ECG_{name}"], float) * 1000 / rate
            for name in ("P_Onsets", "R_Onsets", "R_Offsets", "T_Offsets")
        )
        count = min(map(len, (p, on, off, t)))
        p, on, off, t = (each[:count] for each in (p, on, off, t))
        spans = (60000 / np.diff(np.asarray(peaks) * 1000 / rate), on - p, off - on, t - on)
        limits = ((20, 250), (60, 450), (40, 250), (200, 700))
        for name, span, (low, high) in zip(INTERVALS, spans, limits, strict=True):
            span = span[(span > low) & (span < high)]
            found[name] = float(np.median(span)) if len(span) else np.nan
    return found


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
    found = {f"real {name}": float(value) for name, value in zip(names, np.percentile(real, [5, 50, 95]), strict=True)}
    quantiles = np.percentile(simulated, [5, 50, 95])
    found |= {f"simulated {name}": float(value) for name, value in zip(names, quantiles, strict=True)}
    return found | {"distance": float(ks_2samp(real, simulated).statistic)}
