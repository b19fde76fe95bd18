"""Simulated recordings measured beside real ones, by the study's own tools (experiments/realism)."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from ecg_lightning.records import read_wfdb
from ecg_lightning.simulator import TERMS, Hospital, simulate

RATE = 500


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    pytest.importorskip("neurokit2")
    path = Path(__file__).parents[2] / "experiments" / "realism" / "measure.py"
    spec = importlib.util.spec_from_file_location("measure", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pair(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Signals (40, samples, 12) in mV: real, simulated."""
    files = sorted((shared_data / "ptbxl" / "records500").rglob("*.hea"))[:40]
    real = np.stack([read_wfdb(file.with_suffix("")).signal.T for file in files])
    return real, simulate(Hospital.load("ptbxl_like"), range(40), 0, RATE).signals / np.float32(1000)


def test_rate_and_intervals_are_those_of_real_recordings(
    measure: ModuleType, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    measured = [[measure.intervals(each, RATE) for each in kind] for kind in pair]
    medians = [{name: np.nanmedian([row[name] for row in rows]) for name in measure.INTERVALS} for rows in measured]
    for name, most in zip(measure.INTERVALS, (15, 35, 25, 45), strict=True):
        assert abs(medians[0][name] - medians[1][name]) < most, name


def test_amplitudes_are_those_of_real_recordings(measure: ModuleType, pair: tuple[np.ndarray, np.ndarray]) -> None:
    real, simulated = (np.median(measure.amplitudes(kind), axis=0) for kind in pair)
    assert (np.abs(np.log2(simulated / real)) < 0.65).all()


def test_the_spectrum_is_that_of_real_recordings(measure: ModuleType, pair: tuple[np.ndarray, np.ndarray]) -> None:
    (frequencies, real), (_, simulated) = (measure.spectrum(kind, RATE) for kind in pair)
    for low, high, most in ((1, 40, 3), (40, 100, 6)):  # dB
        band = (frequencies >= low) & (frequencies <= high)
        assert np.abs(real - simulated)[band].mean() < most, (low, high)


@pytest.mark.parametrize("term", ["NORM", "CRBBB", "CLBBB", "LAFB", "INVT"])
def test_each_diagnosis_has_the_waves_of_real_recordings(measure: ModuleType, shared_data: Path, term: str) -> None:
    table = pd.read_csv(shared_data / "ptbxl" / "ptbxl_database.csv")
    rows = table[table["scp_codes"].str.contains(f"'{term}'") & (table["strat_fold"] < 10)][:30]
    real = [read_wfdb(shared_data / "ptbxl" / name).signal.T for name in rows["filename_lr"]]
    archive = simulate(Hospital.load("ptbxl_like"), range(1500), 0, 100)
    simulated = archive.signals[archive.labels[:, TERMS.index(term)]][:60] / np.float32(1000)
    real_waves, simulated_waves = (
        np.nanmedian([measure.waves(each, 100) for each in kind], axis=0) for kind in (real, simulated)
    )
    assert np.corrcoef(real_waves.ravel(), simulated_waves.ravel())[0, 1] > 0.9
    assert np.abs(real_waves - simulated_waves).mean() < 0.25  # mV, over R, S and T of twelve leads


@pytest.mark.parametrize("terms", [("LAFB",), ("CRBBB", "LAFB"), ("PACE",)])
def test_hearts_that_are_activated_upwards_have_deep_s_waves_in_v3_to_v5(
    shared_data: Path, terms: tuple[str, ...]
) -> None:
    table = pd.read_csv(shared_data / "ptbxl" / "ptbxl_database.csv")
    table = table[table["strat_fold"] < 10]
    rows = table[[all(f"'{term}'" in codes for term in terms) for codes in table["scp_codes"]]][:100]
    real = np.stack([read_wfdb(shared_data / "ptbxl" / name).signal.T for name in rows["filename_lr"]])
    archive = simulate(Hospital.load("broad"), range(4000), 0, 100)
    positive = archive.labels[:, [TERMS.index(term) for term in terms]].all(1)
    simulated = archive.signals[positive] / np.float32(1000)

    def s_waves(signals: np.ndarray) -> float:
        leads = signals[:, :, 8:11]
        return float(np.median(np.median(leads, axis=1) - np.percentile(leads, 0.8, axis=1), axis=0).sum())

    assert len(real) >= 12
    assert 0.6 < s_waves(simulated) / s_waves(real) < 1.4


def test_comparison_is_scipys(measure: ModuleType) -> None:
    comparison = measure.compare(np.array([1.0, 2, 3, np.nan]), np.array([2.0, 3, 4]))
    assert (comparison["real median"], comparison["simulated median"]) == (2, 3)
    assert comparison["distance"] == pytest.approx(1 / 3)
