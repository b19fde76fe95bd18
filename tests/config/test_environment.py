"""The environment in a configuration: read where it is needed, never copied to what is kept."""

from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from omegaconf import OmegaConf

import small
from ecg_lightning.config.compose import as_dict, compose
from ecg_lightning.config.schema import check
from ecg_lightning.config.written import as_written
from ecg_lightning.errors import UserError
from ecg_lightning.training.logger import Logging
from ecg_lightning.transfer.study import read_study


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECG_SECRET", "hush-hush")
    monkeypatch.setenv("ECG_NUMBER", "8")


@pytest.mark.parametrize(
    ("word", "reference", "value"),
    [
        ("run_dir=${oc.env:ECG_SECRET}", "${oc.env:ECG_SECRET}", "hush-hush"),
        ("run_dir=runs/${seed}/${oc.env:ECG_SECRET}/x", "runs/7/${oc.env:ECG_SECRET}/x", "runs/7/hush-hush/x"),
        ("run_dir=${oc.env:ECG_NONE,'a, b'}", "${oc.env:ECG_NONE,'a, b'}", "a, b"),
        ("run_dir=${oc.decode:${oc.env:ECG_NUMBER}}", "${oc.decode:${oc.env:ECG_NUMBER}}", 8),
        ("run_dir=${logger.name}", "${oc.env:ECG_SECRET}", "hush-hush"),
        ("run_dir=${seed}", 7, 7),
    ],
)
def test_references_are_resolved_and_the_environment_stays(word: str, reference: object, value: object) -> None:
    config = compose(["seed=7", "logger.name=${oc.env:ECG_SECRET}", word])
    assert as_written(config)["run_dir"] == reference
    assert as_dict(config)["run_dir"] == value == config.run_dir
    again = OmegaConf.create(OmegaConf.to_yaml(OmegaConf.create(as_written(config))))
    assert OmegaConf.to_container(again, resolve=True)["run_dir"] == value  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${oc.env:ECG_NONE}", "Environment variable 'ECG_NONE' not found"),
        ("${oc.create:{a:1}}", r"Unsupported interpolation type oc.create. .*calls one of oc.env, oc.decode"),
        ("${oc.dict.keys:data}", "Unsupported interpolation type"),
        ("${mine:1}", "Unsupported interpolation type"),
        ("${oc.env:${oc.env:ECG_SECRET}}", "not found"),
        ("${oc.env}", "Interpolation key 'oc.env' not found"),
        ("${run_dir}", "Recursive interpolation"),
        ("${nowhere}", "Interpolation key 'nowhere' not found"),
    ],
)
def test_only_the_environment_may_be_called(text: str, message: str) -> None:
    OmegaConf.register_resolver("mine", lambda text: text, replace=True)
    try:
        with pytest.raises(UserError, match=message):
            compose([f"run_dir={text}"])
        assert OmegaConf.has_resolver("mine") and OmegaConf.has_resolver("oc.create")
    finally:
        OmegaConf.clear_resolver("mine")


def test_a_network_does_not_depend_on_the_environment() -> None:
    with pytest.raises(UserError, match="a network must not depend on the environment"):
        check(compose(["model.block=${oc.env:ECG_SECRET}"]))


def test_a_mix_of_a_study_keeps_it_unresolved() -> None:
    words = ["--large", "default", "--small", "data/ptbxl", "--both", "true", "small.data.root=${oc.env:ECG_SECRET}"]
    study = read_study([*words, "--sizes", "[100]", "--tune-epochs", "[3]"])
    assert study.tune_epochs == [3]
    (mixed,) = (training.words for training in study.trainings() if training.arm == "both")
    assert "hush-hush" not in " ".join(mixed) and "${oc.env:ECG_SECRET}" in " ".join(mixed)
    assert as_dict(compose(mixed))["data"]["parts"][1]["root"] == "hush-hush"


def test_no_secret_is_in_the_folder_of_a_run_and_the_run_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small.archive(tmp_path / "hush", 40)
    monkeypatch.setenv("ECG_SECRET", str(root))
    monkeypatch.setenv("ECG_SEED", "31337")
    words = ["logger.name=${oc.env:ECG_SECRET}", "data.root=${oc.env:ECG_SECRET}", "trainer.max_epochs=1"]
    words.append("data.subset_seed=${oc.decode:${oc.env:ECG_SEED}}")
    with patch.object(Logging, "make", autospec=True, return_value=False) as make:
        run = small.fit(root, tmp_path / "run", *words)
        logged = make.call_args.args[2]
        saved = (run / "config.yaml").read_text()
        again = [f"run_dir={tmp_path / 'again'}"]
        assert small.run("fit", ["--config", str(run / "config.yaml"), *again]) == 0
    assert logged["logger"]["name"] == logged["data"]["root"] == "${oc.env:ECG_SECRET}"
    files = [path for path in run.rglob("*") if path.is_file()]
    assert files and not [path for path in files if str(root).encode() in path.read_bytes()]
    assert not [path for path in files if b"31337" in path.read_bytes()]
    repeated = yaml.safe_load((tmp_path / "again" / "config.yaml").read_text())
    assert repeated == yaml.safe_load(saved) | {"run_dir": str(tmp_path / "again")}
    assert (run / "metrics.csv").read_text() == (tmp_path / "again" / "metrics.csv").read_text()
