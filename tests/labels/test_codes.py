"""Every code that the archives write is a term, and the right one."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecg_lightning.errors import UserError
from ecg_lightning.labels import SYSTEMS, TERMS, Annotation, ancestors, annotated_by, translate, vocabulary
from ecg_lightning.labels.vocabulary import rows

CINC = {
    "georgia": "georgia",
    "georgia_2020_headers": "georgia",
    "chapman_ningbo": "chapman_ningbo",
    "cpsc2018": "cpsc2018",
    "cpsc2018_extra": "cpsc_extra",
    "ptbdb_cinc": "ptbdb",
}


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def header_codes(folder: Path) -> Iterator[list[str]]:
    for header in sorted(folder.glob("*.hea")):
        match = re.search(r"^#\s*Dx:\s*(.+)$", header.read_text(), re.MULTILINE)
        assert match, header
        yield [code.strip() for code in match[1].split(",")]


def terms_of(system: str, code: str, source: str = "") -> frozenset[str]:
    """The positive terms of one code."""
    return translate(system, [code], source).positive


@pytest.mark.parametrize(
    ("system", "code", "terms"),
    [
        ("snomed", "426783006", ("SR",)),
        ("snomed", "164889003", ("AFIB",)),
        ("snomed", "164890007", ("AFLT",)),
        ("snomed", "164884008", ("PVC",)),
        ("scp", "NORM", ("NORM",)),
        ("scp", "LAO/LAE", ("LAO/LAE",)),
        ("chapman", "AFIB", ("AFIB",)),
        ("chapman", "AF", ("AFLT",)),
        ("chapman", "SA", ("SARRH",)),
        ("code15", "AF", ("AFIB",)),
        ("code15", "1dAVb", ("1AVB",)),
        ("code15", "ST", ("STACH",)),
        ("aha", "60+310", ("PVC",)),
        ("aha", "82", ("1AVB",)),
        ("aha", "1", ("NORM",)),
        ("aha", "145+362", ("STD_",)),
        ("aha", "147+367", ("INVT",)),
        ("aha", "160+332", ("AMI", "OLDMI")),
        ("aha", "22+310+349", ("SBRAD",)),
        ("ludb", "i degree AV  block", ("1AVB",)),
        ("ludb", "STEMI: inferior wall", ("IMI", "STEMI")),
        ("mimic", "Sinus rhythm with PVCs", ("PVC", "SR")),
        ("snomed", "1", ()),
        ("aha", "999+310", ()),
    ],
)
def test_codes_whose_meaning_is_known(system: str, code: str, terms: tuple[str, ...]) -> None:
    assert translate(system, [code]) == Annotation(frozenset(terms), unknown=() if terms else (code,))


def test_the_nine_classes_of_cpsc2018() -> None:
    nine = ["NORM", "AFIB", "1AVB", "LBBB", "RBBB", "PAC", "PVC", "STD_", "STE_"]
    assert [terms_of("cpsc2018", str(number)) for number in range(1, 10)] == [{term} for term in nine]


def test_cpsc2018_says_the_same_in_both_of_its_forms() -> None:
    """The Challenge's codes for the nine classes, as dx_mapping counts them in CPSC."""
    codes = ["426783006", "164889003", "270492004", "164909002", "59118001", "284470004"]
    codes += ["164884008", "429622005", "164931005"]
    terms = [terms_of("snomed", code, source="cpsc2018") for code in codes]
    assert terms == [terms_of("cpsc2018", str(number)) for number in range(1, 10)]


def test_flutter_of_ningbo_is_fibrillation_or_flutter() -> None:
    assert terms_of("snomed", "164890007", source="ningbo") == {"AFAFL"}
    assert terms_of("snomed", "164890007", source="chapman") == {"AFLT"}


def test_overrides_name_sources_and_terms() -> None:
    for row in rows("overrides.csv"):
        assert row["term"] in annotated_by(row["source"]) and row["note"]
        assert terms_of(row["system"], row["code"]) != {row["term"]}


def test_an_unknown_system_is_answered_with_the_choices() -> None:
    with pytest.raises(UserError, match=r"no code system 'snomedct'\. Did you mean: 'snomed'"):
        translate("snomedct", ())


def test_unknown_codes_are_handed_back() -> None:
    codes = ["1", "777", "60+310", "x", "777"]
    assert translate("aha", codes) == Annotation(frozenset({"NORM", "PVC"}), unknown=("777", "x"))
    assert translate("mimic", ["Sinus rhythm", "Zebra"]) == Annotation(frozenset({"SR"}), unknown=("Zebra",))
    assert translate("snomed", []) == translate("mimic", []) == Annotation()


def test_a_code_of_a_table_of_numbers_keeps_the_sense_of_its_source() -> None:
    assert terms_of("snomed", "426783006.0", source="cpsc2018") == {"NORM"}
    assert translate("aha", ["999+310.0"]).unknown == ("999+310.0",)


