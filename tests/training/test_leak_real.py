"""The leak guard on real recordings: known again at another rate, and different recordings never taken for one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import small
from ecg_lightning import checkpoints
from ecg_lightning.config.schema import build
from ecg_lightning.training import leak
from training.leaks import refused, words


@pytest.fixture(scope="module")
def both_rates(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings of PTB-XL that are there at both rates."""
    folder = tmp_path_factory.mktemp("real") / "ptbxl"
    folder.mkdir()
    rows = pd.read_csv(shared_data / "ptbxl" / "ptbxl_database.csv")
    rows = rows[[(shared_data / "ptbxl" / f"{name}.dat").is_file() for name in rows["filename_hr"]]]
    assert len(rows) == 300
    rows.to_csv(folder / "ptbxl_database.csv", index=False)
    for rate in (100, 500):
        (folder / f"records{rate}").symlink_to(shared_data / "ptbxl" / f"records{rate}")
    return folder


def test_real_recordings_are_known_again_at_another_rate(both_rates: Path, tmp_path: Path) -> None:
    store = {"root": str(both_rates), "store_dir": str(tmp_path / "store")}
    parts = [{"name": "PTBXLDataModule", "file_rate": rate} | store for rate in (100, 500)]
    data = build("data", {"name": "MixedDataModule", "parts": parts, "store_dir": store["store_dir"]}, seed=0)
    pairs = data.store.copies_between(np.arange(300), np.arange(300, 600))
    assert {*range(300)} == {a for a, b in pairs if b == a + 300}
    # Two recordings are in PTB-XL twice, under two numbers each; no other is taken for another one.
    odd_pairs = {tuple(sorted((int(a), int(b) - 300))) for a, b in pairs if b != a + 300}
    ids = data.sources["ptbxl"].store.index["record_id"]
    assert {(ids[a], ids[b]) for a, b in odd_pairs} == {("00137", "00138"), ("00143", "00144")}
    assert {tuple(ids[row]) for row in data.sources["ptbxl"].store.copy_pairs} == {
        ("00137", "00138"),
        ("00143", "00144"),
    }


def test_pretraining_at_one_rate_and_testing_at_another_is_refused(both_rates: Path, tmp_path: Path) -> None:
    arguments = words(both_rates, tmp_path / "large", name="PTBXLDataModule")
    assert small.run("fit", [*arguments, "data.file_rate=500", "data.test_folds=[]", "data.val_folds=[1]"]) == 0
    best = tmp_path / "large" / "checkpoints" / "best.ckpt"
    small_run = [*words(both_rates, tmp_path / "small", name="PTBXLDataModule"), "data.file_rate=100"]
    rows = pd.read_csv(both_rates / "ptbxl_database.csv")
    test = f"{(rows['strat_fold'] == 10).sum()}"
    assert f"{test} of the {test} recordings of the test side" in refused(
        "test", [*small_run, f"checkpoint_path={best}"]
    )
    refused("fit", [*small_run, f"finetune.checkpoint={best}"])


ARCHIVES = {
    "PTBXLDataModule": "ptbxl", "GeorgiaDataModule": "georgia", "ChapmanNingboDataModule": "chapman_ningbo",
    "CPSC2018DataModule": "cpsc2018", "CPSCExtraDataModule": "cpsc2018_extra", "PTBDBDataModule": "ptbdb_cinc",
    "LUDBDataModule": "ludb", "SPHDataModule": "sph", "CODE15DataModule": "code15",
}  # fmt: skip
TWINS = {
    ("ptbxl/00137", "ptbxl/00138"), ("ptbxl/00143", "ptbxl/00144"), ("ptbxl/00145", "ptbxl/00463"),
    ("ptbxl/00456", "ptbxl/00457"), ("ptbxl/00459", "ptbxl/00460"), ("georgia/E07509", "georgia/E07510"),
}  # fmt: skip
"""Recordings that archives hold twice."""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of them are packed once."""
    return tmp_path_factory.mktemp("packed")


def test_different_real_recordings_are_never_taken_for_one(shared_data: Path, packed: Path) -> None:
    parts = [{"name": name, "root": root} for name, root in ARCHIVES.items()]
    parts += [{"name": "CPSC2018DataModule", "root": "cpsc2018_struct"}]
    arguments = {"name": "MixedDataModule", "root": str(shared_data), "parts": parts, "store_dir": str(packed)}
    data = build("data", arguments, seed=0)
    every = np.arange(len(data.store))
    assert len(every) > 2800
    ids = data.store.index["record_id"]
    assert {(ids[a], ids[b]) for a, b in data.store.copies_between(every, every) if a < b} == TWINS
    assert leak.leaks_between_sides(data) == []


def test_one_command_trains_on_all_real_archives(shared_data: Path, packed: Path, tmp_path: Path) -> None:
    arguments = (
        "--config", "experiment/all_archives", f"data.root={shared_data}", f"data.store_dir={packed}",
        *small.TINY, "trainer.max_epochs=1", "trainer.limit_train_batches=2", f"run_dir={tmp_path}/run",
    )  # fmt: skip
    assert small.run("fit", arguments) == 0
    card = checkpoints.card_of(str(tmp_path / "run" / "checkpoints" / "best.ckpt"))
    assert list(card.data.parts) == [
        "ptbxl", "georgia", "chapman_ningbo", "cpsc2018", "cpsc_extra", "ptbdb", "ludb", "sph", "code15",
    ]  # fmt: skip
    assert card.data.records["train"] == 2264
    assert card.seen == 2264 - 5  # what an archive holds twice counts once
