"""A delineator that knows nothing of the simulator finds the rate, PR, QRS and QT that the labels claim."""

from collections.abc import Sequence

import neurokit2 as nk
import numpy as np
import pytest

from ecg_lightning.simulator import TERMS, Hospital, Simulated, simulate
from ecg_lightning.simulator.hospital import PREVALENCE

RATE = 500
HEALTHY = dict.fromkeys(PREVALENCE, 0.0)


def clean(records: int, seed: int = 0, **prevalence: float) -> Simulated:
    hospital = Hospital(age=45, prevalence=HEALTHY | {name.removeprefix("_"): p for name, p in prevalence.items()})
    return simulate(hospital, range(records), seed, RATE, clean=True)


def find_peaks(signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V5, cleaned, and its R peaks."""
    trace = nk.ecg_clean(signal[:, 10] / 1000, sampling_rate=RATE)
    return trace, np.asarray(nk.ecg_peaks(trace, sampling_rate=RATE)[1]["ECG_R_Peaks"])


def delineate(signal: np.ndarray) -> dict[str, float]:
    """Median rate (1/min), PR and QT (ms)."""
    trace, peaks = find_peaks(signal)
    _, waves = nk.ecg_delineate(trace, peaks, sampling_rate=RATE, method="dwt")
    at = {name: np.array(waves[f"ECG_{name}"], float) for name in ("P_Onsets", "R_Onsets", "T_Offsets")}
    return {
        "heart_rate": 60 * RATE / float(np.median(np.diff(peaks))),
        "pr_ms": 1000 / RATE * float(np.nanmedian(at["R_Onsets"] - at["P_Onsets"])),
        "qt_ms": 1000 / RATE * float(np.nanmedian(at["T_Offsets"] - at["R_Onsets"])),
    }


def compare(archive: Simulated, name: str) -> tuple[np.ndarray, np.ndarray]:
    measured = np.array([delineate(signal)[name] for signal in archive.signals])
    return measured, archive.parameters[name]


@pytest.mark.filterwarnings("ignore")
def test_rate_pr_and_qt_are_found() -> None:
    archive = clean(16, _1AVB=0.4)
    measured = [delineate(signal) for signal in archive.signals]
    # the delineator's own bias on a wave that rises slowly is some 10 ms; a tenth of its answers may be a wrong wave
    for name, bias, tolerance in (("heart_rate", 0, 1.5), ("pr_ms", -12, 15), ("qt_ms", 12, 25)):
        error = np.array([m[name] for m in measured]) - archive.parameters[name]
        error = error[~np.isnan(error)]
        assert len(error) >= 14
        assert np.median(error) == pytest.approx(bias, abs=tolerance), name
        assert np.quantile(np.abs(error - bias), 0.75) < tolerance, name


@pytest.mark.filterwarnings("ignore")
def test_first_degree_block_is_visible() -> None:
    archive = clean(16, _1AVB=0.5)
    measured, _ = compare(archive, "pr_ms")
    labelled = archive.labels[:, TERMS.index("1AVB")]
    assert 4 <= labelled.sum() <= 12
    assert np.nanmedian(measured[labelled]) > 190
    assert np.nanmedian(measured[~labelled]) < 180


def width(signal: np.ndarray) -> float:
    """QRS duration, ms: how long the mean beat keeps moving, in any lead, at over 8 % of its greatest speed."""
    inside = [p for p in find_peaks(signal)[1] if 100 < p < len(signal) - 150]
    speed = np.abs(np.diff(np.mean([signal[p - 100 : p + 150] for p in inside], axis=0), axis=0)).max(1)
    moving = np.flatnonzero(speed > 0.08 * speed.max())
    runs = np.split(moving, np.flatnonzero(np.diff(moving) > 6) + 1)
    return float(np.ptp(next(run for run in runs if speed.argmax() in run))) * 1000 / RATE


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("block", "low", "high"), [("IRBBB", 95, 125), ("CRBBB", 115, 175), ("CLBBB", 115, 185)])
def test_blocks_are_as_wide_as_they_claim(block: str, low: float, high: float) -> None:
    archive = clean(30, **{f"_{block}": 0.8})
    positive = archive.labels[:, TERMS.index(block)]
    widths = np.array([width(signal) for signal in archive.signals[positive]])
    assert low <= np.median(widths) <= high
    assert np.median(np.abs(widths - archive.parameters["qrs_ms"][positive])) < 20


def intervals(term: str, **prevalence: float) -> list[np.ndarray]:
    archive = clean(24, **prevalence)
    positive = archive.labels[:, TERMS.index(term)]
    assert positive.any()
    return [r_intervals(signal) for signal in archive.signals[positive]]


def r_intervals(signal: np.ndarray) -> np.ndarray:
    return np.diff(find_peaks(signal)[1]) / RATE


def variation(all_intervals: Sequence[np.ndarray]) -> float:
    return float(np.median([rr.std() / rr.mean() for rr in all_intervals]))


@pytest.mark.filterwarnings("ignore")
def test_fibrillation_is_irregular_and_sinus_rhythm_is_not() -> None:
    assert variation(intervals("AFIB", AFIB=1.0)) > 0.08
    assert variation(intervals("NORM")) < 0.05


@pytest.mark.filterwarnings("ignore")
def test_a_ventricular_beat_is_early_and_its_pause_compensates() -> None:
    hospital = Hospital(age=45, prevalence=HEALTHY | {"PVC": 1.0})
    archive = simulate(hospital, range(40), 0, RATE, clean=True)
    positive = archive.labels[:, TERMS.index("PVC")]
    assert 0.4 < positive.mean() <= 1
    ratios = []
    for signal in archive.signals[positive]:
        rr = r_intervals(signal)
        early = [k for k in range(1, len(rr) - 1) if rr[k] < 0.85 * np.median(rr) and rr[k + 1] > 1.1 * np.median(rr)]
        ratios += [(rr[k] + rr[k + 1]) / np.median(rr) for k in early]
    assert len(ratios) > 5
    assert np.median(ratios) == pytest.approx(2, abs=0.1)
