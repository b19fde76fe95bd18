"""The archive: reproducible record by record, at any rate and length, and true to the definitions of its labels."""

import numpy as np
import pytest

from ecg_lightning.simulator import TERMS, Hospital, Simulated, simulate
from ecg_lightning.simulator.conditions import draw_conditions
from simulator.reading import HEALTHY

HOSPITAL = Hospital()


@pytest.fixture(scope="module")
def archive() -> Simulated:
    return simulate(HOSPITAL, range(1500), seed=0)


def column(archive: Simulated, term: str) -> np.ndarray:
    return archive.labels[:, TERMS.index(term)]


def test_a_record_is_the_same_in_any_batch(archive: Simulated) -> None:
    again = simulate(HOSPITAL, [700, 3, 1499], seed=0)
    np.testing.assert_array_equal(again.signals, archive.signals[[700, 3, 1499]])
    np.testing.assert_array_equal(again.labels, archive.labels[[700, 3, 1499]])
    for name, values in again.parameters.items():
        np.testing.assert_array_equal(values, archive.parameters[name][[700, 3, 1499]])


def test_another_seed_is_another_archive(archive: Simulated) -> None:
    assert not (simulate(HOSPITAL, range(3), seed=1).signals == archive.signals[:3]).all()


@pytest.mark.parametrize(("rate", "seconds"), [(100, 10), (500, 10), (400, 7.3), (128, 30)])
def test_any_rate_and_length(rate: float, seconds: float) -> None:
    simulated = simulate(HOSPITAL, range(3), seed=0, sampling_rate=rate, seconds=seconds)
    assert simulated.signals.shape == (3, round(rate * seconds), 12)
    assert simulated.signals.dtype == np.int16


def test_no_records() -> None:
    assert simulate(HOSPITAL, [], seed=0).signals.shape == (0, 1000, 12)


@pytest.mark.parametrize("rhythm", ["", "AFIB", "AFLT", "PVC"])
@pytest.mark.parametrize("rate", [257, 360])
def test_any_rate_shows_the_same_heart(rate: int, rhythm: str) -> None:
    hospital = Hospital(prevalence=HEALTHY | ({rhythm: 1.0} if rhythm else {}))
    slow, fast = (simulate(hospital, range(8), 0, each, clean=True) for each in (rate, 1000))
    np.testing.assert_array_equal(slow.labels, fast.labels)
    times, fine = np.arange(slow.signals.shape[1]) / rate, np.arange(10_000) / 1000
    for slow_signal, fast_signal in zip(slow.signals.astype(float), fast.signals.astype(float), strict=True):
        correlations = [
            np.corrcoef(slow_signal[:, k], np.interp(times, fine, fast_signal[:, k]))[0, 1] for k in range(12)
        ]
        assert min(correlations) > 0.97


@pytest.mark.parametrize("seconds", [2.5, 30.0])
def test_any_length_shows_the_same_heart(seconds: float) -> None:
    usual, signals = (simulate(HOSPITAL, range(8), 0, 250, each, clean=True).signals for each in (10, seconds))
    count = min(usual.shape[1], signals.shape[1])
    assert np.abs(usual[:, :count].astype(int) - signals[:, :count]).max() <= 2  # µV, rounded at another place


def test_limb_leads_obey_einthoven_and_goldberger(archive: Simulated) -> None:
    lead_i, lead_ii, lead_iii, avr, avl, avf = np.moveaxis(archive.signals[..., :6].astype(float), -1, 0)
    assert np.abs(lead_i + lead_iii - lead_ii).max() <= 1
    assert np.abs(avr + (lead_i + lead_ii) / 2).max() <= 1
    assert np.abs(avl - (lead_i - lead_iii) / 2).max() <= 1
    assert np.abs(avf - (lead_ii + lead_iii) / 2).max() <= 1


def test_conditions_come_as_often_as_asked() -> None:
    prevalence = {
        "AFIB": 0.3,
        "STACH": 0.2,
        "1AVB": 0.25,
        "PVC": 0.2,
        "CLBBB": 0.15,
        "LAFB": 0.2,
        "INVT": 0.25,
        "LOWT": 0.3,
    }
    conditions, _, _ = draw_conditions(Hospital(prevalence=prevalence), np.arange(6000), 0)
    for term in ("1AVB", "PVC", "LAFB", "INVT", "LOWT"):
        assert conditions.present[term].mean() == pytest.approx(prevalence[term], abs=0.035), term
    assert conditions.is_rhythm("AFIB").mean() == pytest.approx(0.3, abs=0.035)
    assert conditions.is_conduction("CLBBB").mean() == pytest.approx(0.15, abs=0.03)


def test_what_is_not_asked_for_is_hardly_ever_labelled() -> None:
    simulated = simulate(Hospital(prevalence=HEALTHY), range(1000), 0)
    rare = {
        term: column(simulated, term).mean() for term in TERMS if term not in ("NORM", "SR", "SARRH", "IRBBB", "VCLVH")
    }
    assert max(rare.values()) < 0.06, rare
    for term in ("AFIB", "AFLT", "PACE", "PVC", "PAC", "CLBBB", "WPW", "IMI", "LVH"):
        assert not column(simulated, term).any()


def test_labels_follow_from_the_parameters(archive: Simulated) -> None:
    parameters = archive.parameters
    sinus = parameters["rhythm"] == "sinus"
    np.testing.assert_array_equal(column(archive, "STACH"), sinus & (parameters["heart_rate"] > 100))
    np.testing.assert_array_equal(column(archive, "SBRAD"), sinus & (parameters["heart_rate"] < 60))
    np.testing.assert_array_equal(column(archive, "1AVB"), sinus & (parameters["pr_ms"] > 200))
    np.testing.assert_array_equal(column(archive, "AFIB"), parameters["rhythm"] == "AFIB")
    qrs = parameters["qrs_ms"]
    assert ((qrs[column(archive, "IRBBB")] >= 100) & (qrs[column(archive, "IRBBB")] < 120)).all()
    for block in ("CRBBB", "CLBBB"):
        assert (qrs[column(archive, block)] >= 120).all()
    assert (parameters["r_prime_v1"][column(archive, "IRBBB")] > 0).all()
    assert not (column(archive, "NORM") & (column(archive, "CLBBB") | column(archive, "AFIB"))).any()


def test_prevalences_are_the_hospitals() -> None:
    simulated = simulate(Hospital(prevalence={"AFIB": 0.4, "PVC": 0.0, "1AVB": 0.2}), range(1500), seed=0, seconds=5)
    assert column(simulated, "AFIB").mean() == pytest.approx(0.4, abs=0.05)
    assert not column(simulated, "PVC").any()


def test_habits_leave_terms_out() -> None:
    hospital = Hospital.load("small")
    simulated = simulate(hospital, range(1500), seed=0)
    assert "SARRH" not in simulated.annotated
    assert not column(simulated, "SARRH").any()
    fibrillating = (simulated.parameters["rhythm"] == "AFIB").sum()
    assert 0.85 * fibrillating < column(simulated, "AFIB").sum() < fibrillating


def test_patients_keep_their_age_and_sex(archive: Simulated) -> None:
    parameters = archive.parameters
    same_patient = parameters["patient"][1:] == parameters["patient"][:-1]
    assert 0.08 < same_patient.mean() < 0.2
    np.testing.assert_array_equal(parameters["age"][1:][same_patient], parameters["age"][:-1][same_patient])
    np.testing.assert_array_equal(parameters["sex"][1:][same_patient], parameters["sex"][:-1][same_patient])
