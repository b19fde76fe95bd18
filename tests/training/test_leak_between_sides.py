"""The leak guard within one source and between the sources of a mix, however the recordings are stored."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import small
from ecg_lightning import checkpoints
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.datamodules.splits import folds, hashed_fold
from ecg_lightning.training import leak
from training.leaks import RECORDS, archives, refused, words

PTBXL = "{name: PTBXLDataModule, root: ptbxl}"
REISSUED = "{name: ChapmanNingboDataModule, root: reissued}"
GEORGIA = "{name: GeorgiaDataModule, root: georgia}"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archives(tmp_path_factory.mktemp("archives"))


# Within one source ---------------------------------------------------------------------------------------------------


def table(patients: str, official: Sequence[int] | None = None) -> pd.DataFrame:
    names = ["" if patient == "-" else patient for patient in patients]
    ids = [f"r{number}" for number in range(len(names))]
    return pd.DataFrame({"patient_id": names, "record_id": ids, "fold": official or [0] * len(names)})


def test_patients_who_share_a_recording_are_one_person() -> None:
    index = table("abcd-")
    assert folds(index).tolist() == [hashed_fold(name) for name in ("a", "b", "c", "d", "record r4")]
    # c = b and d = c: all three with b, the first of them; and the recording without a patient with a.
    merged = folds(index, np.array([[1, 2], [2, 3], [0, 4]]))
    assert merged.tolist() == [hashed_fold(name) for name in "abbba"]
    # Official folds stay; who has none goes with the copy that has one.
    official = folds(table("abc", [7, 10, 0]), np.array([[0, 1], [1, 2]]))
    assert official[:2].tolist() == [7, 10]
    assert official[2] in (7, 10)


def test_a_recording_under_two_numbers_is_on_one_side(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "georgia", tmp_path / "georgia")
    for end in (".hea", ".mat"):
        text = (tmp_path / f"georgia/E00001{end}").read_bytes().replace(b"E00001", b"E99999")
        (tmp_path / f"georgia/E99999{end}").write_bytes(text)
    data = build(
        "data", {"name": "GeorgiaDataModule", "root": f"{tmp_path}/georgia", "store_dir": str(tmp_path)}, seed=0
    )
    assert isinstance(data, PackedDataModule)
    ids = data.store.index["record_id"]
    assert [tuple(ids[[a, b]]) for a, b in data.store.copy_pairs] == [("E00001", "E99999")]
    assert hashed_fold("record E00001") != hashed_fold("record E99999")
    assert data.folds[(ids == "E99999").argmax()] == hashed_fold("record E00001")


def test_of_a_recording_that_official_folds_hold_out_no_copy_trains(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(root / "ptbxl", tmp_path / "ptbxl")
    rows = pd.read_csv(root / "ptbxl" / "ptbxl_database.csv")
    held_out, training = (int(rows.index[rows["strat_fold"] == fold][0]) for fold in (10, 1))
    rows.loc[training, "filename_lr"] = rows.loc[held_out, "filename_lr"]
    rows.to_csv(tmp_path / "ptbxl" / "ptbxl_database.csv", index=False)
    arguments = words(tmp_path / "ptbxl", tmp_path / "run", name="PTBXLDataModule")
    assert small.run("fit", arguments) == 0
    assert "1 recordings are left out of training: a copy is on the validation or test side" in capsys.readouterr().out
    store = {"name": "PTBXLDataModule", "root": f"{tmp_path}/ptbxl", "store_dir": f"{tmp_path}/store"}
    data = build("data", store, seed=0)
    assert training not in data.rows("train")
    assert held_out in data.rows("test")
    assert training in build("data", store | {"allow_leak": True}, seed=0).rows("train")
    assert small.run("test", [f"run_dir={tmp_path}/run", "trainer.enable_progress_bar=false"]) == 0


# Between the sources of a mix ----------------------------------------------------------------------------------------


def test_a_mix_that_tests_on_what_it_trains_on_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = words(root, tmp_path / "run", PTBXL, REISSUED, GEORGIA)
    message = refused("fit", arguments)
    assert "recordings of the validation or test side are also in training, for example" in message
    example = message.partition("for example ")[2].partition(",")[0]
    first, second = (name.strip() for name in example.split("="))
    assert {first[:6], second[:6]} == {"ptbxl/", "chapma"}
    assert first[-5:] == second[-5:]  # HR00007 is 00007
    assert not (tmp_path / "run").exists()
    assert small.run("prepare", [word for word in arguments if word.startswith("data.")]) == 0
    assert "data.drop_copies=true leaves such copies out of training" in capsys.readouterr().out
    assert small.run("fit", [*arguments, "data.allow_leak=true"]) == 0
    assert "Leak allowed: mixed:" in capsys.readouterr().err
    assert checkpoints.card_of(f"{tmp_path}/run/checkpoints/best.ckpt").allow_leak is True
    # What leaked once is refused again when it is measured, by whoever does not know.
    refused("test", [f"run_dir={tmp_path}/run", "data.allow_leak=false"])


def test_copies_are_left_out_on_request(root: Path, tmp_path: Path) -> None:
    parts = [{"name": "PTBXLDataModule", "root": "ptbxl"}, {"name": "ChapmanNingboDataModule", "root": "reissued"}]
    arguments = {"name": "MixedDataModule", "root": str(root), "parts": parts, "store_dir": str(tmp_path)}
    before, after = (build("data", arguments | {"drop_copies": drop}, seed=0) for drop in (False, True))
    # Row k of PTB-XL is row k of the other.
    sides = {split: {row % RECORDS for row in before.rows(split)} for split in ("train", "val", "test")}
    clean = [row for row in before.rows("train") if row % RECORDS not in sides["val"] | sides["test"]]
    assert after.rows("train").tolist() == clean
    assert len(after.copies) == len(before.rows("train")) - len(clean) > 0
    twice = sides["val"] & sides["test"]
    assert after.rows("val").tolist() == [row for row in before.rows("val") if row % RECORDS not in twice]
    np.testing.assert_array_equal(before.rows("test"), after.rows("test"))
    assert leak.leaks_between_sides(before)
    assert leak.leaks_between_sides(after) == []


def test_an_unseen_hospital_that_chose_the_epoch_is_found(root: Path, tmp_path: Path) -> None:
    # The hospital left out has only what the other one validates on.
    validating = "{name: PTBXLDataModule, root: ptbxl, val_folds: [9], test_folds: []}"
    rows = pd.read_csv(root / "ptbxl" / "ptbxl_database.csv")
    numbers = rows["ecg_id"][rows["strat_fold"] == 9]
    for number in numbers:
        for file in (root / "reissued").glob(f"HR{number:05d}.*"):
            (tmp_path / "reissued").mkdir(exist_ok=True)
            shutil.copy(file, tmp_path / "reissued")
    hospital = f"{{name: ChapmanNingboDataModule, root: {tmp_path}/reissued}}"
    arguments = [*words(root, tmp_path / "run", validating, hospital), "data.leave_out=chapman_ningbo"]
    message = refused("fit", arguments)
    assert f"{len(numbers)} recordings of the test side are also in validation, for example ptbxl/" in message
    assert "data.drop_copies=true leaves such copies out of validation" in message
    assert "in training" not in message


def test_a_patient_on_two_sides_of_a_mix_is_found_and_not_named(root: Path, tmp_path: Path) -> None:
    rows = pd.read_csv(root / "ptbxl" / "ptbxl_database.csv")
    again = rows["patient_id"].duplicated()
    patient = rows.loc[again, "patient_id"].iloc[0]
    for half, part in (("first", rows[~again]), ("second", rows[again])):
        (tmp_path / half).mkdir()
        (tmp_path / half / "records100").symlink_to(root / "ptbxl" / "records100")
        part.assign(patient_id=part["patient_id"] + 7_000_000).to_csv(
            tmp_path / half / "ptbxl_database.csv", index=False
        )
    parts = (
        "{name: PTBXLDataModule, root: first, val_folds: [1], test_folds: []}",
        "{name: PTBXLDataModule, root: second, val_folds: [], test_folds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}",
    )
    message = refused("fit", words(tmp_path, tmp_path / "run", *parts))
    shared = again.sum() - (rows.loc[again, "strat_fold"] == 1).sum()
    assert f"{shared} patients of the validation or test side are also in training" in message
    first, second = rows.index[rows["patient_id"] == patient] + 1
    assert f"that of ptbxl/{first:05d} and ptbxl-2/{second:05d}" in message
    assert "7000" not in message
    assert "recordings of the validation" not in message
