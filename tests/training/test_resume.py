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
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import DictConfig

import small
from ecg_lightning import checkpoints
from ecg_lightning.errors import UserError
from ecg_lightning.labels import LabelSpace
from ecg_lightning.training.callbacks import RunCheckpoint
from ecg_lightning.training.resume import locked
from ecg_lightning.training.trainer import WholeCheckpoints, trainer_of

CONSTANT = ("optim.schedule=constant", "optim.warmup=0")
"""A learning rate that does not depend on the run's length, so that it may become longer."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.fit(root, tmp_path_factory.mktemp("runs") / "first", *CONSTANT, "trainer.max_epochs=1")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.val_folds=[5]", "data.test_folds=[1]"], r"data.test_folds was \[10\], and is \[1\] here"),
        (["data.train_records=20"], r"data.train_records was None, and is 20 here"),
        (["data.label_space=[STACH,AFIB,IRBBB]"], r"data.label_space was \['AFIB', .*\], and is \['STACH', 'AFIB', "),
        (["data.band=[0.5,40]"], r"data.band was None, and is \[0.5, 40.0\] here"),
        (["data.augment={gain: 0.2}"], r"data.augment.gain was 0.0, and is 0.2 here"),
        (["data.batch_size=8"], r"data.batch_size was 16, and is 8 here"),
        (["seed=1"], r"seed was 0, and is 1 here"),
        (["optim.lr=1e-5"], r"optim.lr was 0.002, and is 1e-05 here"),
        (["optim.optimizer=sgd"], r"optim.optimizer was adamw, and is sgd here"),
        (["finetune.layer_decay=0.5"], r"finetune.layer_decay was 1.0, and is 0.5 here"),
        (["finetune.schedule={0: [head], 1: all}"], r"finetune.schedule.0 was all, and is \['head'\] here"),
        (["trainer.accumulate_grad_batches=2"], r"trainer.accumulate_grad_batches was 1, and is 2 here"),
        (["trainer.gradient_clip_val=2"], r"trainer.gradient_clip_val was 1, and is 2 here"),
        (["trainer.precision=bf16-mixed"], r"trainer.precision was 32-true, and is bf16-mixed here"),
        (["model.widths=[4,4,8,16]"], r"model.widths was \[4, 4, 8, 8\], and is \[4, 4, 8, 16\] here"),
        (["data.allow_leak=true"], r"data.allow_leak was False, and is True here"),
        (["finetune.checkpoint={run}/checkpoints/best.ckpt"], "it began from scratch, and finetune.checkpoint is "),
    ],
)
def test_another_run_is_refused(root: Path, run: Path, tmp_path: Path, words: list[str], message: str) -> None:
    arguments = [word.replace("{run}", str(run)) for word in words]
    before = files(run)
    for folder, path in ((tmp_path / "other", f"{run}/checkpoints/last.ckpt"), (run, "auto")):
        with pytest.raises(UserError, match=message) as error:
            small.fit(root, folder, *CONSTANT, "trainer.max_epochs=3", *arguments, f"checkpoint_path={path}")
        assert f"use finetune.checkpoint={run}/checkpoints/last.ckpt" in str(error.value)
    assert files(run) == before
    assert not (tmp_path / "other").exists()


def test_defaults_written_out_and_keys_without_effect_are_no_difference(root: Path, run: Path, tmp_path: Path) -> None:
    base = (
        "optim.lr=0.002", "data.augment={noise: 0}", "data.label_space=[AFIB,1AVB,STACH,SBRAD,CRBBB,CLBBB,PVC]",
        "finetune.schedule={0: all}", "trainer.devices=1", "trainer.precision=32", "data.num_workers=0",
        "trainer.log_every_n_steps=7", "trainer.max_time={hours: 1}", "optim.patience=null",
    )  # fmt: skip
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    space = LabelSpace.load("paper7").items
    arguments = [word if "label_space" not in word else f"data.label_space=[{','.join(space)}]" for word in base]
    small.fit(root, folder, *CONSTANT, *arguments, "trainer.max_epochs=2", "checkpoint_path=auto")
    assert checkpoints.card_of(str(folder / "checkpoints" / "last.ckpt")).epoch == 1


def test_a_longer_run_whose_rate_follows_its_length_is_another_run(root: Path, tmp_path: Path) -> None:
    folder = small.fit(root, tmp_path / "run", "trainer.max_epochs=1")
    with pytest.raises(UserError, match=r"max_epochs was 1, and is 2 here, and optim.schedule=cosine .* follows it"):
        small.fit(root, folder, "trainer.max_epochs=2", "checkpoint_path=auto")


def test_fewer_epochs_than_there_were_are_refused(root: Path, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    small.fit(root, folder, *CONSTANT, "trainer.max_epochs=2", "checkpoint_path=auto")
    with pytest.raises(UserError, match=r"was trained for 2 epochs, and trainer.max_epochs=1 is less"):
        small.fit(root, folder, *CONSTANT, "trainer.max_epochs=1", "checkpoint_path=auto")


def test_another_number_of_threads_is_said(
    root: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    last = folder / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    threads = content["run"]["threads"]
    assert threads == torch.get_num_threads()
    assert f"# threads: {threads}" in (folder / "config.yaml").read_text()
    content["run"]["threads"] = threads + 3
    torch.save(content, last)
    capsys.readouterr()
    small.fit(root, folder, *CONSTANT, "trainer.max_epochs=2", "checkpoint_path=auto")
    assert f"trained with {threads + 3} threads and goes on with {threads}" in capsys.readouterr().err


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in ("config.yaml.0a.part", "checkpoints/last.ckpt.part", "metrics.csv"):
        (tmp_path / name).touch()
    with locked(tmp_path):
        assert {path.name for path in tmp_path.rglob("*")} == {"checkpoints", "metrics.csv", "fit.lock"}


@pytest.mark.filterwarnings("ignore:The dirpath has changed")  # the best epoch so far stays where it was
def test_a_run_goes_on_elsewhere_and_without_its_parent(root: Path, run: Path, tmp_path: Path) -> None:
    parent = tmp_path / "parent.ckpt"
    shutil.copy(run / "checkpoints" / "best.ckpt", parent)
    arguments = (*CONSTANT, f"finetune.checkpoint={parent}", "data.train_records=30", "data.subset_seed=1")
    child = small.fit(root, tmp_path / "child", *arguments, "trainer.max_epochs=1")
    before = checkpoints.read(str(child / "checkpoints" / "last.ckpt"))
    parent.unlink()
    small.fit(
        root, tmp_path / "moved", *arguments, f"checkpoint_path={child}/checkpoints/last.ckpt", "data.store_dir=" + str(tmp_path)
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
    small.fit(root, moved, *CONSTANT, "checkpoint_path=auto", "trainer.max_epochs=2")
    assert checkpoints.card_of(str(last)).epoch == 1
    assert files(moved)["checkpoints/best.ckpt"] == files(run)["checkpoints/best.ckpt"]


@pytest.mark.parametrize("comparison", [{"monitor": "val/auroc", "mode": "max"}, {}])
def test_checkpoint_files_of_older_versions_have_the_same_key_of_the_state(comparison: dict[str, str]) -> None:
    class Kept(ModelCheckpoint):
        """The name of the class in older versions."""

    # The qualified name of the class at the top of a module.
    Kept.__qualname__ = "Kept"
    assert RunCheckpoint(**comparison).state_key == Kept(**comparison).state_key  # type: ignore[arg-type]
    assert RunCheckpoint(**comparison).state_key.startswith("Kept{")  # type: ignore[arg-type]


def test_what_cannot_be_gone_on_with_is_explained(root: Path, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    last = folder / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"last.ckpt is not a checkpoint .* copy .*best.ckpt over it to go on from"):
        small.fit(root, folder, "checkpoint_path=auto")
    shutil.copy(folder / "checkpoints" / "best.ckpt", last)
    small.fit(root, folder, *CONSTANT, "checkpoint_path=auto")
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
    numbers = set()
    for _ in range(20):  # frozen at any moment, the file is what a kill would leave
        process.send_signal(signal.SIGSTOP)
        checkpoint = torch.load(path, weights_only=True)
        assert (checkpoint["x"] == checkpoint["number"]).all()
        numbers.add(checkpoint["number"])
        process.send_signal(signal.SIGCONT)
        time.sleep(0.013)
    process.kill()
    process.communicate()
    assert len(numbers) > 5


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
