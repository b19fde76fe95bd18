"""PTB-XL: what its table lacks is unknown, and what is wrong in it is named."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fake
from ecg_lightning.datamodules import PTBXLDataModule
from ecg_lightning.errors import UserError


def ptbxl(root: Path, **columns: Any) -> PTBXLDataModule:
    """Six recordings of a table in which some columns are others."""
    fake.ptbxl(root, 6, seconds=3)
    path = root / "ptbxl_database.csv"
    pd.read_csv(path, dtype=str).assign(**columns).to_csv(path, index=False)
    return PTBXLDataModule(root=str(root), store_dir=str(root / "s"), pack_workers=1, label_space=["AFIB", "NORM"])


def test_what_the_table_lacks_is_unknown(tmp_path: Path) -> None:
    data = ptbxl(
        tmp_path, patient_id=["15709.0", None, "7", "nan", "7.0", "x"], age=["300.0", "-1", None, "50", "89.0", "x"],
        sex=["0", "1.0", None, "female", "1", "0"], scp_codes=["{'AFIB': 100.0}", "{}", None, "{'NORM': 80.0}"] + ["{}"] * 2,
        site=["0.0", None, "2", "3", "4", "5"],
    )  # fmt: skip
    index = data.store.index
    assert index["patient_id"].tolist() == ["15709", "", "7", "", "7", "x"]
    np.testing.assert_array_equal(index["age"], [90, np.nan, np.nan, 50, 89, np.nan])
    assert index["sex"].tolist() == ["M", "F", "", "F", "F", "M"]
    assert index["site"].tolist() == ["0", "", "2", "3", "4", "5"]
    assert index["codes"].tolist() == ["AFIB=100", "", "", "NORM=80", "", ""]
    nan = [np.nan] * 2
    np.testing.assert_array_equal(data.targets, [[1, 0], nan, nan, [0, 1], nan, nan])
    assert index["quality"].tolist() == ["", "no_codes", "no_codes", "", "no_codes", "no_codes"]


@pytest.mark.parametrize("cell", ["{'NORM': 100.0", "['NORM']", "{'NORM': 'x'}"])
def test_a_column_of_another_form_is_named(tmp_path: Path, cell: str) -> None:
    with pytest.raises(UserError, match="row 1 of the column scp_codes holds '" + re.escape(cell)):
        ptbxl(tmp_path, scp_codes=cell).table()
    with pytest.raises(UserError, match="row 2 of the column strat_fold holds '0'"):
        ptbxl(tmp_path, strat_fold=["1", "0", "", "4", "5", "6"]).table()


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"scp_codes": ["{'AFIB': 100.0}"] * 2 + ["{'AFIB"] + ["{}"] * 3}, "the column scp_codes of ptbxl_database.csv holds '{'AFIB'"),
        ({"ecg_id": ["1", "2", "x", "4", "5", "6"]}, "the column ecg_id of ptbxl_database.csv holds 'x'"),
        ({"strat_fold": ["1", "2", None, "4", "5", "6"]}, "the column strat_fold of ptbxl_database.csv holds ''"),
        ({"strat_fold": ["1", "2", "11", "4", "5", "6"]}, "the column strat_fold of ptbxl_database.csv holds '11'"),
    ],
)  # fmt: skip
def test_one_damaged_row_is_set_aside(tmp_path: Path, columns: dict[str, Any], reason: str) -> None:
    data = ptbxl(tmp_path, **columns)
    assert len(data.store) == 5
    assert data.store.rejected["reason"].tolist() == [f"bad row: {reason}"]


def test_a_row_with_too_few_or_too_many_cells_is_set_aside(tmp_path: Path) -> None:
    data = ptbxl(tmp_path)
    path = tmp_path / "ptbxl_database.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[2], lines[6] = lines[2] + ",more", lines[6][: len(lines[6]) // 2]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert data.store.index["record_id"].tolist() == ["00001", "00003", "00004", "00005"]
    assert data.store.rejected["reason"].str.partition(" has ")[0].tolist() == [
        "bad row: line 3 of ptbxl_database.csv",
        "bad row: line 7 of ptbxl_database.csv",
    ]
    # pandas would take the first cell of such rows for an index, and every other for its neighbour's
    path.write_text("\n".join([lines[0], *(line + ",more" for line in lines[1:])]), encoding="utf-8")
    with pytest.raises(UserError, match=r"line 2 of .* cells and the first line .*most rows are like that"):
        data.table()


@pytest.mark.parametrize("damage", ["semicolons", "latin-1", "empty", "no column"])
def test_another_table_is_no_traceback(tmp_path: Path, damage: str) -> None:
    data = ptbxl(tmp_path)
    path = tmp_path / "ptbxl_database.csv"
    text = path.read_text(encoding="utf-8")
    changed = {
        "semicolons": text.replace(",", ";"),
        "latin-1": text,
        "empty": "",
        "no column": text.replace("site", "s"),
    }
    path.write_bytes(changed[damage].encode("cp1252"))
    with pytest.raises(UserError, match=r"ptbxl_database\.csv is not the table that the archive distributes"):
        data.table()
