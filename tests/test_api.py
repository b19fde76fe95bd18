"""The commands as functions, as somebody in a notebook uses them."""

import subprocess
import sys
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

import ecg_lightning
import small
from ecg_lightning import checkpoints, compose, evaluate, fit, load
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.records import read_record
from ecg_lightning.training.build import build_run
from ecg_lightning.training.trainer import quiet


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def run_dir(root: Path) -> Path:
    return fit(compose(small.arguments(root, root.parent / "run")))


def test_everything_that_is_offered_is_there() -> None:
    assert all(callable(getattr(ecg_lightning, name)) for name in ecg_lightning.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ecg_lightning.nothing


def test_a_report_is_what_the_command_writes(root: Path, run_dir: Path) -> None:
    report = evaluate(compose(small.arguments(root, run_dir)), "test")
    assert report["metrics"].keys() >= {"auroc", "ap", "gmean"}
    assert (run_dir / "test.json").is_file()


def test_an_array_is_predicted_as_its_file_is(root: Path, run_dir: Path) -> None:
    network = load(str(run_dir / "checkpoints" / "best.ckpt"))
    record = read_record(min((root / "records100").rglob("*.hea")))
    probabilities = network.predict(record.signal, record.sampling_rate)
    assert list(probabilities) == network.terms
    np.testing.assert_allclose(list(probabilities.values()), network.probabilities([record])[0], atol=1e-6)
    reordered = network.predict(
        record.signal[::-1],
        record.sampling_rate,
        leads=list(reversed(["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"])),
    )
    np.testing.assert_allclose(list(reordered.values()), list(probabilities.values()), atol=1e-6)


def test_data_and_module_train_by_hand_as_by_fit(root: Path, run_dir: Path, tmp_path: Path) -> None:
    config = compose(small.arguments(root, tmp_path / "by_hand"))
    quiet()  # warnings of Lightning are errors in tests
    pl.seed_everything(0, verbose=False)
    data, module = build_run(config)
    trainer = pl.Trainer(
        max_epochs=2, gradient_clip_val=1, accelerator="cpu", num_sanity_val_steps=0, use_distributed_sampler=False,
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    state = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(state[f"network.{name}"], tensor) for name, tensor in module.network.state_dict().items())


def test_a_network_that_was_read_is_not_trained_by_hand_on_what_it_has_seen(root: Path, run_dir: Path) -> None:
    best = str(run_dir / "checkpoints" / "best.ckpt")
    quiet()

    def trained(*more: str) -> None:
        config = compose([*small.arguments(root, root.parent / "by_hand"), *more])
        data: PackedDataModule = build("data", config.data)
        pl.Trainer(
            max_epochs=1, accelerator="cpu", use_distributed_sampler=False, num_sanity_val_steps=0, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        ).fit(checkpoints.read(best).module(), datamodule=data)  # fmt: skip

    trained()  # the same folds are held out
    with pytest.raises(UserError, match=r"ptbxl: \d+ of the \d+ recordings .* trained this network before"):
        trained("data.val_folds=[1]", "data.test_folds=[10]")
    trained("data.val_folds=[1]", "data.allow_leak=true")


def test_a_mistake_is_a_message_before_anything_is_built(root: Path) -> None:
    with pytest.raises(UserError, match="Did you mean: 'lr'"):
        compose([*small.arguments(root, root.parent / "other"), "optim.lrr=1"])


def test_predicting_needs_no_lightning_and_no_simulator(run_dir: Path) -> None:
    code = (
        "import sys; from ecg_lightning import load\n"
        f"load({str(run_dir / 'checkpoints' / 'best.ckpt')!r}).predict([[0.0, 1.0] * 600] * 12, 500)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('lightning', 'wandb', 'matplotlib')][:3])\n"
        "import ecg_lightning.commands.predict; print([name for name in sys.modules if 'simulator' in name])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines() == ["[]", "[]"]
