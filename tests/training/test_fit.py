"""A run's folder: what is in it, what W&B gets, and what is refused."""

import csv
import hashlib
import json
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
from omegaconf import OmegaConf
from sklearn.metrics import roc_auc_score
from torch import Tensor

import small
from ecg_lightning import checkpoints, datamodules
from ecg_lightning.datamodules import PTBXLDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.modules import ResNet1dModule
from training.wandb_server import records

NO_BAR = "trainer.enable_progress_bar=false"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("archive"), 120)


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small.fit(root, tmp_path_factory.mktemp("runs") / "one")
    assert small.run("test", [f"run_dir={folder}", NO_BAR]) == 0
    return folder


def test_the_folder_has_everything(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoints", "config.yaml", "metrics.csv", "predictions.parquet", "report", "test.json",
    ]  # fmt: skip
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert {"train/loss", "train/lr", "val/loss", "val/auroc", "val/auroc/AFIB", "val/ap", "val/f1/PVC"} <= rows[
        0
    ].keys()


def test_config_yaml_repeats_the_run(root: Path, run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert small.run("fit", ["--config", str(run / "config.yaml"), f"run_dir={again}"]) == 0
    assert (again / "metrics.csv").read_text() == (run / "metrics.csv").read_text()
    text = (run / "config.yaml").read_text()
    assert "# git_commit:" in text
    assert "# data: " in text
    assert OmegaConf.create(text).data.name == "PTBXLDataModule"


def test_test_json_holds_counts_thresholds_and_metrics_and_no_patient(root: Path, run: Path) -> None:
    report = json.loads((run / "test.json").read_text())
    assert report["records"] == report["data"]["records"]["test"]
    row = next(row for row in report["terms"] if row["term"] == "AFIB")
    assert row["positive"] + row["negative"] + row["missing"] == report["records"]
    assert row["threshold"] == checkpoints.card_of(str(run / "checkpoints" / "best.ckpt")).thresholds[0]
    macro = [r["auroc"] for r in report["terms"] if r["auroc"] is not None]
    assert report["metrics"]["auroc"] == pytest.approx(np.mean(macro))
    best = run / "checkpoints" / "best.ckpt"
    assert report["checkpoint_sha256"] == hashlib.sha256(best.read_bytes()).hexdigest()
    assert not any(name in json.dumps(report) for name in ("patient_id", "record_id"))
    assert "patient" not in checkpoints.card_of(str(best)).to_json()


def test_two_tests_of_a_run_write_the_same_bytes(run: Path) -> None:
    names = ("test.json", "predictions.parquet")
    before = [(run / name).read_bytes() for name in names]
    assert small.run("test", [f"run_dir={run}", NO_BAR]) == 0
    assert [(run / name).read_bytes() for name in names] == before


def test_the_reported_auroc_is_scikit_learns_on_the_same_probabilities(root: Path, run: Path) -> None:
    from ecg_lightning.datamodules import PTBXLDataModule
    from ecg_lightning.evaluation.predictor import Predictor
    from ecg_lightning.records import Record

    data = PTBXLDataModule(root=str(root), seconds=3, store_dir=str(run.parent / "store"), pack_workers=1)
    rows = data.rows("test")
    signals, _ = data.store.read(rows, np.zeros(len(rows), np.int64), 300)
    recordings = [Record(signal.T.astype(np.float32) / 1000, 100.0) for signal in signals]
    probabilities = Predictor(str(run / "checkpoints" / "best.ckpt"), device="cpu").probabilities(recordings)
    report = json.loads((run / "test.json").read_text())
    for column, row in enumerate(report["terms"]):
        targets = data.targets[rows][:, column]
        if row["auroc"] is not None:
            assert row["auroc"] == pytest.approx(roc_auc_score(targets, probabilities[:, column]), abs=1e-6)


def test_what_is_set_aside_is_said_in_a_line(
    root: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(root, tmp_path / "ptbxl")
    (lost, *_) = sorted((tmp_path / "ptbxl" / "records100").rglob("*.dat"))
    lost.unlink()
    small.fit(tmp_path / "ptbxl", tmp_path / "run", "trainer.max_epochs=1")
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "set aside" in line)
    summary, _, path = line.partition(", see ")
    assert summary == "1 of 120 recordings are set aside"
    assert lost.stem[:5] in Path(path).read_text()


def test_validate_measures_what_training_logged(root: Path, run: Path) -> None:
    assert small.run("validate", [f"run_dir={run}", NO_BAR]) == 0
    report = json.loads((run / "val.json").read_text())
    for name in ("val.json", "val_predictions.parquet"):
        (run / name).unlink()
    logged = checkpoints.card_of(str(run / "checkpoints" / "best.ckpt")).metrics["val/auroc"]
    assert report["metrics"]["auroc"] == pytest.approx(logged, abs=1e-6)


def test_wandb_offline_holds_the_metrics_and_never_asks(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = small.fit(root, tmp_path / "run", "logger.wandb=true", "logger.group=study", "trainer.max_epochs=1")
    wandb.teardown()  # its process writes on for a moment
    (log,) = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    logged, group = {}, ""
    for record in records(log):
        if record.WhichOneof("record_type") == "run":
            group = group or record.run.run_group
        for item in record.history.item:
            logged["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
    row = next(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert group == "study"
    for key in ("val/auroc", "val/auroc/STACH", "val/loss", "train/loss"):
        assert logged[key] == pytest.approx(float(row[key]), rel=1e-4), key


def test_a_finished_run_is_not_trained_over(root: Path, run: Path) -> None:
    with pytest.raises(UserError, match=r"already holds a run. Go on with it by checkpoint_path=.*last.ckpt"):
        small.fit(root, run)


def test_a_run_stopped_by_the_keyboard_says_how_it_goes_on(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = ResNet1dModule.training_step

    def press(module: ResNet1dModule, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        if module.current_epoch == 1:
            raise KeyboardInterrupt
        return step(module, batch, batch_idx)

    words = small.arguments(root, tmp_path / "run", NO_BAR)
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(ResNet1dModule, "training_step", press)
        assert small.run("fit", words) == 130
    assert signal.getsignal(signal.SIGINT) is handler
    assert f"goes on with run_dir={tmp_path}/run checkpoint_path=auto." in capsys.readouterr().err
    with pytest.raises(UserError, match="already holds a run"):
        small.run("fit", words)
    assert small.run("fit", [*words, "checkpoint_path=auto"]) == 0
    with (tmp_path / "run" / "metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["checkpoint_path=nowhere.ckpt"], "There is no checkpoint file 'nowhere.ckpt'"),
        (
            ["data.label_space=ptbxl_super"],
            "The network expects data.label_space=.*; the data has data.label_space=ptbxl_super",
        ),
        (["data.sampling_rate=50"], "The network expects data.sampling_rate=100; the data has data.sampling_rate=50"),
        (
            ["data.normalisation=none", "data.band=[0.5,40]"],
            "expects data.normalisation=zscore, data.band=null; .* Set data.normalisation=zscore data.band=null.",
        ),
    ],
)
def test_a_checkpoint_is_not_measured_on_what_it_was_not_made_for(run: Path, words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small.run("test", [f"run_dir={run}", NO_BAR, *words])


def test_some_of_its_terms_are_measured_alone(
    run: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"checkpoint_path={run}/checkpoints/best.ckpt", "data.label_space=[STACH,AFIB]", NO_BAR]
    assert small.run("test", small.arguments(root, tmp_path, *words)) == 0
    assert "predicts 7 terms; measured are the 2 of data.label_space." in capsys.readouterr().err
    whole, part = (json.loads((folder / "test.json").read_text(encoding="utf-8")) for folder in (run, tmp_path))
    of_term = {row["term"]: row for row in whole["terms"]}
    assert [row["term"] for row in part["terms"]] == ["STACH", "AFIB"]
    for row in part["terms"]:
        for key in ("positive", "auroc", "threshold", "sensitivity", "brier_calibrated"):
            assert row[key] == pytest.approx(of_term[row["term"]][key]), key


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.val_folds=[3]", "data.test_folds=[3]"], "a fold is on one side only"),
        (["data.train_records=9999"], "there are only"),
        (["data.augment={gian: 1}"], "data.augment: Key 'gian' not in 'Augment'. Did you mean: 'gain'"),
        (["data.normalisation=robust"], "normalisation"),
        (["data.leads=[I,X9]"], "X9"),
        (["data.band=[0.5,80]"], "80"),
        (["finetune.checkpoint=nothing-v1"], "There is no checkpoint 'nothing-v1'"),
        (["model.widths=[1,2]"], "must be a list of 4 items"),
        (["checkpoint_path=nowhere.ckpt"], "checkpoint_path: there is no file 'nowhere.ckpt'"),
    ],
)
def test_mistakes_in_values_are_explained(root: Path, tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small.fit(root, tmp_path / "run", *words)


def test_fewer_leads_and_another_label_space_train_and_predict(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("data.leads=[I,II,V2]", "data.label_space=[AFIB,SR,own:MINE]", "trainer.max_epochs=1")
    decision = ("decision.threshold=sensitivity", "decision.level=0.95", "decision.calibration=temperature")
    folder = small.fit(root, tmp_path / "run", *words, *decision)
    checkpoint = checkpoints.read(str(folder / "checkpoints" / "best.ckpt"))
    assert (checkpoint.card.threshold_rule, checkpoint.card.calibration_method) == ("sensitivity 0.95", "temperature")
    assert checkpoint.card.calibration.intercept == [0, 0, 0]
    printed = capsys.readouterr().out
    assert "thresholds by sensitivity 0.95, calibration by temperature. There the calibration changes: Brier" in printed
    module = checkpoint.module()
    assert module.network.leads == 3
    assert module.terms == ("AFIB", "SR", "MINE")


def test_a_validation_without_both_classes_falls_back_to_the_loss(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small.fit(root, tmp_path / "run", "data.label_space=[WPW]", "trainer.max_epochs=1", "optim.patience=2")
    assert "epochs are compared by val/loss" in capsys.readouterr().err
    assert (folder / "checkpoints" / "best.ckpt").is_file()


def test_a_training_that_diverges_ends_with_an_error_and_keeps_no_broken_weights(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = ResNet1dModule.training_step
    monkeypatch.setattr(ResNet1dModule, "training_step", lambda module, batch, index: step(module, batch, index) * 1e38)
    words = ("optim.lr=10", "optim.warmup=0", "optim.schedule=constant", "trainer.limit_val_batches=0")
    with pytest.raises(UserError, match=r"Epoch 0: the network's weights are no longer finite.*Lower optim.lr"):
        small.fit(root, tmp_path / "run", *words, "trainer.gradient_clip_val=null", "optim.optimizer=sgd")
    assert not list((tmp_path / "run").rglob("*.ckpt"))


@pytest.mark.filterwarnings("ignore:.*(does not have many workers|LeafSpec|max_epochs).*")
def test_a_network_that_was_read_to_predict_trains_by_hand(root: Path, run: Path) -> None:
    from lightning.pytorch import Trainer

    from ecg_lightning.datamodules import PTBXLDataModule

    module = checkpoints.read(str(run / "checkpoints" / "best.ckpt")).module()
    data = PTBXLDataModule(root=str(root), seconds=3, store_dir=str(run.parent / "store"), pack_workers=1)
    statistics = {name: each.clone() for name, each in module.network.state_dict().items() if "running_mean" in name}
    trainer = Trainer(
        max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, limit_val_batches=0, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    after = module.network.state_dict()
    assert statistics
    assert not any(after[name].equal(before) for name, before in statistics.items())


def test_a_fit_reads_the_table_and_looks_at_the_files_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, counts = small.archive(tmp_path), Counter[str]()
    for name, owner in (("table", PTBXLDataModule), ("keep", PTBXLDataModule), ("look_at", datamodules.base)):
        monkeypatch.setattr(owner, name, _counted(getattr(owner, name), name, counts))
    small.fit(root, tmp_path / "run", "trainer.max_epochs=1")
    assert counts == {"table": 1, "look_at": 1, "keep": 1}


def _counted(function: Callable[..., Any], name: str, counts: Counter[str]) -> Callable[..., Any]:
    def wrapped(*arguments: Any) -> Any:
        counts[name] += 1
        return function(*arguments)

    return wrapped
