"""The leak guard against the recordings that trained a checkpoint, or a checkpoint that it comes from."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import small
from ecg_lightning import checkpoints
from ecg_lightning.config.schema import build
from training.leaks import archives, refused, words


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archives(tmp_path_factory.mktemp("archives"))


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
        expected = {row.tobytes() for row in data.store.fingerprints[data.rows("train")]}
        assert {row.tobytes() for row in checkpoint.seen.numpy()} == expected


def test_a_network_is_not_tested_on_what_it_was_trained_on(
    root: Path, parent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small.run("test", [f"run_dir={parent}", "trainer.enable_progress_bar=false"]) == 0
    url = checkpoints.publish(str(parent), "parent-v1", str(tmp_path))
    arguments = [*words(root / "ptbxl", tmp_path / "run", name="PTBXLDataModule"), f"checkpoint_path={url}"]
    message = refused("test", arguments)
    data = build("data", {"name": "PTBXLDataModule", "root": f"{root}/ptbxl", "store_dir": f"{tmp_path}/store"}, seed=0)
    trained = {int(name[-5:]) for name in _trained_on(root, parent)}
    rows = data.rows("test")
    shared_ids = [f"{row + 1:05d}" for row in rows if row + 1 in trained]
    assert (
        f"ptbxl: {len(shared_ids)} of the {len(rows)} recordings of the test side trained parent-v1"
        in message.replace(url, "parent-v1")
    )
    assert message.partition("for example ")[2].startswith(", ".join(shared_ids[:3]))
    assert small.run("test", [*arguments, "data.allow_leak=true"]) == 0
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
    checkpoint = checkpoints.read(str(child / "checkpoints" / "best.ckpt"))
    assert checkpoint.seen is not None
    first = checkpoints.read(str(parent / "checkpoints" / "best.ckpt")).seen
    assert first is not None
    assert len(checkpoint.seen) == len(first) + checkpoint.card.data.records["train"]
    arguments = words(root / "ptbxl", tmp_path / "run", name="PTBXLDataModule")
    arguments.append(f"finetune.checkpoint={child}/checkpoints/best.ckpt")
    message = refused("fit", arguments)
    assert "recordings of the validation and test side trained" in message
    assert small.run("fit", [*arguments, "data.allow_leak=true"]) == 0
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
    arguments = words(tmp_path / "once", tmp_path / "parent", name="PTBXLDataModule")
    assert small.run("fit", [*arguments, "data.val_folds=[1]", "data.test_folds=[10]"]) == 0
    test_arguments = [*words(tmp_path / "all", tmp_path / "run", name="PTBXLDataModule"), "data.val_folds=[1]"]
    message = refused(
        "test", [*test_arguments, "data.test_folds=[6]", f"checkpoint_path={tmp_path}/parent/checkpoints/best.ckpt"]
    )
    fold = rows["strat_fold"] == 6
    new = rows[fold & again]
    assert len(new) > 0
    assert f"{(fold & ~again).sum()} of the {fold.sum()} recordings of the test side trained" in message
    assert (
        f"{len(new)} of the {fold.sum()} recordings of the test side are of patients of whom another recording"
        in message
    )
    assert f"for example {new['ecg_id'].iloc[0]:05d}" in message
