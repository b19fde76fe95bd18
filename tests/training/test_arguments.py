"""Every argument of Lightning's Trainer works with plateau, patience and freezing, or is refused by name before packing."""

import csv
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from omegaconf import DictConfig

import small
from ecg_lightning import checkpoints
from ecg_lightning.config.schema import SUPPLIED
from ecg_lightning.errors import UserError
from ecg_lightning.modules.optim import Optim
from ecg_lightning.training.arguments import DEFAULTS, REFUSED, check_arguments
from ecg_lightning.training.trainer import probe

WORKS = (
    "accelerator", "strategy", "devices", "num_nodes", "precision", "fast_dev_run", "max_epochs", "min_epochs",
    "max_steps", "min_steps", "max_time", "limit_train_batches", "limit_val_batches", "val_check_interval",
    "check_val_every_n_epoch", "num_sanity_val_steps", "log_every_n_steps", "enable_checkpointing",
    "enable_progress_bar", "enable_model_summary", "accumulate_grad_batches", "gradient_clip_val",
    "gradient_clip_algorithm", "deterministic", "benchmark", "inference_mode", "profiler", "detect_anomaly",
    "sync_batchnorm", "reload_dataloaders_every_n_epochs", "enable_autolog_hparams",
)  # fmt: skip
"""Arguments that do what Lightning documents."""
EVERYTHING = ("optim.schedule=plateau", "optim.patience=2", "finetune.schedule={0: [head], 1: all}")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("archive"), 60)


def saved_epochs(run_dir: Path) -> dict[str, int]:
    """The epochs of a run's checkpoints."""
    return {
        path.stem: checkpoints.card_of(str(path)).epoch for path in sorted((run_dir / "checkpoints").glob("*.ckpt"))
    }


def rows(run_dir: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run_dir / "metrics.csv").read_text().splitlines()))


def test_each_argument_is_in_one_of_the_groups() -> None:
    groups = [*WORKS, *REFUSED, *SUPPLIED["trainer"]]
    assert sorted(groups) == sorted(inspect.signature(Trainer).parameters)
    assert DEFAULTS.keys() == REFUSED.keys()
    for name, parameter in inspect.signature(Trainer).parameters.items():
        assert name not in REFUSED or parameter.default in DEFAULTS[name]


