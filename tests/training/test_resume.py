"""Going on with a run: only with the same one, knowing what it has seen; a file cut off, and a second process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from omegaconf import DictConfig

import small
from ecg_lightning import checkpoints
from ecg_lightning.errors import UserError
from ecg_lightning.training.trainer import WholeCheckpoints, trainer_of


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.fit(root, tmp_path_factory.mktemp("runs") / "first", "trainer.max_epochs=1")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.val_folds=[5]", "data.test_folds=[1]"], r"data.val_folds was \[9\], and is \[5\] here"),
        (["data.train_records=20"], r"data.records.train was \d+, and is 20 here"),
        (["data.label_space=[STACH,AFIB,IRBBB]"], r"terms was \['AFIB', '1AVB', .*\], and is \['STACH', 'AFIB', "),
        (["data.band=[0.5,40]"], r"input.preprocess.low was None, and is 0.5 here"),
        (["model.widths=[4,4,8,16]"], r"model.widths was \[4, 4, 8, 8\], and is \[4, 4, 8, 16\] here"),
        (["data.allow_leak=true"], r"data.allow_leak was False, and is True here"),
        (["finetune.checkpoint={run}/checkpoints/best.ckpt"], "it began from scratch, and finetune.checkpoint is "),
    ],
)
def test_another_run_is_refused(root: Path, run: Path, tmp_path: Path, words: list[str], said: str) -> None:
    given = [word.format(run=run) for word in words]
    before = files(run)
    for folder, path in ((tmp_path / "other", f"{run}/checkpoints/last.ckpt"), (run, "auto")):
        with pytest.raises(UserError, match=said) as error:
            small.fit(root, folder, "trainer.max_epochs=3", *given, f"checkpoint_path={path}")
        assert f"use finetune.checkpoint={run}/checkpoints/last.ckpt" in str(error.value)
    assert files(run) == before
    assert not (tmp_path / "other").exists()


def test_another_draw_of_as_many_recordings_is_another_run(root: Path, tmp_path: Path) -> None:
    folder = small.fit(root, tmp_path / "run", "data.train_records=30", "trainer.max_epochs=1")
    again = ("data.train_records=30", "checkpoint_path=auto", "trainer.max_epochs=2")
    with pytest.raises(UserError, match="other recordings trained it"):
        small.fit(root, folder, *again, "data.subset_seed=1")
    small.fit(root, folder, *again, "data.batch_size=8")


@pytest.mark.filterwarnings("ignore:The dirpath has changed")  # the best epoch so far stays where it was
def test_a_run_goes_on_elsewhere_and_without_its_parent(root: Path, run: Path, tmp_path: Path) -> None:
    parent = tmp_path / "parent.ckpt"
    shutil.copy(run / "checkpoints" / "best.ckpt", parent)
    given = (f"finetune.checkpoint={parent}", "data.train_records=30", "data.subset_seed=1")
    child = small.fit(root, tmp_path / "child", *given, "trainer.max_epochs=1")
    before = checkpoints.read(str(child / "checkpoints" / "last.ckpt"))
    parent.unlink()
    small.fit(
        root, tmp_path / "moved", *given, f"checkpoint_path={child}/checkpoints/last.ckpt", "data.store_dir=" + str(tmp_path)
    )  # fmt: skip
    after = checkpoints.read(str(tmp_path / "moved" / "checkpoints" / "last.ckpt"))
    assert after.card.epoch == 1
    assert before.card.parent.name.startswith("parent (")
    assert after.card.parent == before.card.parent
    assert after.seen is not None
    assert before.seen is not None
    assert torch.equal(after.seen, before.seen)
    assert len(after.seen) > 30  # the parent's recordings too


def test_a_run_whose_folder_was_moved_remembers_its_best_epoch(root: Path, run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    last = moved / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    (state,) = (each for each in content["callbacks"].values() if each.get("monitor") == "val/auroc")
    for key in ("best_model_score", "kth_value"):
        state[key] = torch.ones_like(state[key])  # no later epoch can be better
    state["best_k_models"] = dict.fromkeys(state["best_k_models"], state["best_model_score"])
    torch.save(content, last)
    small.fit(root, moved, "checkpoint_path=auto", "trainer.max_epochs=2")
    assert checkpoints.card_of(str(last)).epoch == 1
    assert files(moved)["checkpoints/best.ckpt"] == files(run)["checkpoints/best.ckpt"]


def test_what_cannot_be_gone_on_with_is_explained(root: Path, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    last = folder / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"last.ckpt is not a checkpoint .* copy .*best.ckpt over it to go on from"):
        small.fit(root, folder, "checkpoint_path=auto")
    shutil.copy(folder / "checkpoints" / "best.ckpt", last)
    small.fit(root, folder, "checkpoint_path=auto")
    published = checkpoints.publish(str(run), "net", str(tmp_path))
    with pytest.raises(UserError, match="To start from its weights, use finetune"):
        small.fit(root, tmp_path / "other", f"checkpoint_path={published}")


def test_a_second_fit_in_one_folder_says_so(root: Path, run: Path) -> None:
    before = files(run)
    with FileLock(run / "fit.lock"), pytest.raises(UserError, match="Another `fit` is at work in"):
        small.fit(root, run, "checkpoint_path=auto")
    (run / "fit.lock").unlink(missing_ok=True)
    assert files(run) == before


WRITE = """
import sys
import torch
from ecg_lightning.training.trainer import WholeCheckpoints
for number in range(1_000_000):
    WholeCheckpoints().save_checkpoint({"number": number, "x": torch.full((500_000,), number)}, sys.argv[1])
    print(number, flush=True)
"""


def test_a_kill_while_a_checkpoint_is_written_leaves_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "last.ckpt"
    process = subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    seen = set()
    for _ in range(20):  # frozen at any moment, the file is what a kill would leave
        process.send_signal(signal.SIGSTOP)
        found = torch.load(path, weights_only=True)
        assert (found["x"] == found["number"]).all()
        seen.add(found["number"])
        process.send_signal(signal.SIGCONT)
        time.sleep(0.013)
    process.kill()
    process.communicate()
    assert len(seen) > 5


def test_a_disk_that_is_full_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"number": 1}, path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "fsync", full)
        WholeCheckpoints().save_checkpoint({"number": 2}, path)
    assert torch.load(path, weights_only=True) == {"number": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
    assert isinstance(trainer_of(DictConfig({}), tmp_path, [], False, False).strategy.checkpoint_io, WholeCheckpoints)
