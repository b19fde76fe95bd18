"""The transfer study: every arm is trained once, measured on the same recordings, and compared in pairs."""

import json
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

import small
from ecg_lightning.errors import UserError
from ecg_lightning.metrics import auroc_differences, auroc_intervals
from ecg_lightning.transfer.report import Results, estimate
from ecg_lightning.transfer.study import Study, read_study

ARMS = ("small", "tuned", "both")
ARCHIVE = "data:\n  name: SimulatedDataModule\n  hospital: {}\n  records: {}\n  seconds: 3\n  label_space: [AFIB, STACH, IRBBB]\n"


def write(folder: Path) -> Path:
    """A study of two tiny archives; returns its file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.yaml").write_text(ARCHIVE.format("large", 300))
    (folder / "b.yaml").write_text(ARCHIVE.format("small", 500))
    (folder / "tune.yaml").write_text("optim: {lr: 1e-3}\nfinetune: {schedule: {0: [head], 1: all}}\n")
    study = "large: a.yaml\nsmall: b.yaml\ntune: tune.yaml\nboth: true\nsizes: [20, 60]\nseeds: [2, 1]\nepochs: [2, 1]\ntune_epochs: [1]\nrates: [4e-3, 1e-3]\n"
    (folder / "study.yaml").write_text(study + "resamples: 50\n")
    return folder / "study.yaml"


def words(file: Path, run_dir: Path) -> list[str]:
    overrides = [word for word in small.TINY if not word.startswith("trainer.max_epochs")]
    overrides += ["large.trainer.max_epochs=1", f"data.store_dir={run_dir.parent / 'store'}", "data.pack_workers=1"]
    return ["--study", str(file), f"run_dir={run_dir}", *overrides]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, list[str]]:
    folder = tmp_path_factory.mktemp("transfer")
    arguments = words(write(folder), folder / "run")
    assert small.run("transfer", arguments) == 0
    return read_study(arguments), arguments


def test_every_arm_is_trained_and_measured(finished: tuple[Study, list[str]]) -> None:
    study, _ = finished
    folder = Path(study.run_dir)
    found = sorted(path.parent.name for path in folder.glob("*/done"))
    assert found == sorted(["large", *(f"{arm}-{run}" for arm in ARMS for run in ("20-0", "20-1", "60-0"))])
    for name in found:
        assert (folder / name / "on_small" / "test.json").is_file()
        assert (folder / name / "on_large" / "test.json").is_file() == (not name.startswith("small"))
    both = OmegaConf.load(folder / "both-20-1" / "config.yaml").data
    assert [(part.hospital, part.get("train_records")) for part in both.parts] == [("large", None), ("small", 20)]
    assert both.parts[1].subset_seed == 1 and both.label_space == ["AFIB", "STACH", "IRBBB"]
    rates = [
        OmegaConf.load(folder / run / "config.yaml").optim.lr for run in ("small-20-1", "small-60-0", "tuned-60-0")
    ]
    assert rates == [4e-3, 1e-3, 1e-3]  # the last one is tune.yaml's
    tuned = json.loads((folder / "tuned-20-1" / "on_small" / "test.json").read_text())
    assert tuned["data"]["records"]["test"] == tuned["records"]


def test_the_table_has_the_paired_bootstrap_of_the_metrics(finished: tuple[Study, list[str]]) -> None:
    study, _ = finished
    outputs = {}
    for arm in ("small", "tuned"):
        with np.load(study.folder(arm, "60", 0) / "on_small" / "test.npz") as saved:
            outputs[arm] = {name: saved[name] for name in saved.files}
    np.testing.assert_array_equal(outputs["small"]["records"], outputs["tuned"]["records"])
    row = Results(study).rows()[1]
    targets, patients = outputs["small"]["targets"], outputs["small"]["patients"]
    logits = {arm: outputs[arm]["logits"] for arm in outputs}
    alone = auroc_intervals(logits["small"], targets, patients, resamples=50).macro
    gain = auroc_differences(logits["tuned"], logits["small"], targets, patients, resamples=50).macro
    for found, expected in ((row["small"], alone), (row["tuned - small"], gain)):
        assert [found.value, found.low, found.high] == pytest.approx(list(expected[:3]), abs=1e-12)  # type: ignore[attr-defined]
    assert row["by seed"] == {arm: pytest.approx([row[arm].value]) for arm in ARMS}  # type: ignore[attr-defined]


def test_it_writes_table_results_and_figure(
    finished: tuple[Study, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    study, arguments = finished
    folder = Path(study.run_dir)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/checkpoints/*.ckpt")}
    assert small.run("transfer", arguments) == 0  # everything is done: nothing is trained again
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/checkpoints/*.ckpt")} == before
    table = (folder / "table.md").read_text()
    assert "| 20 | 2 |" in table and "| 60 | 1 |" in table and "| IRBBB |" in table
    assert table.strip() in capsys.readouterr().out
    results = json.loads((folder / "results.json").read_text())
    assert [row["size"] for row in results["sizes"]] == ["20", "60"]
    assert len(results["sizes"][0]["by seed"]["tuned"]) == 2
    assert (folder / "figure.png").stat().st_size > 5000 and (folder / "figure.svg").read_text().startswith("<?xml")


def test_a_stopped_study_goes_on(finished: tuple[Study, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    study, arguments = finished
    from ecg_lightning import run

    done = study.folder("small", "60", 0) / "done"
    done.unlink()
    trained: list[str] = []
    whole = run.fit
    monkeypatch.setattr(run, "fit", lambda given: trained.append(given[-2]) or whole(given))
    assert small.run("transfer", arguments) == 0
    assert trained == [f"run_dir={done.parent}"]


def test_another_configuration_in_the_same_folder_is_refused(finished: tuple[Study, list[str]]) -> None:
    _, arguments = finished
    with pytest.raises(UserError, match=r"optim\.lr was the default, and is 0\.5"):
        small.run("transfer", [*arguments, "optim.lr=0.5"])


def test_a_checkpoint_may_stand_for_the_large_archive(finished: tuple[Study, list[str]], tmp_path: Path) -> None:
    study, arguments = finished
    more = [word for word in arguments if not word.startswith("large.")]
    more += [
        f"--large={study.checkpoint}",
        f"--run_dir={tmp_path / 'run'}",
        "--sizes=[20]",
        "--seeds=[1]",
        "--epochs=[1]",
        "--rates=[1e-3]",
    ]
    more += ["--both=false"]
    assert small.run("transfer", more) == 0
    again, first = (json.loads((Path(f) / "results.json").read_text()) for f in (tmp_path / "run", study.run_dir))
    assert again["large"] == first["large"]
    assert "forgotten" not in again["sizes"][0]


def test_mistakes_are_explained(tmp_path: Path) -> None:
    file = write(tmp_path)
    for more, message in (
        (["--sizes=[10,most]"], "'most' is neither a number"),
        (["--seeds=[1,2,3]"], "seeds has 3 values"),
        (["--sise=[1]"], "Did you mean: 'sizes'"),
        (["--epochs=many"], "transfer: "),
    ):
        with pytest.raises(UserError, match=message):
            read_study(["--study", str(file), *more])
    with pytest.raises(UserError, match="--large is missing"):
        read_study(["--small", "b.yaml"])
    file.write_text("large: a.yaml\nsmal: b.yaml\n")
    with pytest.raises(UserError, match="Did you mean: 'small'"):
        read_study(["--study", str(file)])


def test_archives_of_other_terms_or_another_input_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    given = words(write(tmp_path / "study"), tmp_path / "run")
    for more, message in (
        ("small.data.label_space=[AFIB,STACH]", "The network predicts AFIB, STACH, IRBBB; data.label_space="),
        ("large.data.sampling_rate=50", "The network expects sampling_rate=50, the data has 100"),
    ):
        with pytest.raises(UserError, match=message):
            small.run("transfer", [*given, more])
    assert not (tmp_path / "run").exists()


def test_an_interval_leaves_out_resamples_without_a_class() -> None:
    found = estimate(np.array([0.5, np.nan, 0.0, 1.0]))
    assert (found.value, found.low, found.high) == (0.5, 0.025, 0.975)
    assert found.signed == "+0.500 [+0.025, +0.975]"
