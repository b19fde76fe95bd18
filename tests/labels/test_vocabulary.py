"""The vocabulary against the archives' own tables."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from ecg_lightning.errors import UserError
from ecg_lightning.labels import TERMS, ancestors, annotated_by
from ecg_lightning.labels.vocabulary import CODE_COLUMNS, lists, rows

KINDS = {"diagnostic", "form", "rhythm", "clinical", "technical"}


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def statements(shared_data: Path) -> dict[str, dict[str, str]]:
    return {row[""]: row for row in read_rows(shared_data / "ptbxl" / "scp_statements.csv")}


@pytest.fixture(scope="module")
def challenge(shared_data: Path) -> list[dict[str, str]]:
    codes = shared_data / "codes" / "cinc2021"
    return read_rows(codes / "dx_mapping_scored.csv") + read_rows(codes / "dx_mapping_unscored.csv")


def test_every_row_is_complete_and_named_once() -> None:
    names = [row["term"] for row in rows("terms.csv")]
    assert len(names) == len(set(names)) == len(TERMS)
    assert len({term.name for term in TERMS.values()}) == len(TERMS)
    for term in TERMS.values():
        assert term.name and term.kind and term.source, term
        assert set(term.kind) <= KINDS, term
        assert set(term.broader) <= set(TERMS), term
        assert term.term == term.term.upper() and not set(term.term) & set("|+= :"), term


def test_no_term_is_a_kind_of_itself() -> None:
    for term in TERMS:
        assert term not in ancestors(term)
    assert ancestors("CRBBB") == {"RBBB", "BBB"}
    assert ancestors("VBIG") == {"PVC", "VPB", "BIGU"}


def test_a_code_names_one_term() -> None:
    """Only what a compound statement says, an AHA pair or a text of LUDB, may be several terms."""
    for system in CODE_COLUMNS:
        codes = Counter(code for term in TERMS.values() for code in term.codes[system])
        twice = {code for code, count in codes.items() if count > 1}
        assert all(
            (system == "aha" and "+" in code)
            or (system == "ludb" and code.startswith(("Scar", "Atrial", "Ventr", "STEMI")))
            for code in twice
        ), twice


def test_the_71_statements_of_ptbxl_are_there(statements: dict[str, dict[str, str]]) -> None:
    assert [term.term for term in TERMS.values() if term.codes["scp"]] == sorted(statements)
    for name, row in statements.items():
        kinds = tuple(kind for kind in ("diagnostic", "form", "rhythm") if row[kind] == "1.0")
        assert TERMS[name].kind == kinds and TERMS[name].codes["scp"] == (name,)
        assert bool(TERMS[name].codes["snomed"]) != bool(TERMS[name].snomed_broader), name


def test_no_statement_of_ptbxl_is_a_kind_of_another(statements: dict[str, dict[str, str]]) -> None:
    assert not [name for name in statements if ancestors(name) & set(statements)]


def test_aha_codes_are_those_of_ptbxl(statements: dict[str, dict[str, str]]) -> None:
    """Except that the AHA list has no statement of first degree block, and does not say that 104 and 106 are complete."""
    elsewhere = {"LPR": "1AVB", "CLBBB": "LBBB", "CRBBB": "RBBB"}
    for name, row in statements.items():
        if row["AHA code"]:
            assert row["AHA code"] in TERMS[elsewhere.get(name, name)].codes["aha"], name


def test_every_code_of_the_challenge_is_covered(challenge: list[dict[str, str]]) -> None:
    covered = {code for term in TERMS.values() for code in term.codes["snomed"]}
    assert len(challenge) == 30 + 103
    assert {row["SNOMEDCTCode"] for row in challenge} <= covered


def test_near_synonyms_stay_apart() -> None:
    of = {code: term.term for term in TERMS.values() for code in term.codes["snomed"]}
    pairs = [
        ("59118001", "713427006"),
        ("164909002", "733534002"),
        ("284470004", "63593006"),
        ("427172004", "17338001"),
    ]
    assert [(of[a], of[b]) for a, b in pairs] == [("RBBB", "CRBBB"), ("LBBB", "CLBBB"), ("PAC", "SVPB"), ("PVC", "VPB")]
    assert of["426783006"] == "SR" and of["164889003"] == "AFIB" and of["164854000"] == "NORM"


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ("cpsc_extra", ["CPSC_Extra"]),
        ("georgia", ["Georgia"]),
        ("chapman", ["Chapman_Shaoxing"]),
        ("ningbo", ["Ningbo"]),
        ("chapman_ningbo", ["Chapman_Shaoxing", "Ningbo"]),
        ("ptbdb", ["PTB"]),
        ("incart", ["StPetersburg"]),
    ],
)
def test_a_source_annotates_what_the_challenge_counts_in_it(
    source: str, columns: list[str], challenge: list[dict[str, str]]
) -> None:
    of = {code: term.term for term in TERMS.values() for code in term.codes["snomed"]}
    counted = {of[row["SNOMEDCTCode"]] for row in challenge if any(int(row[column]) for column in columns)}
    sinus_of_normals_alone = {"SR"} if source in ("cpsc_extra", "georgia", "ptbdb") else set()
    ambiguous = {"AFIB", "AFAFL"} if "ningbo" in source else set()
    assert annotated_by(source) == (counted - sinus_of_normals_alone) | ambiguous


def test_other_sources_annotate_their_own_codes() -> None:
    def having(system: str) -> set[str]:
        return {term.term for term in TERMS.values() if term.codes[system]}

    assert annotated_by("ptbxl") & having("scp") == having("scp")
    assert annotated_by("code15") == annotated_by("code_test") == having("code15")
    assert annotated_by("cpsc2018") == having("cpsc2018") and len(annotated_by("cpsc2018")) == 9
    assert annotated_by("ludb") >= having("ludb")
    assert annotated_by("mimic_iv_ecg") >= {
        term for row in rows("mimic.csv") for term in row["terms"].split("|") if term
    }
    for source in ("ptbxl", "sph", "ludb"):  # what is added is broader than what the source says itself
        system = {"ptbxl": "scp", "sph": "aha", "ludb": "ludb"}[source]
        added = annotated_by(source) - having(system)
        assert added <= {parent for term in annotated_by(source) & having(system) for parent in ancestors(term)}


def test_every_list_names_terms() -> None:
    for source, terms in lists("annotated.yaml").items():
        assert len(terms) == len(set(terms)) and set(terms) <= set(TERMS), source


def test_an_unknown_source_is_answered_with_the_choices() -> None:
    with pytest.raises(UserError, match=r"no source 'ptb-xl'. Did you mean: 'ptbxl'.*georgia"):
        annotated_by("ptb-xl")
