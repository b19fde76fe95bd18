"""No leak: recordings and patients of the held-out sides are found in training, now and before, however they are packed."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import fake
import small
from ecg_lightning import checkpoints
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.splits import folds, hashed_fold
from ecg_lightning.errors import UserError
from ecg_lightning.training import leak

RECORDS = 40


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PTB-XL, and the same recordings re-issued: 500 Hz, MATLAB files, another gain, numbers and codes of another system."""
    folder = tmp_path_factory.mktemp("archives")
    archive = fake.ptbxl(folder / "ptbxl", RECORDS)
    for number, item in enumerate(archive, 1):
        signal = fake.ecg(5000, 500, number, **item.kind.look)
        comments = (f"Age: {item.age:.0f}", "Sex: Male", f"Dx: {item.kind.snomed}")
        fake.write_wfdb(folder / "reissued" / f"HR{number:05d}.mat", signal, 500, gain=4000, comments=comments)
    fake.cinc(folder / "georgia", 30)
    return folder


def words(root: Path, run_dir: Path, *parts: str, name: str = "MixedDataModule") -> list[str]:
    """A tiny run on a mix of these parts, or on one source at root."""
    data = [f"name={name}", f"root={root}", f"store_dir={run_dir.parent}/store", "pack_workers=1", "seconds=3"]
    if parts:
        data.append(f"parts=[{', '.join(parts)}]")
    return [*(f"data.{word}" for word in data), *small.TINY, "trainer.max_epochs=1", f"run_dir={run_dir}"]


PTBXL = "{name: PTBXLDataModule, root: ptbxl}"
REISSUED = "{name: ChapmanNingboDataModule, root: reissued}"
GEORGIA = "{name: GeorgiaDataModule, root: georgia}"


def refused(verb: str, given: Sequence[str]) -> str:
    with pytest.raises(UserError) as error:
        small.run(verb, given)
    assert "data.allow_leak=true goes on nevertheless, and the checkpoint says so" in str(error.value)
    return str(error.value)


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
    assert isinstance(data, ECGDataModule)
    ids = data.store.index["record_id"]
    assert [tuple(ids[[a, b]]) for a, b in data.store.twins] == [("E00001", "E99999")]
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
    given = words(tmp_path / "ptbxl", tmp_path / "run", name="PTBXLDataModule")
    assert small.run("fit", given) == 0
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
    given = words(root, tmp_path / "run", PTBXL, REISSUED, GEORGIA)
    said = refused("fit", given)
    assert "recordings of the validation or test side are also in training, for example" in said
    example = said.partition("for example ")[2].partition(",")[0]
    one, other = (name.strip() for name in example.split("="))
    assert {one[:6], other[:6]} == {"ptbxl/", "chapma"}
    assert one[-5:] == other[-5:]  # HR00007 is 00007
    assert not (tmp_path / "run").exists()
    assert small.run("prepare", [word for word in given if word.startswith("data.")]) == 0
    assert "data.drop_copies=true leaves such copies out of training" in capsys.readouterr().out
    assert small.run("fit", [*given, "data.allow_leak=true"]) == 0
    assert "Leak allowed: mixed:" in capsys.readouterr().err
    assert checkpoints.card_of(f"{tmp_path}/run/checkpoints/best.ckpt").allow_leak is True
    # What leaked once is refused again when it is measured, by whoever does not know.
    refused("test", [f"run_dir={tmp_path}/run", "data.allow_leak=false"])


def test_copies_are_left_out_on_request(root: Path, tmp_path: Path) -> None:
    parts = [{"name": "PTBXLDataModule", "root": "ptbxl"}, {"name": "ChapmanNingboDataModule", "root": "reissued"}]
    given = {"name": "MixedDataModule", "root": str(root), "parts": parts, "store_dir": str(tmp_path)}
    before, after = (build("data", given | {"drop_copies": drop}, seed=0) for drop in (False, True))
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
    given = [*words(root, tmp_path / "run", validating, hospital), "data.leave_out=chapman_ningbo"]
    said = refused("fit", given)
    assert f"{len(numbers)} recordings of the test side are also in validation, for example ptbxl/" in said
    assert "data.drop_copies=true leaves such copies out of validation" in said
    assert "in training" not in said


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
    said = refused("fit", words(tmp_path, tmp_path / "run", *parts))
    shared = again.sum() - (rows.loc[again, "strat_fold"] == 1).sum()
    assert f"{shared} patients of the validation or test side are also in training" in said
    one, other = rows.index[rows["patient_id"] == patient] + 1
    assert f"that of ptbxl/{one:05d} and ptbxl-2/{other:05d}" in said
    assert "7000" not in said
    assert "recordings of the validation" not in said


