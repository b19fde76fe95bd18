"""CODE-15% and CODE-test: exams found in their parts, zeros cut, one exam read at a time, labels, sides."""

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

import fake
from ecg_lightning.datamodules import CODE15DataModule, CODETestDataModule
from ecg_lightning.datamodules.code import _tracings
from ecg_lightning.errors import UserError

SPACE = ["1AVB", "RBBB", "LBBB", "SBRAD", "STACH", "AFIB", "PVC"]


def options(root: Path, **changes: Any) -> dict[str, Any]:
    return {
        "root": str(root), "store_dir": str(root / "store"), "sampling_rate": 400, "pack_workers": 1, "label_space": SPACE,
    } | changes  # fmt: skip


def check_signals(data: CODE15DataModule | CODETestDataModule, archive: fake.Archive) -> None:
    """Every exam of the archive is in the store once, between its zeros, to half a microvolt."""
    index = data.store.index
    assert sorted(index["record_id"]) == sorted(item.record_id for item in archive)
    for row, name in enumerate(index["record_id"]):
        item = archive[name]
        (packed,), (length,) = data.store.read(np.array([row]), np.array([0]), 4096)
        assert length == data.store.lengths[row] == item.signal.shape[1]
        np.testing.assert_array_equal(packed[:length].T, np.rint(item.signal * np.float32(1000)))


def test_exams_are_found_in_their_parts_and_read_without_their_padding(tmp_path: Path) -> None:
    archive = fake.code15(tmp_path, 24, parts=3)
    data = CODE15DataModule(**options(tmp_path, pack_workers=2))
    check_signals(data, archive)
    index = data.store.index.set_index("record_id")
    for item in archive:
        row = index.loc[item.record_id]
        assert (row["patient_id"], row["age"], row["sex"]) == (item.patient_id, item.age, item.sex)
        assert (row["file"], row["codes"], row["original_rate"]) == (item.path.name, "|".join(item.codes), 400)
        assert row["quality"] == ("" if item.signal.shape[1] == 4096 else "padding_removed")
    assert index.index.is_monotonic_increasing is False  # in the order of the parts, not of the table
    assert data.store.index[["file", "tracing"]].equals(
        data.store.index[["file", "tracing"]].sort_values(["file", "tracing"])
    )


def test_six_columns_are_six_terms_and_no_more(tmp_path: Path) -> None:
    archive = fake.code15(tmp_path, 14)
    table = pd.read_csv(tmp_path / "exams.csv")
    table.loc[0, ["RBBB", "AF"]] = True
    table.to_csv(tmp_path / "exams.csv", index=False)
    data = CODE15DataModule(**options(tmp_path))
    columns = ["1dAVb", "RBBB", "LBBB", "SB", "ST", "AF"]  # in the order of SPACE
    expected = table.set_index("exam_id").loc[data.store.index["record_id"].astype(int), columns].to_numpy(float)
    np.testing.assert_array_equal(data.targets[:, :6], expected)
    assert np.isnan(data.targets[:, 6]).all()
    assert data.store.index.set_index("record_id").loc[archive.items[0].record_id, "codes"] == "RBBB|AF"


def test_empty_labels_are_open_and_missing_patients_unknown(tmp_path: Path) -> None:
    fake.code15(tmp_path, 4)
    table = pd.read_csv(tmp_path / "exams.csv", dtype=str)
    table.loc[0, ["RBBB", "AF", "LBBB"]] = ["", "1", "1.0"]
    table.loc[1, ["patient_id", "age", "is_male"]] = ["", "", ""]
    table.loc[2, "patient_id"] = "1219958.0"
    table.to_csv(tmp_path / "exams.csv", index=False)
    data = CODE15DataModule(**options(tmp_path))
    rows = {name: row for row, name in enumerate(data.store.index["record_id"])}
    first, second, third = (rows[name] for name in table["exam_id"][:3])
    np.testing.assert_array_equal(data.targets[first], [0, np.nan, 1, 0, 0, 1, np.nan])
    index = data.store.index
    assert index["patient_id"][[second, third]].tolist() == ["", "1219958"]
    assert np.isnan(index["age"][second]) and index["sex"][second] == ""
    assert data.annotation(index["codes"][first], "code15").unknown == ()
    table["RBBB"] = "maybe"
    table.to_csv(tmp_path / "exams.csv", index=False)
    with pytest.raises(UserError, match=r"exams\.csv: the column RBBB holds 'maybe'; 1, 0, True and False are known"):
        CODE15DataModule(**options(tmp_path)).table()


def test_test_tracings_that_cannot_be_read_have_reasons(tmp_path: Path) -> None:
    fake.code_test(tmp_path, 3)
    path = tmp_path / "ecg_tracings.hdf5"
    with h5py.File(path, "a") as file:
        file["two"] = file["tracings"][:2]
        file.move("tracings", "three")
        file.move("two", "tracings")
    reasons = []
    for change in (lambda: None, lambda: path.write_bytes(b"no"), lambda: path.unlink()):
        change()
        _tracings.cache_clear()
        rejected = CODETestDataModule(**options(tmp_path)).pack().rejected["reason"]
        reasons.append([reason.partition(":")[0] for reason in rejected])
    assert reasons == [["no tracing"], ["unreadable file"] * 3, ["no such file"] * 3]


