"""Embeddings: a row for each recording of files or of a source, equal to what the head of the network sees."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fake
import small
from ecg_lightning import checkpoints, load
from ecg_lightning.datamodules import PTBXLDataModule
from ecg_lightning.datamodules.unpack import record_of
from ecg_lightning.errors import UserError
from ecg_lightning.records import Record


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def network(root: Path) -> str:
    run = small.fit(root, root.parent / "run", "trainer.max_epochs=1")
    return checkpoints.publish(str(run), "net", str(root.parent))


def test_features_are_what_the_head_sees_and_give_the_logits(network: str) -> None:
    predictor = load(network, device="cpu", batch_size=2)
    short, exact, long = (Record(fake.ecg(samples, 100, seed), 100.0) for seed, samples in enumerate((200, 300, 750)))
    features = predictor.features([short, exact, long])
    assert features.shape == (3, predictor.network.feature_size) and features.dtype == np.float32
    with torch.no_grad():
        logits = predictor.network.head(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(logits[:, predictor.learnt], predictor.logits([short, exact, long]), atol=1e-5)
    windows = [Record(long.signal[:, start : start + 300], 100.0) for start in (0, 225, 450)]
    np.testing.assert_allclose(predictor.features(windows).mean(axis=0), features[2], atol=1e-5)
    assert predictor.features([]).shape == (0, predictor.network.feature_size)


def test_files_that_cannot_be_read_are_listed_and_the_rest_is_written(network: str, tmp_path: Path) -> None:
    fake.cinc(tmp_path / "cinc", 5)
    (tmp_path / "cinc" / "E00003.mat").write_bytes(b"broken")
    output = tmp_path / "out" / "features.parquet"
    assert small.run("features", [network, str(tmp_path / "cinc"), "--output", str(output), "--batch-size", "2"]) == 1
    table = pd.read_parquet(output)
    assert [Path(name).name for name in table["record_id"]] == [f"E0000{n}.hea" for n in (1, 2, 4, 5)]
    assert list(table)[:3] == ["record_id", "feature_0", "feature_1"] and table["feature_0"].dtype == np.float32
    errors = pd.read_csv(output.with_suffix(".errors.csv"))
    assert [Path(name).name for name in errors["record"]] == ["E00003.hea"]
    assert sorted(path.name for path in output.parent.iterdir()) == ["features.errors.csv", "features.parquet"]


def test_a_source_has_the_features_of_its_files(network: str, root: Path, tmp_path: Path) -> None:
    output = tmp_path / "features.parquet"
    words = ["--config", "data/ptbxl", f"data.root={root}", f"data.store_dir={root.parent / 'store'}"]
    assert small.run("features", [network, *words, "data.pack_workers=1", "--output", str(output)]) == 0
    table = pd.read_parquet(output).set_index("record_id")
    data = PTBXLDataModule(root=str(root), store_dir=str(root.parent / "store"), pack_workers=1)
    assert list(table.index) == list(data.store.index["record_id"].astype(str))
    signals, valid = data.store.read(np.arange(3), np.zeros(3, np.int64), 300)
    with torch.no_grad():
        x = data.preprocess(torch.from_numpy(signals), torch.from_numpy(valid), 100)
        expected = checkpoints.read(network).network().features(x).numpy()
    np.testing.assert_allclose(table.to_numpy()[:3], expected, atol=1e-5)


def test_patient_data_of_a_source_are_seen_and_what_is_missing_is_said(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = small.fit(
        root, tmp_path / "run", "trainer.max_epochs=1", "data.metadata=[age,sex]", "data.augment={lead_mask: 0.5}"
    )
    network = checkpoints.publish(str(run), "net", str(tmp_path))
    output = tmp_path / "features.parquet"
    words = [network, "--config", "data/ptbxl", f"data.root={root}", f"data.store_dir={tmp_path / 'store'}"]
    assert small.run("features", [*words, "data.pack_workers=1", "--output", str(output)]) == 0
    data = PTBXLDataModule(root=str(root), store_dir=str(tmp_path / "store"), pack_workers=1)
    predictor = load(network, device="cpu")
    seen, unknown = (
        predictor.features([replace(record_of(data, 0), **known)]) for known in ({}, {"age": float("nan"), "sex": ""})
    )
    np.testing.assert_allclose(pd.read_parquet(output).iloc[0, 1:].to_numpy(float), seen[0], atol=1e-5)
    assert np.abs(seen - unknown).max() > 1e-3
    fake.write_wfdb(tmp_path / "one" / "watch.dat", fake.ecg(1000, 250, seed=3)[:1], 250, leads=["I"])
    capsys.readouterr()
    assert small.run("features", [network, str(tmp_path / "one"), "--output", str(output)]) == 0
    said = capsys.readouterr().err
    assert "Leads that the network sees are missing in 1 of 1 recordings" in said
    assert "The network sees age beside the signal, and 1 of 1 recordings do not say it." in said


def test_what_is_wrong_is_answered_before_anything_is_read(network: str, root: Path, tmp_path: Path) -> None:
    for words, message in (
        ([], "Neither is given. After the network, name files and folders, or a source"),
        ([str(root), f"data.root={root}"], "Both are given"),
        ([str(root), "--output", "features.csv"], "must end with .parquet"),
        ([str(root), "--batch-size", "0"], "must be at least 1"),
        ([f"data.rot={root}"], "Key 'rot' not in"),
        (
            [f"data.root={root}", "model.name=S4Module"],
            "model.name=S4Module changes nothing here: the network is that of",
        ),
    ):
        with pytest.raises(UserError, match=message):
            small.run("features", [network, "--output", str(tmp_path / "f.parquet"), *words])
    assert not list(tmp_path.iterdir())