def test_every_system_answers_with_an_annotation() -> None:
    assert {*SYSTEMS} == {"scp", "snomed", "aha", "chapman", "code15", "cpsc2018", "ludb", "mimic"}
    for system in SYSTEMS:
        assert translate(system, ["no such code"]) == Annotation(unknown=("no such code",))


@pytest.mark.parametrize("folder", CINC)
def test_every_header_of_the_challenge_is_read(folder: str, shared_data: Path) -> None:
    source = CINC[folder]
    records = list(header_codes(shared_data / folder))
    assert records
    for codes in records:
        annotation = translate("snomed", codes, source)
        assert not annotation.unknown and len(annotation.positive) == len(set(codes))
        assert annotation.positive - {"SR"} <= annotated_by(source), codes


def test_counts_of_georgia_are_those_of_its_headers(shared_data: Path) -> None:
    records = [translate("snomed", codes).positive for codes in header_codes(shared_data / "georgia")]
    counted = {
        term: sum(term in record for record in records) for term in ("SBRAD", "SR", "STACH", "AFIB", "RBBB", "VPB")
    }
    assert counted == {"SBRAD": 14, "SR": 12, "STACH": 10, "AFIB": 4, "RBBB": 4, "VPB": 2}


def test_every_code_of_sph_is_read(shared_data: Path) -> None:
    statements = {row["Code"]: row for row in read_rows(shared_data / "sph" / "code.csv")}
    assert all(terms_of("aha", code) for code, row in statements.items() if row["Category"] != "Modifier")
    for row in read_rows(shared_data / "sph" / "metadata.csv"):
        annotation = translate("aha", row["AHA_Code"].split(";"))
        assert not annotation.unknown and annotation.positive <= annotated_by("sph"), row


def test_the_aha_table_of_leinonen_agrees(shared_data: Path) -> None:
    for row in read_rows(shared_data / "codes" / "AHA_SNOMED_mapping.csv"):
        assert set(terms_of("snomed", row["SNOMEDCTCode"])) <= set(terms_of("aha", row["AHA_Code"])), row


def test_the_table_of_chapman_agrees(shared_data: Path) -> None:
    """Same term as the table's SNOMED code, a kind of it, or one of six that the table codes more coarsely than it says."""
    coarser = {"LBBBB": "LPFB", "LFBBB": "LAFB", "LVQRSAL": "LVOLT", "STE": "STIAB", "SAAWR": "SAAWR", "AVNRT": "AVNRT"}
    for row in read_rows(shared_data / "codes" / "chapman" / "ConditionNames_SNOMED-CT.csv"):
        (term,) = terms_of("chapman", row["AcronymName"])
        (coded,) = terms_of("snomed", row["Snomed_CT"])
        assert coded == term or coded in ancestors(term) or coarser[row["AcronymName"]] == term, row


def test_every_text_of_ludb_is_read(shared_data: Path) -> None:
    columns = slice(3, None)
    for row in read_rows(shared_data / "ludb" / "ludb.csv"):
        texts = [text for cell in list(row.values())[columns] for text in cell.splitlines() if text]
        annotation = translate("ludb", texts)
        assert not annotation.unknown and annotation.positive <= annotated_by("ludb"), row["ID"]


def test_counts_of_ludb_are_those_of_its_readme(shared_data: Path) -> None:
    """The README counts subjects, as ludb.csv does; sinus arrhythmia here includes its two irregular sinus rhythms."""
    table = read_rows(shared_data / "ludb" / "ludb.csv")
    records = [
        translate("ludb", [text for cell in list(row.values())[3:] for text in cell.splitlines() if text]).positive
        for row in table
    ]
    readme = {"SR": 143, "STACH": 4, "SBRAD": 25, "SARRH": 10, "AFIB": 15, "AFLT": 3, "LAD": 66, "RAD": 3, "1AVB": 10}
    readme |= {
        "3AVB": 5,
        "IRBBB": 29,
        "ILBBB": 6,
        "LAFB": 16,
        "CRBBB": 4,
        "CLBBB": 4,
        "LVH": 108,
        "RVH": 3,
        "EREPOL": 9,
    }
    assert {term: sum(term in record for record in records) for term in readme} == readme


def test_the_columns_of_code_are_read(shared_data: Path) -> None:
    columns = ["1dAVb", "RBBB", "LBBB", "SB", "ST", "AF"]
    header = read_rows(shared_data / "code15" / "meta.csv")[0]
    assert set(columns) <= set(header)
    assert [terms_of("code15", column) for column in columns] == [
        {"1AVB"}, {"RBBB"}, {"LBBB"}, {"SBRAD"}, {"STACH"}, {"AFIB"},
    ]  # fmt: skip


def test_terms_have_sources_that_the_vocabulary_explains() -> None:
    explained = set(re.findall(r"^(\w+) +\S", vocabulary.__doc__ or "", re.MULTILINE))
    assert {source for term in TERMS.values() for source in term.source} <= explained
