"""Configurations: what is merged over what, and what a mistake is answered with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ecg_lightning.config.compose import as_dict, compose, conf_folder, experiment_name, find_config, merge
from ecg_lightning.config.schema import arguments_for, build, check
from ecg_lightning.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(
        "seed: 1\nmodel: {name: ResNet1dModule, depth: 18}\noptim: {lr: 0.1, warmup: 0.2}\n"
    )
    (tmp_path / "top.yaml").write_text(
        "defaults: [base.yaml]\noptim: {lr: 0.5}\nrun_dir: runs/${seed}-${model.depth}\n"
    )
    return tmp_path


def test_a_file_stands_over_its_defaults_and_overrides_over_files(folder: Path) -> None:
    config = compose(["optim.weight_decay=0", f"--config={folder}/top.yaml", "seed=7"])
    assert as_dict(config) == {
        "optim": {"weight_decay": 0, "lr": 0.5, "warmup": 0.2},
        "seed": 7,
        "model": {"name": "ResNet1dModule", "depth": 18},
        "run_dir": "runs/7-18",  # the interpolation sees the override that came after it
    }


def test_later_words_win_whatever_they_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compose(["seed=9", "new=3", "--config", f"{folder}/base.yaml"]).seed == 1
    assert capsys.readouterr().err == (
        f"seed=9 has no effect: it stands before --config {folder}/base.yaml, which sets it to 1. Write it after the file.\n"
    )
    assert compose(["--config", f"{folder}/base.yaml", "seed=9", "seed=10"]).seed == 10
    assert not capsys.readouterr().err


@pytest.mark.parametrize("words", [["a.b=1e-3"], ["--a.b=1e-3"], ["--a.b", "1e-3"]])
def test_three_ways_to_write_an_override_and_scientific_notation(words: list[str]) -> None:
    assert compose([f"--config={conf_folder() / 'default.yaml'}", *words]).a == {"b": 0.001}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("[1,2]", [1, 2]),
        ("true", True),
        ("{0: [head], 4: all}", {0: ["head"], 4: "all"}),
        ("a=b", "a=b"),
        ("-1", -1),
    ],
)
def test_values_are_yaml(text: str, value: object) -> None:
    assert as_dict(compose([f"key={text}"]))["key"] == value


def test_a_file_that_names_its_class_starts_the_group_anew_and_an_override_does_not() -> None:
    base = OmegaConf.create({"model": {"name": "ResNet1dModule", "depth": 18, "block": "basic"}, "seed": 1})
    layer = OmegaConf.create({"model": {"name": "ResNet1dModule", "depth": 34}})
    assert as_dict(merge(base, layer)) == {"model": {"name": "ResNet1dModule", "depth": 34}, "seed": 1}
    override = merge(base, layer, from_file=False)
    assert as_dict(override)["model"] == {"name": "ResNet1dModule", "depth": 34, "block": "basic"}
    merged = merge(base, OmegaConf.create({"model": {"name": "DenseNet1dModule"}}), from_file=False)
    assert as_dict(merged) == {"model": {"name": "DenseNet1dModule"}, "seed": 1}
    unnamed = merge(base, OmegaConf.create({"model": {"dropout": 0.1}}))
    assert as_dict(unnamed)["model"] == {"name": "ResNet1dModule", "depth": 18, "block": "basic", "dropout": 0.1}


def test_a_shipped_network_is_the_one_that_it_says_over_any_other() -> None:
    for words in (["--config", "experiment/ptbxl_resnet1d18"], ["--config", "default", "--config", "model/resnet1d18"]):
        assert as_dict(compose(words))["model"] == {"name": "ResNet1dModule", "depth": 18}


def test_overrides_may_come_in_any_order() -> None:
    words = ["model.depth=121", "model.name=DenseNet1dModule", "optim.lr=1", "optim.lr=2"]
    config = compose(words)
    assert as_dict(config)["model"] == {"depth": 121, "name": "DenseNet1dModule"}
    assert config.optim.lr == 2


def test_one_rate_is_set_beside_the_others_and_a_recipe_replaces_a_recipe() -> None:
    config = compose(["--config", "finetune/three_rates", "finetune.rates.stem=0.5"])
    assert config.finetune.rates == {"stem": 0.5, "stage1": 0.01, "stage2": 0.01, "stage3": 0.1, "stage4": 0.1}
    config = compose(["--config", "finetune/gradual", "--config", "finetune/linear_probe"])
    assert as_dict(config)["finetune"]["schedule"] == {0: ["head"]}
    config = compose(["--config", "finetune/gradual", "finetune.schedule={0: all}"])
    assert as_dict(config)["finetune"]["schedule"] == {0: "all"}


def test_a_schedule_replaces_the_schedule_before_it() -> None:
    base = OmegaConf.create({"finetune": {"schedule": {0: ["head"], 4: "all"}, "layer_decay": 0.5}})
    layer = OmegaConf.create({"finetune": {"schedule": {0: "all"}}})
    assert as_dict(merge(base, layer)) == {"finetune": {"schedule": {0: "all"}, "layer_decay": 0.5}}


def test_shipped_files_are_found_by_name_and_own_files_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = conf_folder() / "experiment" / "ptbxl_small.yaml"
    monkeypatch.chdir(folder)
    assert find_config("experiment/ptbxl_small") == find_config("conf/experiment/ptbxl_small.yaml") == shipped
    assert find_config("top.yaml") == Path("top.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["optim.lrr=1"], "Key 'lrr' not in 'Optim'. Did you mean: 'lr'?"),
        (["model.depht=1"], "Key 'depht' not in 'ResNet1dModule'. Did you mean: 'depth'?"),
        (["trainer.max_epoch=1"], "Did you mean: 'max_epochs'"),
        (["modle.depth=1"], "Key 'modle' is not one of the configuration's. Did you mean: 'model'?"),
        (["trainer.max_epochs=ten"], "trainer.max_epochs='ten' must be a whole number, or null"),
        (["optim.lr=fast"], "optim.lr='fast' must be a number above 0 and at most 10"),
        (["seed=one"], "seed='one' must be a whole number from 0 to 4294967295"),
        (["model.name=ResNet"], "there is no 'ResNet'. Did you mean: 'ResNet1dModule'? Choices: DenseNet1dModule"),
        (["model=3"], "The group 'model' must be a mapping"),
        (["model.terms=[AFIB]"], "Key 'terms' not in"),
        (["run_dir=${nowhere}"], "An interpolation cannot be resolved: Interpolation key 'nowhere' not found"),
        (["optim.lr"], "'optim.lr' is not an override"),
        (["--optim.lr"], "'--optim.lr' is not an override"),
        (["optim.lr=[1"], "The override 'optim.lr=[1' cannot be read"),
        (["--config", "experiment/ptbxl_smal"], "Did you mean: 'experiment/ptbxl_small'"),
    ],
)
def test_a_mistake_is_named_with_what_to_do(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError) as error:
        check(compose(arguments))
    assert message in str(error.value)


def test_a_required_value_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_hospital.py").write_text(
        'from ecg_lightning.datamodules.base import ECGDataModule\n\n\nclass Own(ECGDataModule):\n    """Mine.\n\n    Args:\n        table: where the records are listed.\n    """\n\n    def __init__(self, table: str, n: int = 3) -> None:\n        self.n = n\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=r"data.table is required by 'Own': where the records are listed."):
        arguments_for("data", {"name": "own_hospital.Own"})
    assert arguments_for("data", {"name": "own_hospital.Own", "table": "t", "n": 4}) == {"table": "t", "n": 4}
    assert build("data", {"name": "own_hospital.Own", "table": "t"}).n == 3
    (tmp_path / "other.py").write_text("class Own:\n    def __init__(self) -> None:\n        raise SystemExit(9)\n")
    with pytest.raises(UserError, match=r"data.name: other.Own is not a subclass of .*ECGDataModule"):
        build("data", {"name": "other.Own"})


def test_broken_yaml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [1\nb: 2\n")
    with pytest.raises(UserError, match=r"broken.yaml is not readable YAML: .*line 2"):
        compose(["--config", str(tmp_path / "broken.yaml")])


def test_a_constructor_that_refuses_a_value_is_a_message() -> None:
    with pytest.raises(UserError, match="model: ResNet1d has no depth 34 with block bottleneck"):
        build("model", {"name": "ResNet1dModule", "depth": 34, "block": "bottleneck"}, outputs=1, leads=12)


def test_the_experiment_is_named_by_its_last_file() -> None:
    assert experiment_name(["--config", "conf/experiment/ptbxl_small.yaml", "seed=1"]) == "ptbxl_small"
    assert experiment_name(["seed=1"]) == "default"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.parts={name: X}"], r"data\.parts is a list, and a mapping is given for it; write \[value\]"),
        (
            ["data.a.b={c: 1}", "data.a.b=[c]"],
            r"data\.a\.b is a mapping, and a list is given for it; write \{key: value\}",
        ),
    ],
)
def test_a_list_over_a_mapping_is_named(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        compose(["--config", "data/mixed", *words])


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--version"], 0, "ecg_lightning 0."),
        (["--help"], 0, "usage: python -m ecg_lightning VERB"),
        (["fit", "--help"], 0, "lr = [0.002]  (a number above 0 and at most 10)"),
        (["fit", "optim.lrr=1"], 2, "Did you mean: 'lr'"),
        (["fit", "--config", "nowhere.yaml"], 2, "There is no configuration file 'nowhere.yaml'"),
        (["fit", "data.root=/no/such/folder"], 2, "there is no folder '/no/such/folder'"),
        (["fti"], 2, "There is no verb 'fti'. Did you mean: 'fit'"),
    ],
)
def test_the_command_line_answers_without_importing_torch(arguments: list[str], status: int, message: str) -> None:
    code = (
        "import atexit, os, runpy, sys\n"
        "heavy = ('torch', 'lightning', 'wandb', 'pandas', 'scipy')\n"
        "atexit.register(lambda: os._exit(99) if any(name in sys.modules for name in heavy) else None)\n"
        "runpy.run_module('ecg_lightning', run_name='__main__')\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert process.returncode == status, process.stderr
    assert message in (process.stderr if status else process.stdout)
    assert "Traceback" not in process.stderr
    assert (process.stdout if status else process.stderr) == ""
