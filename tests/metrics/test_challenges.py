"""The scores of benchmark and challenges, worked by hand on small cases, and the weights against the challenges' own files."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ecg_lightning.labels import LabelSpace
from ecg_lightning.labels.vocabulary import TERMS
from ecg_lightning.metrics import Outputs
from ecg_lightning.metrics.challenges import (
    CINC2020,
    CINC2021,
    CPSC,
    CPSC2018,
    Betas,
    CinC,
    FMax,
    columns_of,
    credits_of,
)

ONCE = np.ones((3, 1))


@pytest.mark.parametrize(("year", "classes"), [(2020, CINC2020), (2021, CINC2021)])
def test_the_credits_are_those_of_the_challenges_file(shared_data: Path, year: int, classes: tuple[str, ...]) -> None:
    with (shared_data / "codes" / f"cinc{year}" / "weights.csv").open() as file:
        (_, *columns), *rows = csv.reader(file)
    names = [frozenset(code.split("|")) for code in columns]
    matrix = np.array([row[1:] for row in rows], float)
    codes = [{code for term in name.split("|") for code in TERMS[term].codes["snomed"]} for name in classes]
    place = [next(k for k, name in enumerate(names) if name & of_class) for of_class in codes]
    assert all(any(name & of_class for of_class in codes) for name in names)  # all scored classes are there
    np.testing.assert_allclose(credits_of(classes), matrix[np.ix_(place, place)], atol=1e-12)


def test_the_challenge_score_by_hand() -> None:
    # AFIB in place of AFLT earns ½, SR in place of AFIB ½ - ¼, and any term in place of itself 1.
    classes = ("AFIB", "AFLT", "SR")
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], bool)
    called = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]], bool)
    score = CinC.of(labels, called, np.ones((3, 3), bool), classes)
    assert score.observed.tolist() == [(1 + 0.5) / 2, 0.5 / 2, 1]  # divided by the terms in labels or outputs
    assert score.correct.tolist() == [1, 1, 1]
    assert score.inactive.tolist() == [0.25 / 2, 0.25 / 2, 1]
    assert score.measure(ONCE) == pytest.approx([(2 - 1.25) / (3 - 1.25)])
    twice_the_first = np.array([[2.0], [1.0], [0.0]])
    assert score.measure(twice_the_first) == pytest.approx([(1.75 - 0.375) / (3 - 0.375)])
    inactive = CinC.of(labels[2:], called[2:], np.ones((1, 3), bool), classes)
    assert inactive.measure(np.ones((1, 1))).tolist() == [0]  # nothing can be earned beyond sinus rhythm


def test_the_challenge_score_is_that_of_its_definition() -> None:
    """The sum over records of the weights between every label and every output, divided by the number of either."""
    rng = np.random.default_rng(0)
    labels, called = (rng.random((40, 26)) < share for share in (0.1, 0.15))
    weights = credits_of(CINC2021)

    def credit(outputs: np.ndarray) -> float:
        total = 0.0
        for label, output in zip(labels, outputs, strict=True):
            either = max(np.count_nonzero(label | output), 1)
            total += sum(weights[j, k] for j in np.flatnonzero(label) for k in np.flatnonzero(output)) / either
        return total

    sinus = np.tile(np.array(CINC2021) == "SR", (40, 1))
    expected = (credit(called) - credit(sinus)) / (credit(labels) - credit(sinus))
    assert CinC.of(labels, called, np.ones_like(labels), CINC2021).measure(np.ones((40, 1))) == pytest.approx(
        [expected]
    )


def test_what_is_not_annotated_is_no_output() -> None:
    labels, called = np.array([[True, False, False]]), np.array([[True, True, False]])
    annotated = np.array([[True, False, True]])
    score = CinC.of(labels, called, annotated, ("AFIB", "AFLT", "SR"))
    assert score.observed.tolist() == [1]


def test_f_and_g_beta_by_hand_in_both_variants() -> None:
    nan = np.nan
    targets = np.array([[1, 1], [0, 1], [0, 0]])  # the last record has no label
    outputs = Outputs.of(np.array([[0.9, 0.2], [0.7, 0.4], [0.8, 0.1]]), targets, [0.5, 0.5])
    # Challenge of 2020. First term: a hit that counts ½, alarms that count 1 and 1. Second: misses of ½ and 1.
    f, g = Betas.of_cinc2020(outputs).measure(ONCE)
    assert f == pytest.approx([(5 * 0.5 / (5 * 0.5 + 2) + 0) / 2])
    assert g == pytest.approx([(0.5 / (0.5 + 2) + 0) / 2])
    # Benchmark: the record without a label is left out.
    f, g = Betas.of_benchmark(outputs).measure(ONCE)
    assert f == pytest.approx([(5 * 0.5 / (5 * 0.5 + 1) + 0) / 2])
    assert g == pytest.approx([(0.5 / (0.5 + 1) + 0) / 2])
    # In the benchmark, a record without any positive call is called what is most probable in it.
    silent = Outputs.of(np.array([[0.9, 0.2], [0.3, 0.4], [0.8, 0.1]]), targets, [0.5, 0.5])
    f, _ = Betas.of_benchmark(silent).measure(ONCE)
    assert f == pytest.approx([(1 + 5 * 1 / (5 * 1 + 4 * 0.5)) / 2])
    # A pair that is not annotated, or not decided, counts nowhere: the first record has one label then.
    masked = Outputs.of(np.array([[0.9, 0.2], [0.3, 0.4], [0.8, 0.1]]), np.array([[1, nan], [0, nan], [0, nan]]), 0.5)
    f, g = Betas.of_cinc2020(masked).measure(ONCE)
    assert f == pytest.approx([5 / 6]) and g == pytest.approx([1 / 2])
    unlearnt = Outputs.of(np.array([[0.9, 0.2], [0.3, 0.4], [0.8, 0.1]]), targets, [0.5, nan])
    assert Betas.of_cinc2020(unlearnt).measure(ONCE)[0] == pytest.approx([5 / 6])


def test_fmax_by_hand() -> None:
    targets = np.array([[1, 0], [1, 1], [0, 0]])  # the last has no label, and counts for the precision alone
    outputs = Outputs.of(np.array([[0.8, 0.6], [0.7, 0.3], [0.2, 0.1]]), targets)
    # at .7: precision (1 + 1)/2, recall (1 + ½)/2; at .3: precision (½ + 1)/2, recall 1; both F1 = .857
    assert FMax.of(outputs).measure(ONCE) == pytest.approx([2 * 0.75 / 1.75])
    weights = np.array([[1.0, 0], [3, 0], [0, 1]])
    # at .3: precision (½ + 3)/4, recall 1
    assert FMax.of(outputs).measure(weights) == pytest.approx([2 * 0.875 / 1.875, np.nan], nan_ok=True)
    alone = Outputs.of(np.array([[0.8, 0.6]]), np.array([[1, np.nan]]))
    assert FMax.of(alone).measure(np.ones((1, 1))).tolist() == [1]  # what is not annotated is no false output


def test_cpsc_by_hand() -> None:
    # Four records, three classes: right; wrong; right by the second label; wrong with two labels, a miss of the first one.
    targets = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1]], float)
    probabilities = np.array([[0.9, 0.1, 0], [0.8, 0.3, 0.1], [0.2, 0, 0.7], [0.6, 0.2, 0.1]])
    score = CPSC.of(probabilities, targets)
    # N₁₁ = 1 of 1 labelled and 3 answered, N₂₂ = 0 of 2 and 0, N₃₃ = 1 of 1 and 1
    assert score.measure(np.ones((4, 1))) == pytest.approx([(2 * 1 / (1 + 3) + 0 + 2 * 1 / (1 + 1)) / 3])
    open_answer = CPSC.of(probabilities[:1], np.array([[np.nan, 1, 0]]))
    assert np.isnan(open_answer.measure(np.ones((1, 1)))).all()  # such a record is left out
    assert not CPSC.of(probabilities[:1], np.zeros((1, 3))).answered.any()


def test_a_score_needs_all_its_classes() -> None:
    space = LabelSpace.load("cinc2021")
    columns = columns_of(CINC2021, space.members)
    assert columns is not None and [space.terms[k] for k in columns] == [name.split("|")[0] for name in CINC2021]
    assert columns_of(CINC2020, space.members) is not None and len(CINC2020) == 24
    assert columns_of(CPSC2018, LabelSpace.load("cpsc2018").members) == list(range(9))
    assert columns_of(CINC2020, LabelSpace.load("ptbxl_all").members) is None  # it has no axis, and PVC without VPB
    backwards = LabelSpace.load(["VPB|PVC", "AFIB"])
    assert columns_of(("AFIB", "PVC|VPB"), backwards.members) == [1, 0]
