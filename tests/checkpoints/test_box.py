"""The networks in the package: found by name from everywhere, listed, never confused with a team's; and the run that makes one."""

import csv
import runpy
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import small
from ecg_lightning import checkpoints, load
from ecg_lightning.checkpoints import box
from ecg_lightning.errors import UserError
from ecg_lightning.labels import LabelSpace
from ecg_lightning.simulator import TERMS

ROOT = Path(__file__).parents[2]
RUN = ROOT / "experiments" / "box" / "run.py"
NAME = "simulated-resnet1d-v1"
WORDS = (
    *(word for word in small.TINY if not word.startswith(("trainer.max_epochs", "model.name"))),
    "trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1", "data.records=60", "data.seconds=3", "data.pack_workers=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def experiment() -> dict[str, Any]:
    return runpy.run_path(str(RUN))


@pytest.fixture(scope="module")
def box_folder(experiment: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `weights` of a package whose network was trained for a moment, by the command that trains the real one."""
    folder = tmp_path_factory.mktemp("box")
    words = [*WORDS, f"run_dir={folder / 'run'}", f"data.store_dir={folder / 'store'}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            box, "FOLDER", folder / "empty"
        )  # the package may have the real one, whose name nobody else may take
        assert experiment["main"]([*words, f"checkpoints_dir={folder / 'weights'}"]) == 0
    return folder / "weights"


@pytest.fixture
def weights(box_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package has this folder, and nothing is published in the folder where the user works."""
    monkeypatch.setattr(box, "FOLDER", box_folder)
    monkeypatch.delenv("ECG_CHECKPOINTS", raising=False)
    monkeypatch.chdir(tmp_path)
    return box_folder


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    small.archive(tmp_path, 10)
    return next((tmp_path / "ptbxl" / "records100").rglob("*.hea"))


def test_the_label_space_has_the_terms_that_the_simulator_draws() -> None:
    assert LabelSpace.load("simulated").terms == TERMS


@pytest.mark.parametrize("name", ["simulated-v1", NAME, f"{NAME}.safetensors"])
def test_a_network_of_the_package_is_found_by_either_name(name: str, weights: Path) -> None:
    assert checkpoints.locate(name) == str(weights / f"{NAME}.safetensors")
    assert checkpoints.card_of(name).terms == list(TERMS)


def test_the_card_says_licence_and_limits(weights: Path) -> None:
    card = checkpoints.card_of("simulated-v1")
    assert card.name == NAME
    assert card.licence == "Apache-2.0"
    assert "not a medical device" in card.notes[0]
    assert "simulated recordings alone" in card.notes[1]
    assert card.data.source == "simulated"
    assert card.test is not None


def test_weights_are_in_half_precision_and_compute_in_single(weights: Path) -> None:
    checkpoint = checkpoints.read("simulated-v1")
    assert {tensor.dtype for tensor in checkpoint.state.values() if tensor.is_floating_point()} == {torch.float16}
    assert {parameter.dtype for parameter in checkpoint.network().parameters()} == {torch.float32}
    whole = checkpoints.read(str(weights.parent / "run" / "checkpoints" / "best.ckpt"))
    for name, tensor in whole.state.items():
        assert torch.equal(checkpoint.state[name], tensor.half() if tensor.is_floating_point() else tensor)


def test_it_predicts_and_says_what_it_is(
    weights: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small.run("predict", ["simulated-v1", str(recording), "--output", str(tmp_path / "p.csv")]) == 0
    assert "not a medical device" in capsys.readouterr().err
    with (tmp_path / "p.csv").open() as file:
        columns = next(csv.reader(file))
    assert columns[1:-2] == load("simulated-v1").terms


def test_it_can_be_verified(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run("verify", ["simulated-v1"]) == 0
    assert "simulated-v1" in capsys.readouterr().out


def test_a_run_begins_with_it(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small.archive(tmp_path)
    run = small.fit(root, tmp_path / "child", "trainer.max_epochs=1", "finetune.checkpoint=simulated-v1")
    assert "From simulated-v1: " in capsys.readouterr().out
    parent = checkpoints.card_of(str(run / "checkpoints" / "best.ckpt")).parent
    assert parent is not None
    assert parent.name == NAME


def test_it_is_listed_beside_what_the_team_published(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run("checkpoints", []) == 0
    shown = capsys.readouterr().out
    assert "simulated-v1" in shown
    assert "in the package" in shown
    assert "Nothing is published in checkpoints yet" in shown
    with pytest.raises(
        UserError, match=r"There is no checkpoint 'simulated-v2'.*Did you mean.*In the package: simulated-v1"
    ):
        checkpoints.locate("simulated-v2")


def test_a_team_cannot_take_its_name(weights: Path) -> None:
    run = str(weights.parent / "run")
    for name in ("simulated-v1", NAME):
        with pytest.raises(UserError, match="is the name of a network in the package"):
            checkpoints.publish(run, name)


def test_one_name_of_two_networks_is_refused(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box, "FOLDER", weights / "none")  # of an older version of the package
    checkpoints.publish(str(weights.parent / "run"), "simulated-v1")
    assert checkpoints.locate("simulated-v1") == "checkpoints/simulated-v1.safetensors"
    monkeypatch.setattr(box, "FOLDER", weights)
    with pytest.raises(
        UserError, match=r"'simulated-v1' is the name of two different networks.*in the package.*checkpoints/"
    ):
        checkpoints.read("simulated-v1")
    assert checkpoints.read("checkpoints/simulated-v1.safetensors").card.name == "simulated-v1"


def test_a_copy_of_it_is_no_other_network(weights: Path) -> None:
    copy = checkpoints.fetch("simulated-v1", Path("checkpoints"))
    assert copy.name == f"{NAME}.safetensors"
    assert checkpoints.locate(NAME) == str(weights / copy.name)


def test_a_package_without_weights_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(box, "FOLDER", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    assert small.run("checkpoints", []) == 0
    assert capsys.readouterr().out.startswith("Nothing is published")
    with pytest.raises(
        UserError, match=r"There is no checkpoint 'simulated-v1' in checkpoints\. Nothing is published there yet"
    ):
        checkpoints.read("simulated-v1")


def test_no_two_networks_of_the_package_have_one_name_and_each_is_small_and_whole() -> None:
    files = sorted(box.FOLDER.glob("*.safetensors"))
    assert sorted(box.box().values()) == files
    assert box.FOLDER.samefile(str(resources.files("ecg_lightning") / "weights"))
    for file in files:
        assert file.stat().st_size <= 8_000_000
        checkpoint = checkpoints.read(str(file))
        assert checkpoint.card.name == file.stem
        assert checkpoint.card.licence
        assert any("not a medical device" in note for note in checkpoint.card.notes)
        assert all(torch.isfinite(tensor).all() for tensor in checkpoint.state.values())


def test_git_does_not_ignore_the_weights() -> None:
    path = "ecg_lightning/weights/simulated-resnet1d-v1.safetensors"
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    assert (
        subprocess.run(["git", "-C", str(ROOT), "check-ignore", path], check=False, capture_output=True).returncode == 1
    )


def test_a_finished_run_is_published_without_training(
    box_folder: Path,
    experiment: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(box, "FOLDER", tmp_path / "empty")
    run = box_folder.parent / "run"
    before = (run / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    words = [*WORDS, f"run_dir={run}", f"data.store_dir={box_folder.parent / 'store'}", f"checkpoints_dir={tmp_path}"]
    assert experiment["main"](words) == 0
    assert (run / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    published, again = (checkpoints.read(str(folder / f"{NAME}.safetensors")) for folder in (box_folder, tmp_path))
    assert published.card == again.card
    assert experiment["main"](words) == 2
    assert "never overwritten" in capsys.readouterr().err


def test_outputs_of_a_task_follow_from_those_of_the_network() -> None:
    report = runpy.run_path(str(RUN.with_name("report.py")))
    space, task = LabelSpace.load("simulated"), LabelSpace.load("ptbxl_super")
    probabilities = np.zeros((1, len(TERMS)))
    for term, value in {"IMI": 0.5, "AMI": 0.2, "CRBBB": 0.3, "NORM": 0.1, "INVT": 0.4}.items():
        probabilities[0, TERMS.index(term)] = value
    scores = report["by_task"](space, task, probabilities)
    named = {task.terms[k]: score.item() for k, score in scores.items()}
    assert named == pytest.approx({"CD": 0.3, "HYP": 0, "MI": 1 - 0.5 * 0.8, "NORM": 0.1, "STTC": 0.4})
    rhythms = LabelSpace.load("ptbxl_rhythm")
    predicted = [rhythms.terms[k] for k in report["by_task"](space, rhythms, probabilities)]
    assert predicted == ["AFIB", "AFLT", "PACE", "SARRH", "SBRAD", "SR", "STACH", "SVTAC"]


def test_the_report_measures_a_network_of_the_package_on_ptbxl(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = runpy.run_path(str(RUN.with_name("report.py")))
    root = small.archive(tmp_path)
    monkeypatch.setenv("ECG_STORE", str(tmp_path / "store"))
    words = ["--config", "data/ptbxl", f"data.root={root}", "data.val_folds=[]", "data.test_folds=[1,2,3,4]"]
    table = report["zero_shot"]("simulated-v1", [*words, "trainer.enable_progress_bar=false"])
    assert "| paper7 | 7 of 7 | 0." in table
    assert "| ptbxl_super | 5 of 5 | " in table


def test_numbers_that_half_precision_cannot_hold_are_refused(box_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "run" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    values = torch.load(box_folder.parent / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    name = next(name for name in values["state_dict"] if name.endswith("running_var"))
    values["state_dict"][name] += 1e6
    torch.save(values, path)
    with pytest.raises(UserError, match=r"running_var has numbers that half precision cannot hold"):
        checkpoints.publish(str(path), "net", str(tmp_path), half=True)
    assert np.isfinite(
        checkpoints.read(checkpoints.publish(str(path), "net", str(tmp_path))).state[name[8:]].numpy()
    ).all()
