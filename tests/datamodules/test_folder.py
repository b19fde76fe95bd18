"""A hospital's codes, labels, splits and lists, and what is said where they are wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fake
from datamodules.hospital import hospital, rewrite, without_codes
from ecg_lightning.datamodules import FolderDataModule
from ecg_lightning.errors import UserError


def test_codes_mean_terms_of_the_map_and_others_are_listed(tmp_path: Path) -> None:
    fake.folder(tmp_path, 7)
    rewrite(tmp_path, lambda t: t.assign(codes=["1.18.2", "1.2.1; 1.18.2", "1.2.2", "", "1.1.1", "7.7", "1.2"]))
    data = hospital(tmp_path, file_rate=1000, separator=";", label_space=["AFIB", "STACH", "SBRAD", "PVC"])
    nan = np.nan  # PVC is not in the map: nobody would have written it
    np.testing.assert_array_equal(
        data.targets,
        [[1, 0, 0, nan], [1, 1, 0, nan], [0, 0, 1, nan], [nan] * 4, *[[0, 0, 0, nan]] * 3],
    )
    assert without_codes(data) == [False] * 3 + [True] + [False] * 3
    unknown = [code for codes in data.store.index["codes"] for code in data.annotation(codes, data.source).unknown]
    assert unknown == ["7.7", "1.2"]


def test_the_map_may_be_a_table(tmp_path: Path) -> None:
    fake.folder(tmp_path, 2)
    (tmp_path / "codes.csv").write_text("code;term;note\n1.10;AFIB;x\n1.10;STACH;\n1.1;own:BLUE;\n9.9;;\n", "utf-8")
    data = hospital(tmp_path, codes={}, code_file="codes.csv")
    assert data.code_terms == {
        "1.10": {"AFIB", "STACH"}, "1.1": {"BLUE"}, "9.9": frozenset(),
    }  # fmt: skip
    assert data.annotated("") == {"AFIB", "STACH", "BLUE"}


def test_a_known_system_explains_what_the_map_does_not(tmp_path: Path) -> None:
    fake.folder(tmp_path, 4)
    rewrite(tmp_path, lambda t: t.assign(codes=["164889003", "427084000|X", "426177001", ""]))
    data = hospital(
        tmp_path, codes={"X": "own:BLUE"}, code_system="snomed", file_rate=1000,
        label_space=["AFIB", "STACH", "SBRAD", "1AVB", "own:BLUE"],
    )  # fmt: skip
    nan = np.nan  # 1AVB occurs nowhere, so that it is not known to be annotated
    np.testing.assert_array_equal(data.targets, [[1, 0, 0, nan, 0], [0, 1, 0, nan, 1], [0, 0, 1, nan, 0], [nan] * 5])
    assert hospital(tmp_path, annotated_terms=["1AVB", "own:BLUE"]).annotated("") == {"1AVB", "BLUE"}


def test_reports_in_words_leave_doubts_open(tmp_path: Path) -> None:
    fake.folder(tmp_path, 2)
    rewrite(tmp_path, lambda t: t.assign(codes=["Sinus rhythm|Possible inferior infarct", "Inferior infarct"]))
    data = hospital(tmp_path, codes={}, code_system="mimic", file_rate=1000, label_space=["IMI", "SR"])
    np.testing.assert_array_equal(data.targets, [[np.nan, 1], [1, 0]])


def test_codes_of_headers_count_where_the_table_has_none(tmp_path: Path) -> None:
    archive = fake.cinc(tmp_path, 7)
    rows = {"path": [item.path.name for item in archive], "patient": [f"p{i // 2}" for i in range(7)]}
    pd.DataFrame(rows).to_csv(tmp_path / "records.csv", index=False)
    data = hospital(tmp_path, codes={}, code_system="snomed", label_space=["AFIB", "STACH"])
    np.testing.assert_array_equal(data.targets[:4], [[0, 0], [1, 0], [0, 0], [0, 1]])
    assert data.store.index["record_id"][0] == "E00001"
    assert data.store.index["age"].tolist() == [item.age for item in archive]  # the header's
    pd.DataFrame(rows | {"codes": ""}).to_csv(tmp_path / "records.csv", index=False)
    empty = hospital(tmp_path, label_space=["AFIB"])
    assert np.isnan(empty.targets).all()  # the table's column counts, though empty
    assert empty.store.index["quality"].tolist() == ["no_codes"] * 7


def test_an_empty_cell_may_mean_that_nothing_was_found(tmp_path: Path) -> None:
    fake.folder(tmp_path, 3)
    rewrite(tmp_path, lambda t: t.assign(codes=["1.18.2", "", "7.7"]))
    options: dict[str, Any] = {"file_rate": 1000, "label_space": ["AFIB", "NORM"]}
    silent = hospital(tmp_path, codes={"1.18.2": "AFIB", "N": "NORM"}, **options)
    np.testing.assert_array_equal(silent.targets, [[1, 0], [np.nan] * 2, [0, 0]])
    assert silent.usable.tolist() == [True, False, True]
    (tmp_path / "codes.csv").write_text("code,term\n1.18.2,AFIB\n,NORM\n,\n")
    for codes in ({"codes": {"1.18.2": "AFIB", "": "NORM"}}, {"codes": {}, "code_file": "codes.csv"}):
        data = hospital(tmp_path, **codes, **options)
        np.testing.assert_array_equal(data.targets, [[1, 0], [0, 1], [0, 0]])
        assert without_codes(data) == [False] * 3
        assert data.store.path != silent.store.path
    (tmp_path / "codes.csv").write_text("code,term\n1.18.2,AFIB\n,\n")  # the empty row of a spreadsheet says nothing
    assert np.isnan(hospital(tmp_path, codes={}, code_file="codes.csv", **options).targets[1]).all()


def test_a_label_stays_where_there_is_no_code(tmp_path: Path) -> None:
    fake.folder(tmp_path, 3)
    rewrite(tmp_path, lambda t: t.assign(codes=["1.18.2", "", ""], AF=["0", "1", ""]))
    data = hospital(
        tmp_path, codes={"1.18.2": "STACH"}, label_columns={"AF": "AFIB"}, file_rate=1000, label_space=["AFIB", "STACH"]
    )
    np.testing.assert_array_equal(data.targets, [[0, 1], [1, np.nan], [np.nan] * 2])
    assert without_codes(data) == [False, True, True]


def test_label_columns_have_three_values(tmp_path: Path) -> None:
    fake.folder(tmp_path, 6)
    rewrite(
        tmp_path,
        lambda t: t.assign(**{"Chagas label": ["True", "0", "", "1.0", "no", "1"], "AF": ["1", "", "0", "", "0", "0"]}),
    )
    data = hospital(
        tmp_path, label_columns={"Chagas label": "own:CHAGAS", "AF": "AFIB"}, file_rate=1000,
        label_space=["own:CHAGAS", "AFIB", "STACH"],
    )  # fmt: skip
    nan = np.nan
    # The codes are 1.1.1, 1.18.2 (AFIB), 9.9.9, 1.2.1 (STACH), 1.2.2, 9.9.9: a code goes before an empty cell.
    np.testing.assert_array_equal(data.targets, [[1, 1, 0], [0, 1, 0], [nan, 0, 0], [1, nan, 1], [0, 0, 0], [1, 0, 0]])


def split_of(data: FolderDataModule) -> list[str]:
    """Train, val, test or nothing for each recording of the store."""
    splits = np.full(len(data.store), "", object)
    for split in ("train", "val", "test"):
        splits[data.rows(split)] = split
    return splits.tolist()


def test_splits_by_month_keep_a_patient_on_the_last_side(tmp_path: Path) -> None:
    fake.folder(tmp_path, 8)
    dates = ["2020-12-31", "2021-01-01", "2021-02-28", "2021-03-01", "2021-05-05", "2020-01-01", "2021-01-09", ""]
    patients = ["a", "b", "c", "d", "e", "e", "c", "f"]
    rewrite(tmp_path, lambda t: t.assign(date=dates, patient=patients))
    data = hospital(tmp_path, file_rate=1000, split_by_date={"val": "2021-01", "test": "2021-03"})
    assert split_of(data) == ["train", "val", "val", "test", "test", "", "val", ""]
    data = hospital(tmp_path, file_rate=1000, split_by_date={"train": "2020-06", "test": "2021-02-28"}, test_folds=[3])
    assert split_of(data) == ["train", "train", "test", "test", "test", "", "", ""]


def test_what_falls_out_of_a_split_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.folder(tmp_path, 6)

    def messages(table: dict[str, Any], **options: Any) -> str:
        rewrite(tmp_path, lambda t: t.assign(**table))
        split_of(hospital(tmp_path, file_rate=1000, **options))
        return capsys.readouterr().err

    months = ["2020-01-01", "2021-02-01", "2021-05-01", "2021-06-01", "", ""]
    by_date = {"val": "2021-01", "test": "2021-03"}
    text = messages({"date": months, "patient": list("aabbcd")}, split_by_date=by_date)
    assert "Split: 2 recordings have no date and are on no side" in text
    assert "Split: 1 recordings are on no side: their patients are on another one too" in text
    text = messages({"split": ["train", "test", "", "", "", "val"], "patient": list("aabbcd")})
    assert "3 recordings have no side" in text and "1 recordings are on no side" in text
    text = messages({"split": ["1", "10", "10", "", "3", "3"], "patient": list("aabbcc")})
    assert "1 recordings have no fold" in text and "1 recordings are of patients who have several folds" in text
    assert not messages({"split": ["1", "10", "10", "3", "3", "3"], "patient": list("abbccc")})
    with pytest.raises(UserError, match=r"no recording has a date; name their column in data.columns.date"):
        messages({"date": ""}, split_by_date=by_date)


def test_splits_as_the_table_says(tmp_path: Path) -> None:
    fake.folder(tmp_path, 6)
    words = ["training", "Validation", "test", "val", "", "train"]
    rewrite(tmp_path, lambda t: t.assign(split=words, patient=list("abcdec")))
    assert split_of(hospital(tmp_path, file_rate=1000)) == ["train", "val", "test", "val", "", ""]
    rewrite(tmp_path, lambda t: t.assign(split=["1", "9", "10", "8", "2", "10"]))
    assert split_of(hospital(tmp_path, file_rate=1000)) == ["train", "val", "test", "train", "train", "test"]


def test_artefacts_duplicates_and_other_hospitals_take_no_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.folder(tmp_path, 6)
    rewrite(tmp_path, lambda t: t.assign(noise=["", "0", "x", "no", "", ""], split="train"))
    (tmp_path / "artefacts.csv").write_text("record,why\nGröße 1,noise\nGröße 77,gone\n", encoding="utf-8")
    (tmp_path / "duplicates.txt").write_text("signals/Größe 5.npy\n\n", encoding="utf-8")
    options = {"file_rate": 1000, "columns": {"leave_out": "noise"}, "leave_out": ["artefacts.csv", "duplicates.txt"]}
    data = hospital(tmp_path, **options)
    assert split_of(data) == ["", "train", "", "train", "", "train"]
    assert "1 of 3 lines of artefacts.csv name no recording, for example 'Größe 77'" in capsys.readouterr().err
    north = hospital(tmp_path, **options, hospitals=["north"])
    assert north.store.path == data.store.path  # lists and choices pack nothing again
    assert split_of(north) == [""] * 6
    assert split_of(hospital(tmp_path, file_rate=1000, hospitals=["south"]))[1::2] == ["train"] * 3


def test_the_hospital_has_its_own_name(tmp_path: Path) -> None:
    fake.folder(tmp_path, 2)
    data = hospital(tmp_path, file_rate=1000, source_name="north-2021")
    assert data.describe()["source"] == "north-2021"
    assert data.store.path.name.startswith("north-2021-500hz-")
    assert FolderDataModule().source == "folder"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"patient": "Patient"}}, r"no column 'Patient' \(the patient's id.*Did you mean: 'patient'.*It has: path,"),
        ({"columns": {"pfad": "path"}}, "there is no 'pfad'. Did you mean: 'path'.*Choices: path, patient, record"),
        ({"columns": {"path": None}}, "data.columns.path is null: a table must have a column with the paths"),
        ({"label_columns": {"Chagas": "own:CHAGAS"}}, "has no column 'Chagas'.*Say which it is: label_columns: \\{…: own:CHAGAS\\}"),
        ({"codes": {"1.18.2": "AFBI"}}, "data.codes '1.18.2': there is no term 'AFBI'. Did you mean .*AFIB.*'own:AFBI'"),
        ({"codes": {"1.18.2": "Atrial Fibrilation"}}, "Did you mean AFIB"),
        ({"codes": {"1.18.2": ["own:AFIB"]}}, "'own:AFIB' is in the vocabulary; write 'AFIB'"),
        ({"codes": {1.1: "AFIB"}}, "YAML read a code as the number 1.1. Put codes in quotes"),
        ({"code_file": "no.csv"}, "There is no file 'no.csv'"),
        ({"codes": {}}, "What are the labels"),
        ({"code_system": "icd"}, "There is no code system 'icd'"),
        ({"label_columns": {"age": "AFIB"}}, r"The column 'age' holds '21', '22'.*first in row 1.*label_columns: write one of 1, 1.0, true"),
        ({"file_unit": "mW"}, "data.file_unit: unknown unit: 'mW' is not V, mV, uV"),
        ({"source_name": "a/b"}, "data.source_name"),
        ({"split_by_date": {"val": "2021-13"}}, "data.split_by_date: 'val: 2021-13'; write, for example"),
        ({"split_by_date": {"val": "2021-02-30"}}, "data.split_by_date: 'val: 2021-02-30'"),
        ({"val_folds": [11]}, r"data.val_folds\[0\]=11 must be a whole number from 1 to 10"),
        ({"separator": ""}, "data.separator is empty"),
        ({"leave_out": ["latin.txt"]}, "latin.txt is not in UTF-8"),
        ({"columns": {"date": "bad_day"}}, "holds '2021-13-45'.*which is not a date"),
        ({"split_by_date": {"val": "January"}}, "data.split_by_date: 'val: January'; write, for example"),
        ({"columns": {"date": "sex"}}, "The column 'sex' holds .*'M', 'F'.*date_format"),
        ({"date_format": "%d.%m.%Y"}, r"holds '2021-02-15'.*not a date like %d.%m.%Y"),
        ({"columns": {"sex": "hospital"}}, "The column 'hospital' holds 'north', 'south'.*; say what each means"),
        ({"columns": {"split": "sex"}}, "train, val and test, or folds 1 to 10"),
        ({"table_file": "recods.csv"}, "There is no file 'recods.csv', neither in data.root"),
        ({"hospitals": ["west"]}, "there is no west. The table has: north, south"),
        ({"leave_out": ["records.csv"], "columns": {"record": "age"}}, None),
        ({"leave_out": ["wrong.txt"]}, "no line of .*wrong.txt is the id or the path of a recording, for example 'B'"),
        ({"codes": {}, "code_system": "scp", "columns": {"codes": None}, "label_columns": {"mark": "AFIB"}}, "data.columns.codes is missing"),
    ],
)  # fmt: skip
def test_mistakes_are_answered_by_what_to_write(tmp_path: Path, options: dict[str, Any], message: str | None) -> None:
    fake.folder(tmp_path, 2)
    rewrite(tmp_path, lambda t: t.assign(mark="0", bad_day="2021-13-45"))
    (tmp_path / "latin.txt").write_bytes("Größe 1\n".encode("cp1252"))
    (tmp_path / "wrong.txt").write_text("A\nB\n")
    if message is None:
        assert split_of(hospital(tmp_path, file_rate=1000, **options)) == ["", ""]
        return
    with pytest.raises(UserError, match=message):
        hospital(tmp_path, file_rate=1000, **options).rows("train")
