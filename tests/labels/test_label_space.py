"""Label spaces: what they are made of, and targets of 1, 0 and NaN."""

import ast
import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ecg_lightning.errors import UserError
from ecg_lightning.labels import TERMS, LabelSpace, ancestors, annotated_by, spaces, translate

NAN = float("nan")


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def statements(shared_data: Path) -> dict[str, dict[str, str]]:
    return {row[""]: row for row in read_rows(shared_data / "ptbxl" / "scp_statements.csv")}


@pytest.fixture(scope="module")
def ptbxl(shared_data: Path) -> list[frozenset[str]]:
    """The statements of every recording, read independently of the package."""
    return [
        frozenset(ast.literal_eval(row["scp_codes"])) for row in read_rows(shared_data / "ptbxl" / "ptbxl_database.csv")
    ]


def encode(items: str | list[str], positive: list[set[str]], annotated: set[str]) -> list[list[float]]:
    rows: list[list[float]] = LabelSpace.load(items).encode(positive, annotated).tolist()
    return rows


def check_equal(actual: list[list[float]], expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(actual, expected)


def test_spaces_have_their_published_sizes() -> None:
    sizes = {"paper7": 7, "ptbxl_all": 71, "ptbxl_diagnostic": 44, "ptbxl_sub": 23, "ptbxl_super": 5, "ptbxl_form": 19}
    sizes |= {"ptbxl_rhythm": 12, "cinc2021": 26, "code15": 6, "cpsc2018": 9, "simulated": 32}
    assert {name: len(LabelSpace.load(name)) for name in spaces()} == sizes


@pytest.mark.parametrize("name", spaces())
def test_a_space_is_made_again_from_its_items(name: str) -> None:
    space = LabelSpace.load(name)
    again = LabelSpace.load(space.items)
    assert (again.terms, again.members, again.aggregate) == (space.terms, space.members, space.aggregate)


@pytest.mark.parametrize(
    ("space", "column"), [("ptbxl_diagnostic", "diagnostic"), ("ptbxl_form", "form"), ("ptbxl_rhythm", "rhythm")]
)
def test_a_task_of_ptbxl_is_its_column(space: str, column: str, statements: dict[str, dict[str, str]]) -> None:
    assert LabelSpace.load(space).terms == tuple(
        sorted(name for name, row in statements.items() if row[column] == "1.0")
    )


@pytest.mark.parametrize(
    ("space", "column"), [("ptbxl_sub", "diagnostic_subclass"), ("ptbxl_super", "diagnostic_class")]
)
def test_a_class_of_ptbxl_is_any_of_its_statements(
    space: str, column: str, statements: dict[str, dict[str, str]]
) -> None:
    classes: dict[str, list[str]] = {}
    for name, row in sorted(statements.items()):
        if row["diagnostic"] == "1.0":
            classes.setdefault(row[column], []).append(name)
    loaded = LabelSpace.load(space)
    assert dict(zip(loaded.terms, loaded.members, strict=True)) == {
        name: tuple(members) for name, members in sorted(classes.items())
    }
    assert list(loaded.terms) == sorted(classes)


def test_cinc2021_is_the_scored_classes_in_the_order_of_its_weights(shared_data: Path) -> None:
    codes = shared_data / "codes" / "cinc2021"
    order = (codes / "weights.csv").read_text().splitlines()[0].split(",")[1:]
    scored = {row["SNOMEDCTCode"] for row in read_rows(codes / "dx_mapping_scored.csv")}
    space = LabelSpace.load("cinc2021")
    merged = [{code for term in members for code in TERMS[term].codes["snomed"]} & scored for members in space.members]
    assert merged == [set(column.split("|")) for column in order]
    assert len(scored) == 30


def test_paper7_counts_what_the_archive_counts(ptbxl: list[frozenset[str]]) -> None:
    counts = {"AFIB": 158, "IRBBB": 139, "PVC": 116, "STACH": 88, "1AVB": 84, "SBRAD": 81, "CRBBB": 45}
    space = LabelSpace.load("paper7")
    targets = space.encode([translate("scp", codes).positive for codes in ptbxl], annotated_by("ptbxl"))
    assert dict(zip(space.terms, targets.sum(axis=0).astype(int).tolist(), strict=True)) == counts
    more = LabelSpace.load(["CLBBB", "SR", "NORM"]).encode(ptbxl, annotated_by("ptbxl"))
    assert more.sum(axis=0).tolist() == [53, 1967, 1237] and len(more) == 2572


def test_ptbxl_all_is_exactly_what_ptbxl_says(ptbxl: list[frozenset[str]]) -> None:
    space = LabelSpace.load("ptbxl_all")
    targets = space.encode(ptbxl, annotated_by("ptbxl"))
    np.testing.assert_array_equal(targets, [[float(term in codes) for term in space.terms] for codes in ptbxl])
    assert targets.dtype == np.float32


@pytest.mark.parametrize("space", [name for name in spaces() if name.startswith("ptbxl")])
def test_every_task_of_ptbxl_is_fully_annotated_in_ptbxl(space: str, ptbxl: list[frozenset[str]]) -> None:
    loaded = LabelSpace.load(space)
    targets = loaded.encode(ptbxl, annotated_by("ptbxl"))
    counts = Counter(
        name for codes in ptbxl for name, of in zip(loaded.terms, loaded.members, strict=True) if codes & {*of}
    )
    assert targets.sum(axis=0).tolist() == [counts[term] for term in loaded.terms]


def test_what_a_source_does_not_annotate_is_nan() -> None:
    check_equal(encode(["AFIB", "IRBBB"], [set(), {"AFIB"}], {"AFIB"}), [[0, NAN], [1, NAN]])


def test_a_narrower_term_makes_its_broader_one_positive() -> None:
    check_equal(encode(["RBBB", "BBB", "LBBB"], [{"CRBBB"}], {"CRBBB", "RBBB", "LBBB"}), [[1, 1, 0]])


def test_a_broader_term_leaves_the_narrower_ones_open() -> None:
    annotated = {"RBBB", "CRBBB", "BBB", "IRBBB", "LBBB"}
    check_equal(encode(["CRBBB", "IRBBB", "LBBB"], [{"RBBB"}], annotated), [[NAN, 0, 0]])
    check_equal(encode(["CRBBB", "IRBBB", "LBBB"], [{"BBB"}], annotated), [[NAN, NAN, NAN]])
    check_equal(encode(["CRBBB", "IRBBB", "LBBB"], [{"BBB", "LBBB"}], annotated), [[0, 0, 1]])


def test_merged_near_synonyms_are_one_output() -> None:
    items = ["CRBBB|RBBB", "PVC|VPB"]
    assert LabelSpace.load(items).terms == ("CRBBB", "PVC")
    check_equal(encode(items, [{"RBBB"}, {"CRBBB"}, {"VPB"}, set()], {"RBBB", "PVC"}), [[1, 0], [1, 0], [0, 1], [0, 0]])
    check_equal(encode(items, [{"BBB"}], {"RBBB", "BBB"}), [[NAN, NAN]])


def test_an_aggregate_is_absent_only_where_all_its_members_are_annotated() -> None:
    items = ["MI=IMI+AMI"]
    check_equal(encode(items, [set(), {"IMI"}], {"IMI"}), [[NAN], [1]])
    check_equal(encode(items, [set(), {"AMI"}, {"MI"}], {"IMI", "AMI"}), [[0], [1], [NAN]])


def test_uncertain_terms_are_open_with_what_is_broader_and_narrower() -> None:
    space = LabelSpace.load(["RBBB", "CRBBB", "BBB", "LBBB"])
    annotated = {"RBBB", "CRBBB", "BBB", "LBBB"}
    targets = space.encode([set(), {"CRBBB"}, set()], annotated, uncertain=[{"RBBB"}, {"RBBB"}, set()])
    check_equal(targets.tolist(), [[NAN, NAN, NAN, 0], [1, 1, 1, 0], [0, 0, 0, 0]])


def test_terms_of_ones_own_need_to_be_said_so() -> None:
    items = ["SR", "own:CHAGAS"]
    assert LabelSpace.load(items).terms == ("SR", "CHAGAS")
    check_equal(encode(items, [{"CHAGAS"}, set(), {"ZEBRA"}], {"CHAGAS"}), [[NAN, 1], [NAN, 0], [NAN, 0]])


def test_no_records_make_an_empty_table() -> None:
    assert LabelSpace.load("paper7").encode([], annotated_by("ptbxl")).shape == (0, 7)


def test_many_records_are_encoded_as_few_are(ptbxl: list[frozenset[str]]) -> None:
    space, annotated = LabelSpace.load("ptbxl_super"), annotated_by("ptbxl")
    once = space.encode(ptbxl, annotated)
    np.testing.assert_array_equal(space.encode(ptbxl * 40, annotated), np.tile(once, (40, 1)))


def test_encoding_agrees_with_the_rules_applied_one_by_one() -> None:
    """An independent, slow reading of the rules over random records of all terms."""
    rng = np.random.default_rng(0)
    names = list(TERMS)
    annotated = set(rng.choice(names, 90, replace=False))
    records = [set(rng.choice(names, rng.integers(0, 5), replace=False).tolist()) for _ in range(200)]
    merged = ["CRBBB|RBBB", "PVC|VPB", "ANY=IMI+AMI+LMI"]
    space = LabelSpace.load([*merged, *(name for name in names if name not in ("CRBBB", "PVC"))])

    def target(members: tuple[str, ...], aggregate: bool, stated: set[str]) -> float:
        closed = stated.union(*(ancestors(term) for term in stated)) if stated else set()
        if closed & {*members}:
            return 1.0
        loose = {term for term in stated if not any(term in ancestors(statement) for statement in stated)}
        if any(parent in loose and parent not in members for member in members for parent in ancestors(member)):
            return NAN
        needed = all if aggregate else any
        return 0.0 if needed(member in annotated for member in members) else NAN

    expected = [
        [target(of, some, stated) for of, some in zip(space.members, space.aggregate, strict=True)]
        for stated in records
    ]
    check_equal(space.encode(records, annotated).tolist(), expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("paper8", r"no label space 'paper8'. Did you mean: 'paper7'\? Choices: paper7, ptbxl_all"),
        (["AFBI"], r"no term 'AFBI'. Did you mean: .*'AFIB'"),
        (["CRBBB|RBB"], "no term 'RBB'"),
        (["AFIB", "SR", "AFIB"], r"names \['AFIB'\] twice"),
        ([], "has no terms"),
    ],
)
def test_mistakes_are_answered_with_choices(wrong: str | list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        LabelSpace.load(wrong)
