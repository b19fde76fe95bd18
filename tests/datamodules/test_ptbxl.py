"""PTB-XL: what its table lacks is unknown, and what is wrong in it is named."""

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


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"scp_codes": "{'NORM': 100.0"}, r"the column scp_codes holds '\{'NORM': 100.0', not statements like"),
        ({"scp_codes": "['NORM']"}, "not statements like"),
        ({"scp_codes": "{'NORM': 'x'}"}, "not statements like"),
        ({"ecg_id": ["1", "2", "x", "4", "5", "6"]}, "row 3 of the column ecg_id holds 'x'"),
        ({"strat_fold": ["1", None, "3", "4", "5", "6"]}, "row 2 of the column strat_fold holds ''"),
        ({"strat_fold": ["0", "2", "3", "4", "5", "6"]}, "row 1 of the column strat_fold holds '0'"),
    ],
)
def test_a_damaged_cell_is_named(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ptbxl(tmp_path, **columns).table()


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