@pytest.mark.parametrize(
    ("values", "optim", "message"),
    [
        ({"overfit_batches": 1}, {}, "trainer.overfit_batches=1 is not possible: .* data.train_records=32"),
        ({"barebones": True}, {}, "trainer.barebones=True is not possible"),
        ({"model_registry": "x"}, {}, "trainer.model_registry=x is not possible: .*`publish`"),
        ({"limit_test_batches": 2}, {}, "trainer.limit_test_batches=2 is not possible"),
        ({"limit_predict_batches": 0.5}, {}, "trainer.limit_predict_batches=0.5 is not possible"),
        ({"enable_checkpointing": False}, {}, "trainer.enable_checkpointing=false"),
        ({"max_epochs": 0}, {}, "trainer.max_epochs=0 must be at least 1, or -1"),
        ({"max_epochs": -1}, {}, "trainer.max_epochs=-1 would never end"),
        ({"max_epochs": -1, "max_time": "00:01:00:00"}, {}, "cosine .* follows the length of the run"),
        ({"max_time": "00:01:00:00"}, {"schedule": "constant"}, "constant with optim.warmup=0.3 follows the length"),
        ({"max_steps": 0}, {}, "trainer.max_steps=0 must be at least 1"),
        ({"limit_train_batches": 0}, {}, "trainer.limit_train_batches=0 must be above 0"),
        ({"limit_train_batches": 1.5}, {}, "a share is at most 1.0"),
        ({"limit_val_batches": -1}, {}, "trainer.limit_val_batches=-1 must be at least 0"),
        ({"check_val_every_n_epoch": 0}, {}, "trainer.check_val_every_n_epoch=0 must be at least 1"),
        ({"accumulate_grad_batches": 0}, {}, "trainer.accumulate_grad_batches=0 must be at least 1"),
        ({"gradient_clip_val": -1.0}, {}, "trainer.gradient_clip_val=-1.0 must be at least 0"),
        ({"gradient_clip_val": float("nan")}, {}, "trainer.gradient_clip_val=nan must be at least 0"),
        ({"val_check_interval": "00:00:10:00"}, {}, "cannot be repeated"),
        ({"limit_val_batches": 0}, {"patience": 2}, "optim.patience=2 compares .* trainer.limit_val_batches=0"),
        ({"limit_val_batches": 0}, {"schedule": "plateau"}, "optim.schedule=plateau compares epochs"),
        ({"check_val_every_n_epoch": 5, "max_epochs": 4}, {"patience": 2}, "n_epoch=5, trainer.max_epochs=4"),
        ({"check_val_every_n_epoch": None, "val_check_interval": 3}, {"schedule": "plateau"}, "whole epochs"),
        ({"strategy": "fsdp"}, {}, "trainer.strategy=fsdp is not possible. Choices: auto, ddp"),
        ({"strategy": "ddp_find_unused_parameters_false"}, {}, "would wait forever for the gradients"),
        ({"num_nodes": 2}, {}, "trainer.num_nodes=2 would wait forever"),
        ({"precision": "transformer-engine"}, {}, "needs the package transformer_engine"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    values: dict[str, Any], optim: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_PROCID", "RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match=message):
        check_arguments(values, Optim(**optim), freezes=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"devices": 0, "accelerator": "cpu"}, r"devices=0"),
        ({"devices": -1, "accelerator": "cpu"}, "should be an int > 0"),
        ({"accelerator": "tpu"}, "accelerator=tpu was not found on this machine. Use trainer.accelerator=auto"),
        ({"accelerator": "abacus"}, "abacus"),
        ({"max_time": "soon"}, "soon"),
        ({"precision": "8-bit"}, "8-bit"),
        ({"profiler": "sherlock"}, "profiler"),
        ({"gradient_clip_algorithm": "scissors"}, "scissors"),
        ({"sync_batchnorm": True, "accelerator": "cpu"}, "trainer.sync_batchnorm=true needs GPUs"),
    ],
)
def test_what_lightning_refuses_is_one_sentence(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as error:
        probe(DictConfig({"trainer": values}), tmp_path, freezes=False)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_said_before_data_are_packed(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="accelerator=gpu was not found on this machine"):
        small.fit(root, tmp_path / "run", "trainer.accelerator=gpu")
    assert list(tmp_path.iterdir()) == []


def test_most_arguments_in_one_run_with_validation_now_and_then(root: Path, tmp_path: Path) -> None:
    values = {
        "max_epochs": 4, "min_epochs": 2, "min_steps": 2, "limit_train_batches": 2, "limit_val_batches": 1,
        "check_val_every_n_epoch": 2, "num_sanity_val_steps": 1, "log_every_n_steps": 0, "accumulate_grad_batches": 2,
        "gradient_clip_algorithm": "value", "deterministic": "true", "benchmark": "false", "inference_mode": "false",
        "profiler": "simple", "detect_anomaly": "true", "reload_dataloaders_every_n_epochs": 1, "devices": 1,
        "enable_autolog_hparams": "false", "enable_checkpointing": "true", "max_steps": 100, "max_time": "{hours: 1}",
    }  # fmt: skip
    folder = small.fit(
        root, tmp_path / "run", *EVERYTHING, *(f"trainer.{key}={value}" for key, value in values.items())
    )
    torch.use_deterministic_algorithms(False)
    epochs = saved_epochs(folder)
    assert epochs["last"] == 3
    assert epochs["best"] in (1, 3)  # those that were validated
    assert [bool(row["val/auroc"]) for row in rows(folder)] == [False, True, False, True]
    assert (folder / "fit-profile.txt").stat().st_size > 1000


def test_the_best_of_several_validations_within_an_epoch_has_the_weights_that_were_validated(
    root: Path, tmp_path: Path
) -> None:
    words = ("trainer.val_check_interval=3", "trainer.max_epochs=1", "optim.schedule=constant", "optim.lr=0.01")
    folder = small.fit(root, tmp_path / "run", *words, "optim.patience=1")
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    last = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert (best["global_step"], last["global_step"]) == (3, 4)
    assert not torch.equal(best["state_dict"]["network.head.weight"], last["state_dict"]["network.head.weight"])


def test_a_run_that_ends_before_its_first_validation_keeps_its_last(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small.fit(root, tmp_path / "run", *EVERYTHING, "trainer.max_steps=2", "trainer.max_epochs=-1")
    assert saved_epochs(folder) == {"last": 0}
    assert "Nothing was validated, so there is no best.ckpt" in capsys.readouterr().out


def test_a_run_without_validation_says_so_and_is_measured_by_its_last_epoch(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small.fit(root, tmp_path / "run", "trainer.limit_val_batches=0", "trainer.max_epochs=1")
    printed = capsys.readouterr()
    assert "Nothing is validated: there will be no best.ckpt" in printed.err
    assert f"`publish` takes {folder}/checkpoints/last.ckpt" in printed.out
    assert small.run("test", [f"run_dir={folder}", "trainer.enable_progress_bar=false"]) == 0
    assert "Measuring last.ckpt" in capsys.readouterr().err
    assert small.run("validate", [f"run_dir={folder}", "trainer.enable_progress_bar=false"]) == 0  # on all recordings
    assert (folder / "val.json").is_file()


def test_a_trial_keeps_no_checkpoint_and_says_so(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small.fit(root, tmp_path / "run", *EVERYTHING, "trainer.fast_dev_run=1")
    assert "A trial (trainer.fast_dev_run): no checkpoint is kept" in capsys.readouterr().out
    assert not (folder / "checkpoints").exists()


def test_an_interval_beyond_the_epoch_is_one_sentence(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`val_check_interval` \(500\) must be less than or equal to"):
        small.fit(root, tmp_path / "run", "trainer.val_check_interval=500")


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-true", "bf16-true", "64-true"])
@pytest.mark.filterwarnings("ignore:.*lower precision.*")
def test_every_precision_trains_and_predicts(root: Path, tmp_path: Path, precision: str) -> None:
    from ecg_lightning.evaluation.predictor import Predictor
    from ecg_lightning.records import Record

    words = (f"trainer.precision={precision}", "trainer.max_epochs=2", "optim.warmup=0")
    folder = small.fit(root, tmp_path / "run", *words)
    assert all(np.isfinite(float(row["train/loss"])) for row in rows(folder))
    signal = np.random.default_rng(0).normal(size=(12, 300)).astype(np.float32)
    probabilities = Predictor(str(folder / "checkpoints" / "last.ckpt"), device="cpu").probabilities(
        [Record(signal, 100.0)]
    )
    assert ((probabilities > 0) & (probabilities < 1)).all()
    weights = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]["network.head.weight"]
    dtypes = {"bf16-mixed": torch.float32, "16-true": torch.float16, "bf16-true": torch.bfloat16}
    assert weights.dtype == dtypes.get(precision, torch.float64)