# What a checkpoint has seen ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parent(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the re-issued archive."""
    run = tmp_path_factory.mktemp("runs") / "parent"
    assert small.run("fit", words(root / "reissued", run, name="ChapmanNingboDataModule")) == 0
    return run


def test_a_checkpoint_says_what_it_has_seen(root: Path, parent: Path, tmp_path: Path) -> None:
    best = str(parent / "checkpoints" / "best.ckpt")
    data = build(
        "data",
        {"name": "ChapmanNingboDataModule", "root": f"{root}/reissued", "store_dir": f"{parent}/../store"},
        seed=0,
    )
    url = checkpoints.publish(str(parent), "parent-v1", str(tmp_path))
    for checkpoint in (checkpoints.read(best), checkpoints.read(url)):
        assert checkpoint.seen is not None
        assert checkpoint.seen.dtype == torch.int8
        assert checkpoint.card.seen == len(checkpoint.seen) == len(data.rows("train"))
        assert checkpoint.card.allow_leak is False
        expected = {row.tobytes() for row in data.store.content[data.rows("train")]}
        assert {row.tobytes() for row in checkpoint.seen.numpy()} == expected


def test_a_network_is_not_tested_on_what_it_was_trained_on(
    root: Path, parent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small.run("test", [f"run_dir={parent}", "trainer.enable_progress_bar=false"]) == 0
    url = checkpoints.publish(str(parent), "parent-v1", str(tmp_path))
    other = [*words(root / "ptbxl", tmp_path / "run", name="PTBXLDataModule"), f"checkpoint_path={url}"]
    said = refused("test", other)
    data = build("data", {"name": "PTBXLDataModule", "root": f"{root}/ptbxl", "store_dir": f"{tmp_path}/store"}, seed=0)
    trained = {int(name[-5:]) for name in _trained_on(root, parent)}
    rows = data.rows("test")
    both = [f"{row + 1:05d}" for row in rows if row + 1 in trained]
    assert f"ptbxl: {len(both)} of the {len(rows)} recordings of the test side trained parent-v1" in said.replace(
        url, "parent-v1"
    )
    assert said.partition("for example ")[2].startswith(", ".join(both[:3]))
    assert small.run("test", [*other, "data.allow_leak=true"]) == 0
    assert "Leak allowed: ptbxl:" in capsys.readouterr().err


def _trained_on(root: Path, run: Path) -> list[str]:
    store = {"name": "ChapmanNingboDataModule", "root": f"{root}/reissued", "store_dir": f"{run}/../store"}
    data: Any = build("data", store, seed=0)
    return data.store.index["record_id"].iloc[data.rows("train")].tolist()


def test_fine_tuning_is_refused_where_an_ancestor_has_seen_the_test(root: Path, parent: Path, tmp_path: Path) -> None:
    # Parent: the re-issued PTB-XL. Child: Georgia, harmless. Grandchild: PTB-XL, whose test side the parent has seen.
    child = tmp_path / "child"
    georgia = words(root / "georgia", child, name="GeorgiaDataModule")
    assert small.run("fit", [*georgia, f"finetune.checkpoint={parent}/checkpoints/best.ckpt"]) == 0
    read = checkpoints.read(str(child / "checkpoints" / "best.ckpt"))
    assert read.seen is not None
    first = checkpoints.read(str(parent / "checkpoints" / "best.ckpt")).seen
    assert first is not None
    assert len(read.seen) == len(first) + read.card.data.records["train"]
    given = words(root / "ptbxl", tmp_path / "run", name="PTBXLDataModule")
    given.append(f"finetune.checkpoint={child}/checkpoints/best.ckpt")
    said = refused("fit", given)
    assert "recordings of the validation and test side trained" in said
    assert small.run("fit", [*given, "data.allow_leak=true"]) == 0
    card = checkpoints.card_of(str(tmp_path / "run" / "checkpoints" / "best.ckpt"))
    assert card.allow_leak is True
    # A further child of what leaked carries the word on, although it leaks nothing itself.
    last = words(root / "georgia", tmp_path / "last", name="GeorgiaDataModule")
    assert small.run("fit", [*last, f"finetune.checkpoint={tmp_path}/run/checkpoints/best.ckpt"]) == 0
    assert checkpoints.card_of(str(tmp_path / "last" / "checkpoints" / "best.ckpt")).allow_leak is True


def test_a_patient_is_known_again_by_another_recording(root: Path, tmp_path: Path) -> None:
    rows = pd.read_csv(root / "ptbxl" / "ptbxl_database.csv")
    again = rows["patient_id"].duplicated()
    folders = {"once": rows[~again], "all": rows}
    for name, part in folders.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "records100").symlink_to(root / "ptbxl" / "records100")
        part.to_csv(tmp_path / name / "ptbxl_database.csv", index=False)
    given = words(tmp_path / "once", tmp_path / "parent", name="PTBXLDataModule")
    assert small.run("fit", [*given, "data.val_folds=[1]", "data.test_folds=[10]"]) == 0
    other = [*words(tmp_path / "all", tmp_path / "run", name="PTBXLDataModule"), "data.val_folds=[1]"]
    said = refused("test", [*other, "data.test_folds=[6]", f"checkpoint_path={tmp_path}/parent/checkpoints/best.ckpt"])
    fold = rows["strat_fold"] == 6
    new = rows[fold & again]
    assert len(new) > 0
    assert f"{(fold & ~again).sum()} of the {fold.sum()} recordings of the test side trained" in said
    assert (
        f"{len(new)} of the {fold.sum()} recordings of the test side are of patients of whom another recording" in said
    )
    assert f"for example {new['ecg_id'].iloc[0]:05d}" in said


