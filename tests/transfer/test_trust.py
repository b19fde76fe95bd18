"""What stands in one table belongs together: the networks' parents, the recordings that trained them, those that tested them."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from omegaconf import DictConfig

import small
from ecg_lightning import checkpoints
from ecg_lightning.datamodules import SimulatedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictions import read_predictions
from ecg_lightning.training import fit as run
from ecg_lightning.transfer import run as command
from ecg_lightning.transfer.report import report
from ecg_lightning.transfer.results import Results
from ecg_lightning.transfer.study import read_study

Moved = tuple[Path, list[str]]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the folders that are trained; nothing is trained."""
    names: list[str] = []

    def fit(config: DictConfig) -> Path:
        names.append(Path(config.run_dir).name)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "fit", fit)
    return names


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_study_that_was_moved_is_still_finished(moved: Moved, trained: list[str]) -> None:
    folder, arguments = moved
    before = json.loads((folder / "results.json").read_text())
    assert small.run("transfer", arguments) == 0
    after = json.loads((folder / "results.json").read_text())
    assert after["large"] == before["large"] and after["sizes"][0]["size"] == "20"
    assert trained == []


def test_networks_of_another_parent_are_refused(moved: Moved, trained: list[str]) -> None:
    folder, arguments = moved
    shutil.rmtree(folder / "large")
    with pytest.raises(UserError, match=r"fine-tuned from another network than \S+large/checkpoints/best.ckpt is now"):
        small.run("transfer", [*arguments, "large.seed=5"])
    assert trained == []


def test_a_parent_that_was_replaced_is_noticed(moved: Moved, trained: list[str]) -> None:
    folder, arguments = moved
    best = Path("checkpoints", "best.ckpt")
    shutil.copy(folder / "both-20-0" / best, folder / "large" / best)
    with pytest.raises(UserError, match=r"another network than \S+ is now, .*: \S+moved/tuned-20-0\. Give the study"):
        small.run("transfer", [*arguments, "--both=false"])
    assert trained == []


def test_a_given_checkpoint_that_was_replaced_is_noticed_and_measured_again(moved: Moved, tmp_path: Path) -> None:
    folder, arguments = moved
    colleague = tmp_path / "colleague.ckpt"
    shutil.copy(folder / "large" / "checkpoints" / "best.ckpt", colleague)
    arguments_alone = [word for word in arguments if not word.startswith("large.")]
    arguments_alone += [f"--large={colleague}", "--both=false", f"--run_dir={tmp_path / 'own'}"]
    assert small.run("transfer", arguments_alone) == 0
    report_path = tmp_path / "own" / "large" / "on_small" / "test.json"
    assert json.loads(report_path.read_text())["checkpoint_sha256"] == sha256(colleague)
    shutil.copy(folder / "both-60-0" / "checkpoints" / "best.ckpt", colleague)
    with pytest.raises(UserError, match="fine-tuned from another network"):
        small.run("transfer", arguments_alone)
    shutil.rmtree(tmp_path / "own" / "tuned-20-0")
    assert small.run("transfer", arguments_alone) == 0
    assert json.loads(report_path.read_text())["checkpoint_sha256"] == sha256(colleague)


