"""LUDB: a cell with several lines says several things, and files that are not there are listed."""

from pathlib import Path

import numpy as np

import fake
from ecg_lightning.datamodules import LUDBDataModule


def test_every_line_of_a_cell_is_a_statement(tmp_path: Path) -> None:
    archive = fake.ludb(tmp_path / "ludb", 5)
    (tmp_path / "ludb/data/3.dat").unlink()
    terms = ["LVH", "LAO/LAE", "AFIB", "SR", "HVOLT"]
    data = LUDBDataModule(root=str(archive.root), store_dir=str(tmp_path), label_space=terms, pack_workers=1)
    index = data.store.index
    assert index["record_id"].tolist() == ["1", "2", "4", "5"]
    assert data.store.rejected["reason"].str.startswith("no such file").tolist() == [True]
    assert index["codes"].tolist() == [
        "Sinus rhythm",
        "Atrial fibrillation",
        "Sinus tachycardia|Left atrial hypertrophy|Left ventricular hypertrophy",
        "Sinus bradycardia",
    ]
    nan = np.nan  # LUDB never says HVOLT
    np.testing.assert_array_equal(
        data.targets, [[0, 0, 0, 1, nan], [0, 0, 1, 0, nan], [1, 1, 0, 0, nan], [0, 0, 0, 0, nan]]
    )
    assert (index["age"].tolist(), index["sex"].tolist()) == (
        [archive[name].age for name in index["record_id"]],
        [archive[name].sex for name in index["record_id"]],
    )
