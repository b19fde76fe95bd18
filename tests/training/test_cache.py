"""Training the head on what the frozen layers put out once: the run that computes it in every step, faster."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import small
from ecg_lightning import checkpoints
from ecg_lightning.datamodules.batches import Recordings
from ecg_lightning.errors import UserError
from ecg_lightning.models.network import Network
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.training.cache import Bodies

PROBE = ("finetune.schedule={0: [head]}", "finetune.reset_head=true", "optim.lr=1e-2", "data.augment=null")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def parent(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    run = small.fit(root, tmp_path_factory.mktemp("runs") / "parent", "trainer.max_epochs=1")
    return f"finetune.checkpoint={run}/checkpoints/best.ckpt"


def state(run_dir: Path) -> dict[str, torch.Tensor]:
    return checkpoints.read(str(run_dir / "checkpoints" / "last.ckpt")).state


def metrics(run_dir: Path) -> np.ndarray:
    return np.genfromtxt(run_dir / "metrics.csv", delimiter=",", skip_header=1)


@pytest.mark.parametrize(
    "more",
    [
        ["model.pooling=max_mean", "data.metadata=[age,sex]", "finetune.schedule={0: [branch, head]}"],
        ["model.pooling=normed_attention"],
    ],
)
def test_a_cached_run_is_the_slow_one(root: Path, parent: str, tmp_path: Path, more: list[str]) -> None:
    words = (parent, *PROBE, *more, "trainer.max_epochs=3")
    slow = small.fit(root, tmp_path / "slow", *words)
    cached = small.fit(root, tmp_path / "cached", *words, "finetune.cache=true")
    for name, tensor in state(slow).items():
        torch.testing.assert_close(state(cached)[name], tensor, atol=1e-5, rtol=1e-5, msg=name)
    np.testing.assert_allclose(metrics(cached), metrics(slow), atol=1e-5)
    assert small.run("test", [f"run_dir={cached}"]) == 0  # an ordinary network


def test_the_frozen_layers_see_each_recording_once(
    root: Path, parent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    body = Network.body
    monkeypatch.setattr(Network, "body", lambda network, x: seen.append(len(x)) or body(network, x))
    run = small.fit(root, tmp_path / "run", parent, *PROBE, "finetune.cache=true", "trainer.max_epochs=3")
    records = checkpoints.card_of(str(run / "checkpoints" / "last.ckpt")).data.records
    assert sum(seen) == records["train"] + records["val"]
    assert not [file for file in run.iterdir() if file.suffix not in (".csv", ".yaml", "")]


def test_a_cached_run_goes_on_where_it_stopped(
    root: Path, parent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (parent, *PROBE, "finetune.cache=true", "trainer.max_epochs=3")
    whole = small.fit(root, tmp_path / "whole", *words)
    step = ECGModule.training_step

    def training_step(module: ECGModule, batch: dict[str, torch.Tensor], number: int) -> torch.Tensor:
        if module.current_epoch == 2:
            raise OSError("stopped")
        return step(module, batch, number)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="stopped"):
        patch.setattr(ECGModule, "training_step", training_step)
        small.fit(root, tmp_path / "cut", *words)
    cut = small.fit(root, tmp_path / "cut", *words, "checkpoint_path=auto")
    assert all(torch.equal(tensor, state(cut)[name]) for name, tensor in state(whole).items())
    assert (whole / "metrics.csv").read_text() == (cut / "metrics.csv").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["finetune.schedule={0: [head], 1: all}"], "must stay frozen: set finetune.schedule={0: [head]}"),
        (["finetune.schedule={0: all}"], "must stay frozen"),
        (["data.augment={gain: 0.2}"], "data.augment={gain: 0.2} varies the recordings in every epoch. Set data.augment=null"),
        (["data.name=SimulatedDataModule", "data.endless=true"], "data.endless=true draws other recordings in every epoch"),
        (["data.seconds=2"], "training recordings are longer than data.seconds=2, so that they are cut at another place"),
        (["trainer.devices=2"], "in one process, in seconds; trainer.devices=2 here"),
    ],
)  # fmt: skip
def test_what_differs_from_epoch_to_epoch_is_refused(
    words: list[str], message: str, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        small.fit(root, tmp_path / "run", *PROBE, "finetune.cache=true", *words)


def test_a_disk_that_is_too_small_is_known_beforehand(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("ecg_lightning.training.cache.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match=r"finetune.cache=true needs 0.0 GB in .*, and 0.0 GB are free. Choose another"):
        small.fit(root, tmp_path / "run", *PROBE, "finetune.cache=true")


def test_windows_are_found_by_recording_and_first_sample() -> None:
    cuts = np.array([[0, 0], [1, 0], [1, 200], [2, 0], [2, 150], [2, 300]])
    recordings = Recordings(None, np.array([7, 8, 9]), np.array([[0.0], [1.0], [np.nan]], np.float32), 300)  # type: ignore[arg-type]
    bodies = Bodies(recordings, cuts, np.arange(6.0)[:, None])
    batch = bodies[cuts[[5, 0, 2]]]
    assert batch["body"].tolist() == [[5.0], [0.0], [2.0]]
    assert batch["record"].tolist() == [9, 7, 8] and batch["window"].tolist() == [300, 0, 200]
    np.testing.assert_array_equal(batch["targets"], [[np.nan], [0.0], [1.0]])
