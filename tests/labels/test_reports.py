"""Statements of machine reports, and the terms that a reader would take from them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ecg_lightning.labels import TERMS, Annotation, LabelSpace, annotated_by, translate
from ecg_lightning.labels.vocabulary import rows


@pytest.mark.parametrize(
    ("statement", "positive", "uncertain"),
    [
        ("Sinus rhythm", "SR", ""),
        ("SINUS BRADYCARDIA", "SBRAD", ""),
        ("Atrial fibrillation with rapid ventricular response", "AFIB RAFIB", ""),
        ("Sinus rhythm with borderline 1st degree A-V block.", "SR", "1AVB LPR"),
        ("- first degree A-V block", "1AVB LPR", ""),
        ("Right bundle branch block", "RBBB", ""),
        ("Incomplete right bundle branch block", "IRBBB", ""),
        ("RBBB with RAD - possible left posterior fascicular block", "RBBB RAD", "LPFB"),
        ("IV conduction defect of LBBB type", "IVCD", ""),
        ("Ventricular premature complex(es)", "PVC", ""),
        ("Sinus tachycardia with PAC(s)", "STACH PAC", ""),
        ("Left axis deviation", "LAD", ""),
        ("Atrial flutter/fibrillation", "AFAFL", ""),
        ("Atrial flutter with 4:1 A-V block", "AFLT", ""),
        ("Second degree AV block, Mobitz II", "2AVB 2AVB2", ""),
        ("Inferior infarct, old", "IMI OLDMI", ""),
        ("*** INFERIOR INFARCT - POSSIBLY ACUTE ***", "IMI", ""),
        ("Possible anterior infarct - age undetermined", "", "AMI"),
        ("Cannot rule out anteroseptal infarct", "", "ASMI"),
        ("Can not rule out anterior infarct", "", "AMI"),
        ("Q in V1/V2 may be normal variant but septal infarct cannot be excluded", "QWAVE", "SEMI"),
        ("*** CONSIDER ACUTE ST ELEVATION MI ***", "", "STEMI"),
        ("ST elevation, consider early repolarization, pericarditis, or injury", "STE_", "EREPOL"),
        ("Inferior/lateral ST-T changes may be due to myocardial ischemia", "NSSTT", "ISCH"),
        ("Sinus or ectopic atrial rhythm", "", "SR ARH"),
        ("Left ventricular hypertrophy by voltage only", "VCLVH", ""),
        ("Left ventricular hypertrophy", "LVH", ""),
        ("Atrial-sensed ventricular-paced rhythm", "VPACE", ""),
        ("Pacemaker rhythm - no further analysis", "PACE", ""),
        ("Atrial fibrillation is no longer present", "", ""),
        ("Sinus rhythm has replaced atrial fibrillation", "SR", ""),
        ("Atrial fibrillation replaced by sinus rhythm", "SR", ""),
        ("Normal ECG", "NORM", ""),
        ("Abnormal ECG", "", ""),
    ],
)
def test_a_statement_says_what_a_reader_takes_from_it(statement: str, positive: str, uncertain: str) -> None:
    expected = Annotation(frozenset(positive.split()), frozenset(uncertain.split()))
    assert translate("mimic", [statement]) == expected


def test_a_report_is_the_sum_of_its_statements() -> None:
    report = translate("mimic", ["Sinus rhythm", "Possible inferior infarct", "Inferior infarct, old", "Zebra", ""])
    assert report.positive == {"SR", "IMI", "OLDMI"} and not report.uncertain and report.unknown == ("Zebra",)


def test_what_is_possible_is_neither_present_nor_absent() -> None:
    report = translate("mimic", ["Sinus rhythm", "Possible inferior infarct - age undetermined"])
    space = LabelSpace.load(["SR", "IMI", "MI", "AMI"])
    targets = space.encode([report.positive], annotated_by("mimic_iv_ecg"), [report.uncertain])
    np.testing.assert_array_equal(targets, [[1, np.nan, np.nan, 0]])


def test_the_table_names_terms_and_every_phrase_once() -> None:
    table = list(rows("mimic.csv"))
    assert len({row["phrase"] for row in table}) == len(table)
    for row in table:
        expected = {term for term in row["terms"].split("|") if term}
        assert expected <= set(TERMS), row
        assert translate("mimic", [row["phrase"]]).positive <= expected, row


def test_the_aha_statements_are_read_alike_in_words(shared_data: Path) -> None:
    """SPH's list of AHA statements in words, against the same statements in codes."""
    with (shared_data / "sph" / "code.csv").open(encoding="utf-8-sig", newline="") as file:
        statements = [row for row in csv.DictReader(file) if row["Category"] != "Modifier"]
    for row in statements:
        assert translate("aha", [row["Code"]]).positive <= translate("mimic", [row["Description"]]).positive, row
