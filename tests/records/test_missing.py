"""Words by which tables and headers say nothing, and what is no such word."""

import numpy as np
import pytest

from ecg_lightning.labels import TERMS, translate
from ecg_lightning.labels.vocabulary import rows
from ecg_lightning.records import parse_age, parse_patient, parse_sex, stated, stated_id

WORDS = (
    "", " ", "NA", "n/a", "N.A.", "#N/A", "<NA>", "NaN", "-nan", "NaT", "NULL", "(null)", "[NULL]", "None", "nil", "Unknown",
    " UNKNOWN ", "unk", "Unk.", "unspecified", "not available", "Not_Recorded", "missing", "undefined", "unbekannt",
    "Keine Angabe", "inconnu", "desconocido", "-", "--", "---", "–", "?", "??", ".", "..", "_", "*", "'NA'", '"null"', "\ufeffNA",
    "\xa0",
)  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_a_word_for_missing_states_nothing(word: str) -> None:
    assert stated(word) == stated_id(word) == parse_sex(word) == ""
    assert np.isnan(parse_age(word))
    patient = parse_patient(f"#Age: {word}\n#Sex: {word}\n# Patient ID: {word}\n#Dx: {word}\n")
    assert (patient.patient_id, patient.sex, patient.codes, patient.flags) == ("", "", (), ())


def test_no_code_and_no_phrase_of_the_vocabulary_is_a_word_for_missing() -> None:
    codes = [code for term in TERMS.values() for column in term.codes.values() for code in (*column, term.term)]
    phrases = [row["phrase"] for row in rows("mimic.csv")]
    assert all(map(stated, codes)) and all(map(stated, phrases))
    assert translate("mimic", ["Sinus rhythm"]).positive == {"SR"}


def test_what_is_stated_stays_as_it_is() -> None:
    for text in ("0", "+", "N", "U", "1.10", "007", "Nan Li", "NORM", "A/N", "nonspecific", "-12345"):
        assert stated(f" {text} ") == text
    assert [stated_id(text) for text in ("7.0", "7.00", "007.0", "1.10", "A.0", "-1", "-9.0", "-12345", "0")] == [
        "7", "7", "007", "1.10", "A.0", "", "", "-12345", "0",
    ]  # fmt: skip


def test_all_lines_of_a_header_count() -> None:
    patient = parse_patient(
        "#Dx: 164889003\n# dx : 284470004, 164889003\n#DX:59118001;NA|10370003\n## Dx: 1 2\n#Dx:Unknown"
    )
    assert patient.codes == ("164889003", "284470004", "59118001", "10370003", "1", "2")
    assert parse_patient("#Dx: Sinus rhythm, left axis").codes == ("Sinus rhythm", "left axis")


def test_what_lines_contradict_is_unknown_and_flagged() -> None:
    patient = parse_patient("#Age: 50\n#Age: NaN\n#age: 50.0\n#Sex: F\n#Gender: Female\n")
    assert (patient.age, patient.sex, patient.flags) == (50.0, "F", ())
    patient = parse_patient("#Age: 50\n#Age: 51\n#Sex: F\n#Sex: male\n# Patient ID: 1\n# Patient ID: 2.0\n")
    assert np.isnan(patient.age) and patient.sex == patient.patient_id == ""
    assert {*patient.flags} == {"contradictory:age", "contradictory:sex", "contradictory:patient"}


def test_a_sex_is_a_word_that_means_it() -> None:
    assert [*map(parse_sex, ("F", "female", "Frau", "weiblich", "mujer", "Femme"))] == ["F"] * 6
    assert [*map(parse_sex, ("M", "Male.", "MÄNNLICH", "hombre", "homme"))] == ["M"] * 5
    assert [*map(parse_sex, ("Missing", "fehlt", "maybe", "U", "W", "X", "1"))] == [""] * 7