# Real recordings -----------------------------------------------------------------------------------------------------


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
    pairs = data.store.copies(np.arange(300), np.arange(300, 600))
    assert {*range(300)} == {a for a, b in pairs if b == a + 300}
    # Two recordings are in PTB-XL twice, under two numbers each; no other is taken for another one.
    others = {tuple(sorted((int(a), int(b) - 300))) for a, b in pairs if b != a + 300}
    ids = data.sources["ptbxl"].store.index["record_id"]
    assert {(ids[a], ids[b]) for a, b in others} == {("00137", "00138"), ("00143", "00144")}
    assert {tuple(ids[row]) for row in data.sources["ptbxl"].store.twins} == {("00137", "00138"), ("00143", "00144")}


def test_pretraining_at_one_rate_and_testing_at_another_is_refused(both_rates: Path, tmp_path: Path) -> None:
    given = words(both_rates, tmp_path / "large", name="PTBXLDataModule")
    assert small.run("fit", [*given, "data.file_rate=500", "data.test_folds=[]", "data.val_folds=[1]"]) == 0
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
    given = {"name": "MixedDataModule", "root": str(shared_data), "parts": parts, "store_dir": str(packed)}
    data = build("data", given, seed=0)
    every = np.arange(len(data.store))
    assert len(every) > 2800
    ids = data.store.index["record_id"]
    assert {(ids[a], ids[b]) for a, b in data.store.copies(every, every) if a < b} == TWINS
    assert leak.leaks_between_sides(data) == []


def test_one_command_trains_on_all_real_archives(shared_data: Path, packed: Path, tmp_path: Path) -> None:
    given = (
        "--config", "experiment/all_archives", f"data.root={shared_data}", f"data.store_dir={packed}",
        *small.TINY, "trainer.max_epochs=1", "trainer.limit_train_batches=2", f"run_dir={tmp_path}/run",
    )  # fmt: skip
    assert small.run("fit", given) == 0
    card = checkpoints.card_of(str(tmp_path / "run" / "checkpoints" / "best.ckpt"))
    assert list(card.data.parts) == [
        "ptbxl", "georgia", "chapman_ningbo", "cpsc2018", "cpsc_extra", "ptbdb", "ludb", "sph", "code15",
    ]  # fmt: skip
    assert card.data.records["train"] == 2264
    assert card.seen == 2264 - 5  # what an archive holds twice counts once
