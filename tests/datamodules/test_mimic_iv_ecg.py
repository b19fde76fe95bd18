"""MIMIC-IV-ECG: what a machine calls possible is neither present nor absent, and no report is no annotation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fake
from ecg_lightning.datamodules import MIMICIVECGDataModule
from ecg_lightning.errors import UserError


def mimic(root: Path, store_dir: Path) -> MIMICIVECGDataModule:
    terms = ["AFIB", "IMI", "PVC"]
    return MIMICIVECGDataModule(root=str(root), store_dir=str(store_dir), label_space=terms, pack_workers=1)


def test_reports_become_terms_of_three_values(tmp_path: Path) -> None:
    archive = fake.mimic_iv_ecg(tmp_path / "mimic", 4)
    path = tmp_path / "mimic" / "machine_measurements.csv"
    table = pd.read_csv(path, dtype=str)
    table.loc[0, ["report_0", "report_1", "report_2"]] = ["Atrial fibrillation", "Possible inferior infarct", "Qwertz"]
    table.loc[1, ["report_0", "report_1"]] = ["Sinus rhythm", "Ventricular premature complex"]
    table.loc[2, [f"report_{line}" for line in range(18)]] = np.nan
    table.drop(index=3).to_csv(path, index=False)
    data = mimic(archive.root, tmp_path)
    assert data.store.index["codes"].tolist()[:3] == [
        "Atrial fibrillation|Possible inferior infarct|Qwertz", "Sinus rhythm|Ventricular premature complex", "",
    ]  # fmt: skip
    nan = np.nan
    np.testing.assert_array_equal(data.targets, [[1, nan, 0], [0, 0, 1], [nan] * 3, [nan] * 3])
    assert data.store.index["quality"].tolist() == ["", "", "no_codes", "no_codes"]
    assert data.annotation(data.store.index["codes"][0], "mimic_iv_ecg").unknown == ("Qwertz",)


def test_identities_are_the_archives_own_and_ages_unknown(tmp_path: Path) -> None:
    index = mimic(fake.mimic_iv_ecg(tmp_path / "mimic", 7).root, tmp_path).store.index
    assert index["record_id"].tolist() == [str(40000000 + number) for number in range(1, 8)]
    assert index["patient_id"].tolist() == [
        "10000001",
        "10000002",
        "10000003",
        "10000004",
        "10000005",
        "10000005",
        "10000006",
    ]
    assert index["date"].tolist() == ["2180-05-07 17:21:00"] * 7
    assert index["age"].isna().all() and (index["sex"] == "").all()


def test_files_that_came_later_are_packed(tmp_path: Path) -> None:
    archive = fake.mimic_iv_ecg(tmp_path / "mimic", 4)
    last = archive.items[-1].path.parent.parent  # the folder of a patient
    last.rename(tmp_path / "later")
    first = mimic(archive.root, tmp_path).store
    assert (len(first), len(first.rejected)) == (3, 1)
    assert mimic(archive.root, tmp_path).store.path == first.path
    (tmp_path / "later").rename(last)
    assert len(mimic(archive.root, tmp_path).store) == 4


def test_tables_are_asked_for_by_name(tmp_path: Path) -> None:
    root = fake.mimic_iv_ecg(tmp_path / "mimic", 3).root
    path = root / "machine_measurements.csv"
    path.write_text(path.read_text().replace("report_17", "report17"))
    with pytest.raises(UserError, match=r"machine_measurements\.csv is not the table .*report_17"):
        _ = mimic(root, tmp_path).store
    (root / "record_list.csv").unlink()
    with pytest.raises(UserError, match=r"has no record_list\.csv"):
        _ = mimic(root, tmp_path).store
