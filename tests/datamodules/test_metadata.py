"""Patient data of an index and of a recording, as numbers."""

from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fake
from datamodules.hospital import hospital, rewrite
from ecg_lightning.datamodules import GeorgiaDataModule, MixedDataModule, SimulatedDataModule
from ecg_lightning.datamodules.metadata import mean_and_scale, values_of
from ecg_lightning.datamodules.unpack import record_of
from ecg_lightning.errors import UserError
from ecg_lightning.records import Record, read_record
from ecg_lightning.records.metadata import value_of


def test_age_sex_and_columns_of_numbers() -> None:
    index = pd.DataFrame({"age": [63.5, None, 41], "sex": ["F", "M", ""], "height": [172, np.inf, 180.5]})
    expected = [[1, 172, 63.5], [0, nan, nan], [nan, 180.5, 41]]
    values = values_of(index, ["sex", "height", "age"], "georgia")
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            "hight",
            r"georgia has no column 'hight' of patient data\. Did you mean: 'height'\? Choices: age, sex, height\.",
        ),
        ("fold", "has no column 'fold' of patient data"),
        ("ward", "the column 'ward' of georgia holds other things than numbers"),
    ],
)
def test_other_columns_are_refused(column: str, message: str) -> None:
    index = pd.DataFrame({"age": [1.0], "sex": ["F"], "height": [172], "ward": ["B4"], "fold": [3]})
    with pytest.raises(UserError, match=message):
        values_of(index, [column], "georgia")


def test_what_float32_cannot_hold_is_unknown_and_an_empty_column_is_there() -> None:
    index = pd.DataFrame({"age": [1.0, 2.0], "weight": [1e39, 70]})
    values = values_of(index, ["weight", "height"], "georgia", empty=["height"])
    np.testing.assert_array_equal(values, np.array([[nan, nan], [70, nan]], np.float32))


def test_mean_and_scale_by_hand_and_without_the_missing_values() -> None:
    values = np.array([[20, 1, 5], [nan, 0, 5], [60, 1, nan], [40, nan, 5]], np.float32)
    mean, scale = mean_and_scale(values, ["age", "sex", "room"])
    np.testing.assert_allclose(mean, [40, 2 / 3, 5])
    np.testing.assert_allclose(scale, [np.sqrt(800 / 3), np.sqrt(2) / 3, 1])  # a constant column has scale 1
    with pytest.raises(UserError, match="no training recording has a value of weight"):
        mean_and_scale(np.full((4, 1), nan, np.float32), ["weight"])


def test_a_batch_has_the_values_of_its_recordings_and_augmentation_leaves_them(tmp_path: Path) -> None:
    archive = fake.cinc(tmp_path / "g", 12, seconds=3)
    data = GeorgiaDataModule(
        root=str(tmp_path / "g"), store_dir=str(tmp_path / "store"), pack_workers=1, seconds=2, metadata=["sex", "age"],
        augment={"gain": 0.5, "lead_mask": 1.0, "noise": 0.1}, val_folds=[], test_folds=[],
    )  # fmt: skip
    of_record = {item.record_id: [float(item.sex == "F"), round(item.age)] for item in archive}
    for batch in data.train_dataloader():
        prepared = data.prepare(batch, training=True)
        ids = data.store.index["record_id"].to_numpy()[batch["record"].numpy()]
        assert prepared["metadata"].dtype == torch.float32
        assert prepared["metadata"].tolist() == [of_record[name] for name in ids]
    item = archive.items[0]
    record = read_record(item.path)
    assert [value_of(record, column) for column in ("sex", "age")] == of_record[item.record_id]
    assert np.isnan([value_of(Record(record.signal, 100.0), column) for column in ("sex", "age", "height")]).all()
    assert (
        "metadata"
        not in data.__class__(root=data.root, store_dir=data.store_dir, seconds=2).dataset("train")[
            np.zeros((1, 2), np.int64)
        ]
    )


def test_a_mix_has_the_values_of_its_sources(tmp_path: Path) -> None:
    fake.cinc(tmp_path / "g", 6, seconds=3)
    fake.ptbxl(tmp_path / "p", 6, seconds=3)
    parts = [{"name": "GeorgiaDataModule", "root": "g"}, {"name": "PTBXLDataModule", "root": "p"}]
    data = MixedDataModule(
        root=str(tmp_path), parts=parts, store_dir=str(tmp_path / "store"), pack_workers=1, metadata=["age"]
    )
    index = data.store.index
    np.testing.assert_allclose(data.metadata_values[:, 0], index["age"].to_numpy(np.float32))
    assert len(index) == 12 and np.isfinite(data.metadata_values).all()


def test_endless_recordings_have_the_values_that_they_were_drawn_with(tmp_path: Path) -> None:
    data = SimulatedDataModule(
        hospital="small",
        records=60,
        endless=True,
        seconds=2,
        store_dir=str(tmp_path),
        pack_workers=1,
        metadata=["age", "sex"],
    )
    ages, sexes = next(iter(data.train_dataloader()))["metadata"].T
    assert ages.min() > 10 and ages.max() < 110 and ages.std() > 5
    assert {*sexes.tolist()} == {0.0, 1.0}


def test_a_hospitals_own_column_of_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.folder(tmp_path, 5)
    rewrite(tmp_path, lambda t: t.assign(height=["172", "168,5", "", "unknown", "tall"]))
    data = hospital(tmp_path, file_rate=1000, metadata=["height"])
    np.testing.assert_array_equal(data.metadata_values[:, 0], [172, 168.5, nan, nan, nan])
    assert "The column 'height' holds 'tall': 1 cells are not numbers and count as unknown." in capsys.readouterr().err
    packed = [record_of(data, row).numbers["height"] for row in range(5)]
    np.testing.assert_array_equal(packed, [172, 168.5, nan, nan, nan])
    rewrite(tmp_path, lambda t: t.assign(weight=""))
    empty = hospital(tmp_path, file_rate=1000, metadata=["height", "weight"])
    assert np.isnan(empty.metadata_values[:, 1]).all() and empty.metadata_values[0, 0] == 172
    with pytest.raises(UserError, match=r"records\.csv has no column 'hight'\. Did you mean: 'height'\?"):
        _ = hospital(tmp_path, file_rate=1000, metadata=["hight"]).store
    with pytest.raises(UserError, match="'rate' already means something else"):
        _ = hospital(tmp_path, file_rate=1000, metadata=["rate"]).store
