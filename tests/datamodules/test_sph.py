"""SPH: files under both names, AHA statements with modifiers, counts as in the archive's own table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fake
from ecg_lightning.datamodules import SPHDataModule
from ecg_lightning.errors import UserError


def module(root: Path, store: Path, sampling_rate: int = 500) -> SPHDataModule:
    space = ["AFIB", "STACH", "SBRAD", "SARRH", "NORM", "PVC", "STD_", "own:BLUE"]
    return SPHDataModule(
        root=str(root), store_dir=str(store), sampling_rate=sampling_rate, label_space=space, pack_workers=1
    )


def test_recordings_are_read_back_with_their_statements(tmp_path: Path) -> None:
    archive = fake.sph(tmp_path / "sph", 12)
    files = sorted((tmp_path / "sph" / "records").iterdir())
    files[1].rename(files[1].with_name("SPH00002.h5"))
    files[2].unlink()
    data = module(tmp_path / "sph", tmp_path)
    assert data.store.rejected["reason"].tolist() == [f"no such file: {files[2]}"]
    items = [item for item in archive if item.record_id != "A00003"]
    index = data.store.index
    assert index["record_id"].tolist() == [item.record_id for item in items]
    assert index["patient_id"].tolist() == [item.patient_id for item in items]
    assert index["sex"].tolist() == [item.sex for item in items]
    assert index["date"][0] == "2020-03-02"
    assert index["codes"].tolist() == ["|".join(item.codes) for item in items]
    (packed,), _ = data.store.read(np.array([1]), np.array([0]), 5000)
    np.testing.assert_array_equal(packed.T, np.rint(items[1].signal * np.float32(1000)))
    pvc = ["60+310" in item.codes for item in items]  # a modifier changes nothing
    np.testing.assert_array_equal(data.targets[:, 5], pvc)
    assert np.isnan(data.targets[:, 7]).all()


def test_counts_of_real_statements_are_those_of_the_table(shared_data: Path, tmp_path: Path) -> None:
    data = module(shared_data / "sph", tmp_path, 100)
    table = data.table()
    assert len(table) == 2000
    annotations = [data.annotation(codes, "sph") for codes in table["codes"]]
    raw = pd.read_csv(shared_data / "sph" / "metadata.csv")["AHA_Code"].str.split(";").explode()
    primary = raw.str.partition("+")[0].groupby(level=0).agg(set)
    for term, code in (("AFIB", "50"), ("STACH", "21"), ("SBRAD", "22"), ("SARRH", "23"), ("NORM", "1"), ("PVC", "60")):
        expected = primary.map(lambda codes, code=code: code in codes)
        counted = pd.Series([term in annotation.positive for annotation in annotations])
        assert counted.sum() == expected.sum() > 20
        assert (counted == expected).all()
    index = data.store.index
    assert index["file"].tolist() == [f"records/SPH0000{n}.h5" for n in range(1, 7)]
    assert index["codes"].tolist() == ["22|23", "1", "1", "23", "146", "1"]
    assert index["length"].tolist() == [1000, 1200, 1300, 1000, 1100, 1000]
    assert len(data.store.rejected) == 1994


def test_what_the_table_lacks_is_unknown_and_not_absent(tmp_path: Path) -> None:
    fake.sph(tmp_path / "sph", 4)
    path = tmp_path / "sph" / "metadata.csv"
    table = pd.read_csv(path, dtype=str)
    table["AHA_Code"], table["Age"], table["Sex"] = (
        ["50", None, "1", "1"],
        ["-3", "300", "45", "x"],
        ["f", "2", "M", None],
    )
    table["Patient_ID"] = [None, "7.0", "S1", "S1"]
    table.to_csv(path, index=False)
    data = module(tmp_path / "sph", tmp_path)
    assert data.store.index["quality"].tolist() == ["", "no_codes", "", ""]
    assert np.isnan(data.targets[1]).all()
    np.testing.assert_array_equal(data.targets[[0, 2, 3], 0], [1, 0, 0])
    np.testing.assert_array_equal(data.store.index["age"], [np.nan, np.nan, 45, np.nan])
    assert data.store.index["sex"].tolist() == ["F", "", "M", ""]
    assert data.store.index["patient_id"].tolist() == ["", "7", "S1", "S1"]


@pytest.mark.parametrize("damage", ["semicolons", "latin-1", "empty"])
def test_another_table_is_no_traceback(tmp_path: Path, damage: str) -> None:
    fake.sph(tmp_path / "sph", 2)
    path = tmp_path / "sph" / "metadata.csv"
    text = {"semicolons": path.read_text().replace(",", ";"), "latin-1": path.read_text() + "Größe", "empty": ""}[
        damage
    ]
    path.write_bytes(text.encode("cp1252"))
    with pytest.raises(UserError, match=r"metadata\.csv is not the table that the archive distributes"):
        module(tmp_path / "sph", tmp_path).table()


def test_another_folder_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no metadata.csv; it should be the folder of the archive as"):
        module(tmp_path, tmp_path).table()