def test_tables_of_the_test_set_belong_together(tmp_path: Path) -> None:
    fake.code_test(tmp_path, 3)
    path = tmp_path / "attributes.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match=r"gold_standard\.csv has 3 rows and attributes\.csv 2"):
        CODETestDataModule(**options(tmp_path)).table()
    path.unlink()
    with pytest.raises(UserError, match=r"has no attributes\.csv"):
        CODETestDataModule(**options(tmp_path)).table()


def test_exams_of_parts_that_are_not_there_are_set_aside(tmp_path: Path) -> None:
    archive = fake.code15(tmp_path, 12, parts=3)
    (tmp_path / "exams_part1.hdf5").unlink()
    data = CODE15DataModule(**options(tmp_path))
    absent = [item.record_id for item in archive if item.path.name == "exams_part1.hdf5"]
    assert data.store.rejected["record_id"].tolist() == absent
    assert {reason.partition(":")[0] for reason in data.store.rejected["reason"]} == {"no tracing"}
    assert len(data.store) == 12 - len(absent)


def test_a_file_is_opened_once_by_each_process(tmp_path: Path) -> None:
    fake.code15(tmp_path, 6, parts=2)
    data = CODE15DataModule(**options(tmp_path))
    first_count = _tracings.cache_info()
    assert len(data.store) == 6
    second_count = _tracings.cache_info()
    assert (second_count.misses - first_count.misses, second_count.hits - first_count.hits) == (2, 4)
    path = tmp_path / "exams_part0.hdf5"
    assert _tracings(path, os.getpid()) is not _tracings(path, os.getpid() + 1)


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    fake.code15(tmp_path, 6)
    whole = (tmp_path / "exams_part1.hdf5").read_bytes()
    (tmp_path / "exams_part1.hdf5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"exams_part1.hdf5 cannot be read: .*truncated.* Download it again"):
        CODE15DataModule(**options(tmp_path)).table()
    (tmp_path / "exams.csv").write_text("exam_id,age\n1,2\n")
    with pytest.raises(UserError, match=r"exams.csv is not the table that the archive distributes: .*patient_id"):
        CODE15DataModule(**options(tmp_path)).table()
    with pytest.raises(UserError, match=r"has no exams.csv; it should be the folder of the archive as"):
        CODE15DataModule(**options(empty)).table()


def test_the_test_set_is_on_the_test_side_whatever_its_fold(tmp_path: Path) -> None:
    archive = fake.code_test(tmp_path / "data", 12)
    data = CODETestDataModule(**options(tmp_path))
    check_signals(data, archive)
    assert data.store.index["age"].tolist() == [item.age for item in archive]
    assert data.store.index["codes"].tolist() == ["|".join(item.codes) for item in archive]
    in_fold_3 = CODETestDataModule(**options(tmp_path, test_folds=[3], val_folds=[10]))
    for module in (data, in_fold_3):
        assert [len(module.rows(split)) for split in ("train", "val", "test")] == [0, 0, 12]
        module.setup("test")
    with pytest.raises(UserError, match="CODE-test has test recordings only: it serves `test` and mixes, not `fit`"):
        data.setup("fit")


def test_the_truth_may_be_one_reader_s(tmp_path: Path) -> None:
    fake.code_test(tmp_path, 3)  # without the folder data
    columns = "1dAVb,RBBB,LBBB,SB,AF,ST"
    (tmp_path / "annotations" / "cardiologist2.csv").write_text(f"{columns}\n0,0,0,0,0,1\n0,0,0,0,1,0\n1,0,1,0,0,0\n")
    data = CODETestDataModule(**options(tmp_path, annotations="cardiologist2"))
    assert data.store.index["codes"].tolist() == ["ST", "AF", "1dAVb|LBBB"]
    with pytest.raises(UserError, match=r"there is no 'me'. Choices: cardiologist1, cardiologist2, gold_standard"):
        CODETestDataModule(**options(tmp_path, annotations="me")).table()


def test_an_exam_of_zeros_is_set_aside(tmp_path: Path) -> None:
    fake.code_test(tmp_path, 3)
    with h5py.File(tmp_path / "ecg_tracings.hdf5", "a") as file:
        file["tracings"][1] = 0
    data = CODETestDataModule(**options(tmp_path))
    assert data.store.rejected["reason"].tolist() == ["flat signal: all samples are zero or missing"]


def test_real_exams_re_issued_as_matlab_files(shared_data: Path, tmp_path: Path) -> None:
    root = shared_data / "code15"
    data = CODE15DataModule(**options(root, store_dir=str(tmp_path)))
    assert len(data.store) == 10
    table = pd.read_csv(root / "meta.csv")
    assert data.store.lengths.tolist() == table["sample_size"].tolist()
    columns = ["1dAVb", "RBBB", "LBBB", "SB", "ST", "AF"]
    assert np.nansum(data.targets[:, :6], axis=0).tolist() == table[columns].sum().tolist()
    clipped = data.store.signals[:] >= 32767
    stds = [data.store.signals[o : o + n, 0].std() / 1000 for o, n in zip(*_places(data), strict=True)]
    assert not clipped.any()
    np.testing.assert_allclose(stds, table["std_0"], rtol=1e-3)  # as those who re-issued it measured lead I


def _places(data: CODE15DataModule) -> tuple[list[int], list[int]]:
    return data.store.index["offset"].tolist(), data.store.index["length"].tolist()
