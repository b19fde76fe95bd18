"""Runs with patient data beside the signal: learnt, measured, predicted, resumed, and begun from a network without them."""

import csv
from math import nan
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logit

import fake
import small
from ecg_lightning import checkpoints
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictions import read_predictions
from ecg_lightning.evaluation.predictor import load

RECORDS = 150
BOTH = "data.metadata=[age,sex]"
LONGER = ("optim.schedule=constant", "optim.warmup=0")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings that differ by noise alone: atrial fibrillation is what patients over 50 have; every tenth age is unknown."""
    folder = tmp_path_factory.mktemp("archive") / "georgia"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(RECORDS):
        age, sex = random.integers(20, 80), ("Male", "Female", "Unknown")[number % 3]
        stated = "NaN" if number % 10 == 0 else age
        code = "164889003" if age > 50 else "426783006"
        comments = (f"Age: {stated}", f"Sex: {sex}", f"Dx: {code}")
        fake.write_wfdb(folder / f"E{number:05d}.mat", fake.ecg(200, 100, number), 100, comments=comments)
    return folder


def fit(root: Path, run_dir: Path, *more: str) -> Path:
    words = (
        "data.name=GeorgiaDataModule", f"data.root={root}", "data.seconds=2", f"data.store_dir={root.parent / 'store'}",
        "data.pack_workers=1", "data.label_space=[AFIB]", *small.TINY, "optim.lr=2e-2", f"run_dir={run_dir}",
    )  # fmt: skip
    assert small.run("fit", [*words, *more]) == 0
    return run_dir


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(root, tmp_path_factory.mktemp("runs") / "both", BOTH, "trainer.max_epochs=4", "data.test_folds=[9, 10]",
               "data.val_folds=[7,8]", "data.augment={lead_mask: 0.5}")  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def last_state(run_dir: Path) -> dict[str, torch.Tensor]:
    return checkpoints.read(str(run_dir / "checkpoints" / "last.ckpt")).state


def test_what_depends_on_age_alone_is_learnt_and_predict_is_what_evaluation_computes(
    root: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = checkpoints.card_of(str(run / "checkpoints" / "best.ckpt"))
    assert card.metadata is not None and card.metadata.columns == ["age", "sex"]
    assert 45 < card.metadata.mean[0] < 55 and 15 < card.metadata.scale[0] < 20  # even ages from 20 to 79
    assert 0.4 < card.metadata.mean[1] < 0.6
    assert card.metrics["val/auroc"] is not None and card.metrics["val/auroc"] > 0.9

    assert small.run("test", [f"run_dir={run}"]) == 0
    outputs = read_predictions(run)
    output = tmp_path / "predictions.csv"
    published = checkpoints.publish(str(run), "both", str(tmp_path))
    with_fewer_leads = checkpoints.card_of(published).test.lead_sets
    assert [*with_fewer_leads] == ["I, II, V2", "I, II", "I"]
    assert all(auroc is not None and auroc > 0.8 for auroc in with_fewer_leads.values())  # age is always there
    capsys.readouterr()
    assert small.run("predict", [published, str(root), "--output", str(output)]) == 0
    messages = capsys.readouterr().err
    assert (
        f"The network sees age beside the signal, and {RECORDS // 10} of {RECORDS} recordings do not say it."
        in messages
    )
    assert (
        f"The network sees sex beside the signal, and {RECORDS // 3} of {RECORDS} recordings do not say it." in messages
    )
    predicted = rows(output)
    for k, term in enumerate(outputs.terms):
        of_files = [float(predicted[record][term]) for record in outputs.records]
        np.testing.assert_allclose(logit(of_files), outputs.logits[:, k], atol=1e-3)

    predictor, signal = load(published, device="cpu"), fake.ecg(200, 100, 5)
    old, young = (predictor.predict(signal, 100, age=age, sex="F")["AFIB"] for age in (75, 25))
    assert old > young + 0.1
    assert predictor.predict(signal, 100)["AFIB"] == predictor.predict(signal, 100, age=nan, sex="")["AFIB"]


def test_a_run_with_patient_data_goes_on_bit_for_bit(root: Path, tmp_path: Path) -> None:
    whole = fit(root, tmp_path / "whole", BOTH, *LONGER, "trainer.max_epochs=2")
    fit(root, tmp_path / "cut", BOTH, *LONGER, "trainer.max_epochs=1")
    cut = fit(root, tmp_path / "cut", BOTH, *LONGER, "trainer.max_epochs=2", "checkpoint_path=auto")
    first, second = last_state(whole), last_state(cut)
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_branch_is_added_kept_with_its_scale_and_never_dropped_in_silence(
    root: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = fit(root, tmp_path / "plain", "trainer.max_epochs=1")
    capsys.readouterr()
    fit(root, tmp_path / "with", BOTH, f"finetune.checkpoint={plain}/checkpoints/last.ckpt", "trainer.max_epochs=1")
    assert "head: 1 of 1 terms kept; branch for age, sex: fresh" in capsys.readouterr().out
    same = fit(
        root, tmp_path / "same", BOTH, f"finetune.checkpoint={run}/checkpoints/best.ckpt", "data.train_records=20",
        "trainer.max_epochs=1", "data.allow_leak=true",
    )  # fmt: skip
    total = len(last_state(same))
    assert f"{total}/{total} tensors; head: 1 of 1 terms kept\n" in capsys.readouterr().out
    scales = [checkpoints.card_of(str(each / "checkpoints" / "last.ckpt")).metadata for each in (run, same)]
    assert scales[0] == scales[1]  # not those of its own 20 recordings
    with pytest.raises(UserError, match=r"was trained with patient data beside the signal.*Set data\.metadata"):
        fit(root, tmp_path / "none", f"finetune.checkpoint={run}/checkpoints/best.ckpt", "data.allow_leak=true")


def test_refusals(root: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expects data\.metadata=\[age,sex\]; the data has data\.metadata=\[age\]"):
        small.run("test", [f"run_dir={run}", "data.metadata=[age]"])
    with pytest.raises(UserError, match=r"georgia has no column 'weight' of patient data"):
        fit(root, tmp_path / "weight", "data.metadata=[weight]")
    with pytest.raises(UserError, match=r"data\.metadata=.* must be a list, none of them twice, each item text"):
        fit(root, tmp_path / "twice", "data.metadata=[age,age]")
    with pytest.raises(UserError, match=r"data\.metadata was \['age', 'sex'\], and is \['age'\] here"):
        fit(root, run, "data.metadata=[age]", "trainer.max_epochs=4", "data.test_folds=[9, 10]", "data.val_folds=[7,8]",
            "data.augment={lead_mask: 0.5}", "checkpoint_path=auto")  # fmt: skip
