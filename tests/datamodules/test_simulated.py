"""The simulated archive: the same recordings however they are drawn, split by patient, labelled as its readers do."""

from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

import small
from ecg_lightning.datamodules import SimulatedDataModule
from ecg_lightning.datamodules.simulated import ARCHIVES, annotated_in
from ecg_lightning.errors import UserError
from ecg_lightning.simulator import Hospital, simulate

RECORDS = 300


@pytest.fixture(scope="module")
def store_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("store"))


def module(store_dir: str, **options: object) -> SimulatedDataModule:
    arguments: dict[str, object] = {"records": RECORDS, "seconds": 4.0, "store_dir": store_dir, "pack_workers": 1}
    return SimulatedDataModule(**(arguments | options))  # type: ignore[arg-type]


def test_the_store_holds_what_the_simulator_draws(store_dir: str) -> None:
    data = module(store_dir)
    store = data.store
    assert len(store) == RECORDS
    assert store.index["site"].value_counts().to_dict() == {"large_a": 128, "large_b": 128, "large_c": 44}
    last = store.index.iloc[-1]
    assert last["record_id"] == "large_c-0000043"
    ((hospital, positions, simulated),) = data.archive.draw(np.array([RECORDS - 1]))
    assert (hospital.name, positions.tolist()) == ("large_c", [0])
    (signal,), (valid,) = store.read(np.array([RECORDS - 1]), np.array([0]), 400)
    np.testing.assert_array_equal(signal, simulated.signals[0])
    assert valid == 400
    assert last["codes"] == "|".join(simulated.terms[0])
    assert last["patient_id"] == f"large_c-{simulated.parameters['patient'][0]}"
    assert last["age"] == simulated.parameters["age"][0]


def test_an_archive_is_the_same_again_and_another_seed_is_another(store_dir: str, tmp_path: Path) -> None:
    fingerprint = module(store_dir).store.fingerprint
    assert module(str(tmp_path), pack_workers=2).store.fingerprint == fingerprint
    assert module(str(tmp_path), archive_seed=1).store.fingerprint != fingerprint


def test_hospitals_share_no_patient(store_dir: str) -> None:
    """The same number in two hospitals is two people: pretraining on one sees nobody of the other."""
    archive = module(store_dir, hospital=["large_a", "small"]).archive
    ages = {h.name: simulated.parameters["age"] for h, _, simulated in archive.draw(np.arange(256))}
    latent = [(age - Hospital.load(name).age) / Hospital.load(name).age_spread for name, age in ages.items()]
    assert abs(np.corrcoef(latent)[0, 1]) < 0.3


def test_every_patient_is_on_one_side(store_dir: str) -> None:
    data = module(store_dir)
    patients = data.store.index["patient_id"].to_numpy()
    assert len({*patients}) < RECORDS
    sides = [{*patients[data.rows(split)]} for split in ("train", "val", "test")]
    assert all(sides)
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])


def test_a_term_that_a_hospital_never_writes_is_not_annotated(store_dir: str) -> None:
    data = module(store_dir, hospital="small", label_space=["SARRH", "RBBB", "BBB", "VPEX", "2AVB"])
    assert np.isnan(data.targets[:, 0]).all()  # conf/hospital/small.yaml
    codes = data.store.index["codes"].str.split("|")
    np.testing.assert_array_equal(data.targets[:, 1] == 1, codes.map(lambda terms: "CRBBB" in terms))
    assert not np.isnan(data.targets[:, 1]).any()
    assert set(np.unique(data.targets[:, 2][~np.isnan(data.targets[:, 2])])) == {1.0}  # ILBBB is never written
    assert np.isnan(data.targets[:, 3:]).all()  # WPW is never written, 2AVB never simulated
    assert {"RBBB", "MI", "AVB"} < annotated_in(Hospital.load("large_a"))


def test_an_endless_archive_shows_new_recordings_in_every_epoch(store_dir: str) -> None:
    data = module(store_dir, endless=True, batch_size=50)
    loader = data.train_dataloader()
    numbers_of_epochs = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        batches = list(loader)
        numbers_of_epochs.append({int(number) for batch in batches for number in batch["record"]})
        assert len(numbers_of_epochs[-1]) == len(data.rows("train"))
    assert not numbers_of_epochs[0] & numbers_of_epochs[1]
    repeated = next(iter(data.train_dataloader()))
    first = next(iter(module(store_dir, endless=True, batch_size=50).train_dataloader()))
    np.testing.assert_array_equal(repeated["signals"], first["signals"])
    assert first["signals"].shape == (50, 400, 12)
    assert first["valid"].tolist() == [400] * 50
    assert set(np.unique(first["targets"])) == {0.0, 1.0}
    of_another_seed = next(iter(module(store_dir, endless=True, batch_size=50, seed=1).train_dataloader()))
    assert not np.array_equal(of_another_seed["signals"], first["signals"])


def test_endless_recordings_are_those_of_the_simulator(store_dir: str) -> None:
    data = module(store_dir, hospital="small", endless=True)
    batch = next(iter(data.train_dataloader()))
    single = data.train_dataloader().dataset[np.array([[int(batch["record"][5]), 0]])]
    np.testing.assert_array_equal(single["signals"][0], batch["signals"][5])
    np.testing.assert_array_equal(single["targets"][0], batch["targets"][5])


def test_it_trains_from_the_command_line(tmp_path: Path) -> None:
    words = ["--config", "data/simulated", *small.TINY, "data.records=200", "data.seconds=3", "data.endless=true"]
    assert (
        small.run("fit", [*words, f"data.store_dir={tmp_path}", "data.pack_workers=1", f"run_dir={tmp_path / 'run'}"])
        == 0
    )
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()
    saved = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert saved.data.hospital == "large"


def test_mistakes_are_explained(store_dir: str) -> None:
    with pytest.raises(UserError, match="records=0 must be a whole number from 1 to"):
        module(store_dir, records=0)
    with pytest.raises(UserError, match="no hospital larg"):
        _ = module(store_dir, hospital="larg").archive


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_are_of_shipped_hospitals(name: str) -> None:
    for hospital in ARCHIVES[name]:
        assert simulate(Hospital.load(hospital), [0], 0, seconds=2).signals.shape == (1, 200, 12)
