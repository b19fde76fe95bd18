"""A hospital's table row by row: words for missing, mistakes in single cells, paths, and several rows of one recording."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fake
from datamodules.hospital import CODES, hospital, rewrite, without_codes
from ecg_lightning.errors import UserError

nan = np.nan


def test_words_for_missing_say_nothing_in_any_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.folder(tmp_path, 5)
    words = ["NA", "Unknown", "?", "null", " - "]
    rewrite(
        tmp_path,
        lambda t: t.assign(
            **dict.fromkeys(("codes", "patient", "age", "sex", "date", "hospital", "split", "rate", "unit", "row"), words),
            AF=[*words[:3], "1", "0"], leave_out=words,
        ),
    )  # fmt: skip
    data = hospital(tmp_path, file_rate=1000, label_columns={"AF": "STACH"}, label_space=["AFIB", "STACH"])
    np.testing.assert_array_equal(data.targets, [[nan, nan]] * 3 + [[nan, 1], [nan, 0]])
    index = data.store.index
    assert without_codes(data) == [True] * 5
    assert {*index["patient_id"], *index["sex"], *index["date"], *index["site"]} == {""}
    assert index["age"].isna().all() and not index["leave_out"].any() and {*index["fold"]} == {0}
    assert {*data.store.index["original_rate"]} == {1000}
    assert "understood" not in capsys.readouterr().err


def test_a_word_that_the_map_names_is_a_code(tmp_path: Path) -> None:
    fake.folder(tmp_path, 4)
    rewrite(tmp_path, lambda t: t.assign(codes=["NA", "unknown|1.18.2", "", "none"], sex=["?", "F", "U", "-"]))
    options: dict[str, Any] = {"file_rate": 1000, "label_space": ["AFIB", "STACH"]}
    data = hospital(tmp_path, codes=CODES | {"NA": "STACH"}, sex_values={"?": "M"}, **options)
    np.testing.assert_array_equal(data.targets, [[0, 1], [1, 0], [nan] * 2, [nan] * 2])
    assert data.store.index["sex"].tolist() == ["M", "F", "", ""]
    # where an empty cell says that nothing was found, a word for missing still says nothing
    data = hospital(tmp_path, codes=CODES | {"": []}, **options)
    np.testing.assert_array_equal(data.targets, [[nan] * 2, [1, 0], [0, 0], [nan] * 2])
    assert without_codes(data) == [True, False, False, True]


def test_a_code_that_became_a_number_is_found(tmp_path: Path) -> None:
    fake.folder(tmp_path, 3)
    rewrite(tmp_path, lambda t: t.assign(codes=["164889003.0", "427084000", "1.0"]))
    data = hospital(tmp_path, codes={"1": "SBRAD", "1.0": "STACH"}, code_system="snomed", file_rate=1000,
                    label_space=["AFIB", "STACH"])  # fmt: skip
    np.testing.assert_array_equal(data.targets, [[1, 0], [0, 1], [0, 1]])


def test_one_mistaken_cell_counts_as_empty_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.folder(tmp_path, 6)
    good = {
        "AF": ["1", "0", "ja", "nein", "True"],
        "date": ["2021-01-01"] * 5,
        "sex": list("FMFMF"),
        "split": ["train"] * 5,
    }
    bad = {"AF": "2", "date": "2021-13-45", "sex": "x", "split": "tset"}
    rewrite(tmp_path, lambda t: t.assign(**{name: [*cells, bad[name]] for name, cells in good.items()}))
    data = hospital(tmp_path, codes={}, label_columns={"AF": "AFIB"}, file_rate=1000, label_space=["AFIB"])
    assert data.targets[:, 0].tolist()[:5] == [1, 0, 1, 0, 1] and np.isnan(data.targets[5, 0])
    last = data.store.index.iloc[5]
    assert not last["date"] and not last["sex"] and not last["split"]
    messages = capsys.readouterr().err
    for name, cell in bad.items():
        assert f"The column '{name}' holds '{cell}' (first in row 6), which is" in messages
    rewrite(tmp_path, lambda t: t.assign(AF=["1", "0", "2", "2", "-1", "0"]))
    with pytest.raises(UserError, match=r"The column 'AF' holds '2', '-1' .*neither yes nor no"):
        hospital(tmp_path, codes={}, label_columns={"AF": "AFIB"}, file_rate=1000).table()


def test_files_outside_root_are_refused_unless_allowed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    archive = fake.folder(root, 5)
    paths = [item.path for item in archive]
    paths[0].rename(tmp_path / "outside.npy")
    files = ["../outside.npy", str(tmp_path / "outside.npy"), str(paths[2]), "signals/../signals/" + paths[3].name, ""]
    rewrite(root, lambda t: t.assign(path=files, record=list("abcde")))
    data = hospital(root, file_rate=1000)
    assert data.store.index["record_id"].tolist() == ["c", "d"]
    assert data.store.index["file"][0] == f"signals/{paths[2].name}"  # an absolute path that leads into root
    assert [reason.partition(":")[0] for reason in data.store.rejected["reason"]] == ["outside root"] * 2 + ["no file"]
    allowed = hospital(root, file_rate=1000, outside_root=True)
    assert allowed.store.index["record_id"].tolist() == ["a", "b", "c", "d"]


def test_several_rows_of_one_recording_count_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.folder(tmp_path, 4)
    rewrite(
        tmp_path,
        lambda t: pd.concat([t, t]).assign(
            codes=["1.18.2", "1.18.2", "", "1.1.1", "1.2.1", "1.18.2", "1.2.2", "NA"], X=list("10100011")
        ),
    )
    options: dict[str, Any] = {"file_rate": 1000, "label_space": ["AFIB", "STACH", "SBRAD"]}
    data = hospital(tmp_path, **options)
    np.testing.assert_array_equal(data.targets, [[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    assert data.store.rejected.empty
    assert "4 recordings have several rows in the table; the codes of each count together" in capsys.readouterr().err
    data = hospital(tmp_path, codes={}, label_columns={"X": "AFIB"}, **options)
    np.testing.assert_array_equal(
        data.targets[:, 0], [nan, 0, 1, nan]
    )  # 1 and 0 of one recording contradict each other


def test_segments_beside_their_master_are_set_aside(tmp_path: Path) -> None:
    for name in ("a_1", "a_2", "b_1"):
        fake.write_wfdb(tmp_path / f"{name}.dat", fake.ecg(2500, 500, 3), 500)
    (tmp_path / "a.hea").write_text("a/2 12 500 5000\na_1 2500\na_2 2500\n")
    table = pd.DataFrame({"path": ["a.hea", "a_1.hea", "a_2.dat", "b_1"], "patient": "1", "codes": "1.18.2"})
    table.to_csv(tmp_path / "records.csv", index=False)
    data = hospital(tmp_path)
    assert data.store.index["record_id"].tolist() == ["a", "b_1"]
    assert data.store.rejected["reason"].str.partition(":")[0].tolist() == ["segment"] * 2


def test_ids_that_may_join_or_part_people_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.folder(tmp_path, 5)
    rewrite(tmp_path, lambda t: t.assign(patient=["7.0", "7", "007", "1,23457E+11", "-9"]))
    assert hospital(tmp_path).table()["patient_id"].tolist() == ["7", "7", "007", "1,23457E+11", ""]
    messages = capsys.readouterr().err
    assert "2 ids that differ by leading zeros or case alone, such as '7', '007'" in messages
    assert "holds '1,23457E+11': a spreadsheet rounded these ids" in messages
    rows = pd.DataFrame({"path": [f"{row}.npy" for row in range(120)], "codes": "1.18.2"})
    rows.assign(patient=["anonym"] * 60 + [f"p{row}" for row in range(60)]).to_csv(
        tmp_path / "records.csv", index=False
    )
    hospital(tmp_path).table()
    assert "holds 'anonym' in 60 of 120 rows, which count as one patient" in capsys.readouterr().err


def test_rows_of_a_damaged_file_are_set_aside_one_by_one(tmp_path: Path) -> None:
    names = [path.name for path in (tmp_path / "signals").iterdir()] if fake.folder(tmp_path, 8) else []
    lines = [f"signals/{name},p,1.18.2" for name in sorted(names)]
    lines[1], lines[3], lines[4] = (
        lines[1] + ",x,y",
        lines[3].replace(",p", ',"p'),
        lines[4].replace(",1.18.2", '",1.18.2'),
    )
    lines[6] = "signals/\0.npy,p,"
    (tmp_path / "records.csv").write_text("\n".join(["sep=,", "path,patient,codes", *lines, ""]), encoding="utf-8")
    data = hospital(tmp_path, file_rate=1000)
    assert data.store.index["record_id"].tolist() == [f"signals/Größe {number}" for number in (1, 3, 6, 8)]
    assert [reason.partition(" records.csv ")[2][:14] for reason in data.store.rejected["reason"]] == [
        "has 5 cells an", "is in quotes w", "is in quotes w", "holds a NUL",
    ]  # fmt: skip