def test_an_archive_that_grew_is_noticed(moved: Moved, trained: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, arguments = moved
    table = SimulatedDataModule.table

    def grown(data: SimulatedDataModule) -> pd.DataFrame:
        data.records = 600 if data.hospital == "small" else data.records
        return table(data)

    monkeypatch.setattr(SimulatedDataModule, "table", grown)
    names = ", ".join(str(folder / f"{arm}-20-0") for arm in ("small", "tuned", "both"))
    with pytest.raises(UserError, match=f"trained on other recordings than the archives hold now, .*: {names}\\."):
        small.run("transfer", arguments)
    assert trained == []
    report_path = folder / "large" / "on_small" / "test.json"
    assert json.loads(report_path.read_text())["data"]["records"]["train"] == 373
    study = read_study(arguments)
    from ecg_lightning.transfer.checks import check_archives
    from ecg_lightning.transfer.measure import describe, measure

    archive = check_archives(study, study.trainings())["small"]
    measure(study, study.checkpoint, "small", describe(archive), study.measured("large"))
    saved = read_predictions(report_path.parent)
    assert saved.records.tolist() == np.flatnonzero(archive.folds == 10).tolist()
    with pytest.raises(UserError, match="measured on different test recordings, and cannot be compared"):
        Results(study).rows()


@pytest.mark.parametrize("name", ["records", "targets", "patients"])
def test_differences_are_of_the_same_recordings(moved: Moved, name: str) -> None:
    folder, arguments = moved
    path = folder / "tuned-20-0" / "predictions.parquet"
    saved = read_predictions(path.parent)
    replace(saved, **{name: np.roll(getattr(saved, name), 1, axis=0)}).write(path)
    with pytest.raises(UserError, match=rf"{path.parent} and \S+ were measured on different test recordings"):
        Results(read_study(arguments)).rows()


def test_what_is_broken_or_of_an_older_version_is_measured_again(moved: Moved, trained: list[str]) -> None:
    folder, arguments = moved
    cut = folder / "small-20-0" / "predictions.parquet"
    cut.write_bytes(cut.read_bytes()[:1000])
    old = folder / "tuned-20-0" / "test.json"
    report = json.loads(old.read_text())
    old.write_text(json.dumps({key: value for key, value in report.items() if key != "checkpoint_sha256"}))
    untouched = folder / "both-20-0" / "predictions.parquet"
    before = untouched.stat().st_mtime_ns
    assert small.run("transfer", arguments) == 0
    assert read_predictions(cut.parent).logits.shape == (report["records"], 3)
    assert json.loads(old.read_text()) == report | {"checkpoint": str(old.parent / "checkpoints" / "best.ckpt")}
    assert untouched.stat().st_mtime_ns == before and trained == []


def test_a_broken_network_says_what_to_do(moved: Moved) -> None:
    folder, arguments = moved
    path = folder / "small-20-0" / "checkpoints" / "best.ckpt"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match=rf"{path} is not a .*Remove {folder}/small-20-0, and it is trained again"):
        small.run("transfer", arguments)


def test_a_score_that_does_not_exist_is_null(moved: Moved) -> None:
    folder, arguments = moved
    for path in folder.glob("**/predictions.parquet"):
        saved = read_predictions(path.parent)
        replace(saved, targets=np.zeros_like(saved.targets)).write(path)
    report(read_study(arguments))
    results = json.loads((folder / "results.json").read_text())
    assert results["large"] == {"value": None, "low": None, "high": None}
    assert results["sizes"][0]["by seed"] == {arm: [None] for arm in ("small", "tuned", "both")}
    assert "| 20 | 1 | nan [nan, nan] |" in (folder / "table.md").read_text()


def test_what_won_is_published_with_its_test(moved: Moved, tmp_path: Path) -> None:
    folder, _ = moved
    checkpoints.publish(str(folder / "tuned-20-0"), "ours", str(tmp_path / "place"))
    card = checkpoints.card_of("ours", str(tmp_path / "place"))
    assert card.test.metrics == json.loads((folder / "tuned-20-0" / "test.json").read_text())["metrics"]


def test_while_another_process_trains_the_large_network_the_small_ones_are_trained(
    moved: Moved, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, arguments = moved
    (folder / "small-20-0" / "done").unlink()
    shutil.rmtree(folder / "tuned-20-0")
    (folder / "large" / "done").unlink()
    lock = FileLock(folder / "large.lock")
    order, pauses = [], []

    def fit(config: DictConfig) -> Path:
        order.append(Path(config.run_dir).name)
        if order[-1] == "tuned-20-0":
            raise KeyboardInterrupt
        return Path(config.run_dir)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        (folder / "large" / "done").touch()  # the other process has finished
        lock.release()

    monkeypatch.setattr(run, "fit", fit)
    monkeypatch.setattr(command.time, "sleep", pause)
    with lock, pytest.raises(KeyboardInterrupt):
        small.run("transfer", arguments)
    assert order == ["small-20-0", "tuned-20-0"] and len(pauses) == 1
    assert (
        "another process, which trains these networks: large alone; large, then small, 20 recordings, seed 0."
        in capsys.readouterr().err
    )
