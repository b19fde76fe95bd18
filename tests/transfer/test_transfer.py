"""The transfer study: every arm is trained once, measured on the same recordings, and compared in pairs."""

import json
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from sklearn.metrics import roc_auc_score

import small
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictions import read_predictions
from ecg_lightning.metrics import auroc_differences, auroc_intervals
from ecg_lightning.transfer.results import Estimate, Results
from ecg_lightning.transfer.study import Study
from transfer.studies import ARMS


def test_every_arm_is_trained_and_measured(finished: tuple[Study, list[str]]) -> None:
    study, _ = finished
    folder = Path(study.run_dir)
    names = sorted(path.parent.name for path in folder.glob("*/done"))
    assert names == sorted(["large", *(f"{arm}-{run}" for arm in ARMS for run in ("20-0", "20-1", "60-0"))])
    for name in names:
        assert (folder / name / "test.json").is_file()  # where `publish` finds it
        other_side = "on_small" if name == "large" else "on_large"
        assert (folder / name / other_side / "test.json").is_file() == (not name.startswith("small"))
    mixed = OmegaConf.load(folder / "both-20-1" / "config.yaml").data
    assert [(part.hospital, part.get("train_records")) for part in mixed.parts] == [("large", None), ("small", 20)]
    assert mixed.parts[1].subset_seed == 1 and mixed.label_space == ["AFIB", "STACH", "IRBBB"]
    rates = [
        OmegaConf.load(folder / run / "config.yaml").optim.lr for run in ("small-20-1", "small-60-0", "tuned-60-0")
    ]
    assert rates == [4e-3, 1e-3, 1e-3]  # the last one is tune.yaml's
    tuned = json.loads((folder / "tuned-20-1" / "test.json").read_text())
    assert tuned["data"]["records"]["test"] == tuned["records"]


def test_the_table_has_the_paired_bootstrap_of_the_metrics(finished: tuple[Study, list[str]]) -> None:
    study, _ = finished
    alone, tuned = (read_predictions(study.measured(arm, "60")) for arm in ("small", "tuned"))
    np.testing.assert_array_equal(alone.records, tuned.records)
    two_seeds, row = Results(study).rows()
    targets, patients = alone.targets, alone.patients
    expected_interval = auroc_intervals(alone.logits, targets, patients, resamples=50).macro
    gain = auroc_differences(tuned.logits, alone.logits, targets, patients, resamples=50).macro
    for interval, expected in ((row["small"], expected_interval), (row["tuned - small"], gain)):
        assert [interval.value, interval.low, interval.high] == pytest.approx(list(expected[:3]), abs=1e-12)  # type: ignore[attr-defined]
    assert f"{row['tuned - small'].signed}".startswith("+" if gain.estimate >= 0 else "-")  # type: ignore[attr-defined]
    runs = np.stack([read_predictions(study.measured("small", "20", seed)).logits for seed in range(2)])
    over_seeds = auroc_intervals(runs, targets, patients, resamples=50).macro
    assert two_seeds["small"] == Estimate(*over_seeds[:3])
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
    assert (
        "| 20 | 2 |" in table
        and "| 60 | 1 |" in table
        and "over patients and, where there are several, over seeds" in table
    )
    head = table[table.index("| term |") :].partition("\n")[0]
    assert head == "| term | large alone | 20 alone | 20 tuned | 20 both | 60 alone | 60 tuned | 60 both |"
    line = next(line for line in table.splitlines() if line.startswith("| IRBBB |"))
    saved = read_predictions(study.measured("both", "60"))
    assert line.endswith(f" {roc_auc_score(saved.targets[:, 2], saved.logits[:, 2]):.3f} |")
    assert table.strip() in capsys.readouterr().out
    results = json.loads((folder / "results.json").read_text())
    assert [row["size"] for row in results["sizes"]] == ["20", "60"]
    assert len(results["sizes"][0]["by seed"]["tuned"]) == 2
    assert (folder / "figure.png").stat().st_size > 5000 and (folder / "figure.svg").read_text().startswith("<?xml")


def test_a_stopped_study_goes_on(finished: tuple[Study, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    study, arguments = finished
    from ecg_lightning.training import fit as run

    marker = study.folder("small", "60", 0) / "done"
    marker.unlink()
    trained: list[str] = []
    whole = run.fit
    monkeypatch.setattr(run, "fit", lambda config: trained.append(config.run_dir) or whole(config))
    assert small.run("transfer", arguments) == 0
    assert trained == [str(marker.parent)]


def test_another_configuration_in_the_same_folder_is_refused(finished: tuple[Study, list[str]]) -> None:
    _, arguments = finished
    with pytest.raises(UserError, match=r"optim\.lr was 0\.002, and is 0\.5"):
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
