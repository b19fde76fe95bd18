"""Values that cannot be meant are refused by their key, before anything is imported or packed; so are paths."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import small
from ecg_lightning.config import environment
from ecg_lightning.config.compose import compose, conf_folder
from ecg_lightning.config.schema import build, check, check_paths
from ecg_lightning.errors import UserError
from ecg_lightning.modules.optim import Optim


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.seconds=0", "data.seconds=0 must be a number from 0.1 to 3600"),
        ("data.batch_size=0", "data.batch_size=0 must be a whole number from 1 to 65536"),
        ("data.batch_size=-3", "data.batch_size=-3 must be a whole number from 1 to 65536"),
        ("data.batch_size='8'", "data.batch_size='8' must be a whole number from 1 to 65536. It is a text"),
        ("data.train_records=-1", "data.train_records=-1 must be a whole number from 1 to 100000000, or null"),
        ("data.sampling_rate=0", "data.sampling_rate=0 must be a whole number from 10 to 10000"),
        ("data.label_space=[]", "data.label_space: Label space 'custom' has no terms"),
        ("data.label_space=[AFIB,AFIB]", "data.label_space: Label space 'custom' names ['AFIB'] twice"),
        ("data.label_space=[AFIBB]", "There is no term 'AFIBB'. Did you mean"),
        ("data.label_space=[NO]", "data.label_space[0]=false must be text. YAML reads NO"),
        ("data.leads=[I,I]", "none of them twice"),
        ("data.leads=[I,V9]", "data.leads[1]='V9' must be one of I, II, III"),
        ("data.val_folds=[11]", "data.val_folds[0]=11 must be a whole number from 1 to 10"),
        ("data.val_folds=[9,9]", "none of them twice"),
        ("data.val_folds=[9,10]", "data.val_folds and data.test_folds share [10]"),
        ("data.band=[40,0.5]", "data.band=[40.0, 0.5] must be [low, high] in Hz"),
        ("data.band=[null,50]", "below 50, half of data.sampling_rate=100"),
        ("data.band=[1]", "must be a list of 2 items"),
        ("data.augment.gain=-1", "data.augment.gain=-1 must be"),
        ("data.augment.lead_dropout=2", "data.augment.lead_dropout=2.0 must be a number from 0 to 1"),
        ("data.augment.gian=1", "data.augment: Key 'gian' not in 'Augment'. Did you mean: 'gain'"),
        ("data.normalisation=min-max", "data.normalisation='min-max' must be one of zscore, zscore_all, zscore_record"),
        ("model.dropout=1.5", "model.dropout=1.5 must be a number from 0 and below 1"),
        ("model.widths=[1,2,3]", "model.widths=[1, 2, 3] must be a list of 4 items"),
        ("model.widths=[1,2,3,-4]", "model.widths[3]=-4 must be a whole number from 1 to 4096"),
        ("model.widths=[8192,1,1,1]", "model.widths[0]=8192 must be"),
        ("model.kernel_size=4", "model.kernel_size=4 must be an odd whole number from 1 to 255"),
        ("model.depth=19", "model.depth=19 must be one of 18, 34, 50, 101"),
        ("model.block=basik", "model.block='basik' must be one of bottleneck, basic, or null"),
        ("data.notch=50", "data.notch=50 must be below 50 Hz, half of data.sampling_rate=100"),
        ("data.baseline=0", "data.baseline=0 must be a number from 0.02 to 60"),
        ("optim.lr=.nan", "optim.lr=nan must be a number above 0 and at most 10"),
        ("optim.lr=.inf", "optim.lr=inf must be"),
        ("optim.max_positive_weight=-1", "optim.max_positive_weight=-1 must be a number from 1 to 1000000"),
        ("optim.optimizer=lion", "optim.optimizer='lion' must be one of adamw, adam, sgd"),
        ("finetune.rates={stem: -1}", "finetune.rates.stem=-1 must be a number from 0 to 1000"),
        ("finetune.schedule={-1: all}", "key of finetune.schedule=-1 must be a whole number from 0"),
        ("finetune.schedule={2: all}", "finetune.schedule must say what is unfrozen at epoch 0"),
        ("finetune.schedule={0: 5}", "finetune.schedule.0=5 must be a list, each item text, or text"),
        ("trainer.precision=17", "trainer.precision=17 must be one of 64, 32, 16, transformer-engine"),
        ("trainer.gradient_clip_val=.nan", "trainer.gradient_clip_val=nan must be a number, or null"),
        ("seed=-1", "seed=-1 must be a whole number from 0 to 4294967295"),
        ("seed=true", "seed=true must be a whole number"),
        ("logger.name=5", "logger.name=5 must be text, or null. YAML reads it as a number"),
        ("data.root=???", "data.root is ???, which means that you have to give a value"),
        ('run_dir="a\\0b"', "run_dir holds the character '\\x00'"),
        ("run_dir=a\udcffb", "cannot be read: 'utf-8' codec can't encode"),
    ],
)
def test_a_value_outside_its_range_is_refused_by_its_key(word: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        check(compose([word]))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("{name: GeorgiaDataModule, train_records: 0}", r"data\.parts\[1\]\.train_records=0 must be"),
        ("{name: GeorgiaDataModule, val_folds: [10]}", r"data\.parts\[1\]\.val_folds and .* share \[10\]"),
        ("{name: GeorgiaDataModul}", "there is no 'GeorgiaDataModul'. Did you mean: 'GeorgiaDataModule'"),
        ("{name: GeorgiaDataModule, rooot: x}", r"data\.parts\[1\]: Key 'rooot' not in 'GeorgiaDataModule'"),
    ],
)
def test_the_parts_of_a_mix_are_checked_too(part: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(compose(["--config", "data/mixed", f"data.parts=[{{name: PTBXLDataModule}}, {part}]"]), needed=("data",))


def test_every_shipped_configuration_is_within_the_ranges() -> None:
    files = [
        path for folder in ("data", "model", "finetune", "experiment") for path in (conf_folder() / folder).glob("*")
    ]
    assert files
    for path in files:
        check(compose(["--config", "default", "--config", str(path)]))


def test_what_python_gives_is_named_by_its_key() -> None:
    with pytest.raises(UserError, match=r"optim\.warmup=1 must be a number from 0 and below 1"):
        Optim(warmup=1)
    with pytest.raises(UserError, match=r"data\.batch_size=0 must be"):
        build("data", {"name": "PTBXLDataModule", "batch_size": 0})


def test_paths_that_cannot_work_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    cases = {
        f"run_dir={tmp_path}/file": "is a file. Give the path of a folder",
        f"run_dir={tmp_path}/file/run": "goes through a file as if it were a folder",
        f"run_dir={tmp_path}/{'a' * 300}": "cannot be used",
        "run_dir=~nobody-of-that-name/run": "a user that this machine does not know",
        f"data.store_dir={tmp_path}/file": "is a file",
        f"data.root={tmp_path}/file": "is a file, not a folder",
        f"data.root={tmp_path}/none": "there is no folder",
        f"checkpoint_path={tmp_path}/folder": "is a folder. Give the file",
    }
    for word, message in cases.items():
        with pytest.raises(UserError, match=message):
            check_paths(compose([word]))
    check_paths(compose([f"run_dir={tmp_path}/a folder/that is/not there", "data.store_dir=~/store of mine"]))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=r"run_dir: .* cannot be written"):
        check_paths(compose([f"run_dir={tmp_path}/run"]))


def test_an_input_that_is_too_short_for_the_network_is_refused(tmp_path: Path) -> None:
    root = small.archive(tmp_path, 40)
    words = small.arguments(root, tmp_path / "run", "data.seconds=0.2")
    with pytest.raises(
        UserError, match=r"data\.seconds=0\.2 at data\.sampling_rate=100 are 20 samples, and ResNet1dModule"
    ):
        small.run("fit", words)


def test_references_that_double_at_every_step_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"logger.a{k}=${{logger.a{k + 1}}}${{logger.a{k + 1}}}" for k in range(5)]
    assert compose([*words, "logger.a5=x"]).logger.a0 == "x" * 32
    monkeypatch.setattr(environment, "MOST_REFERENCES", 50)
    with pytest.raises(UserError, match="references lead to too many others"):
        compose([*words, "logger.a5=x"])
    monkeypatch.setattr(environment, "MOST_REFERENCES", 1000)
    monkeypatch.setattr(environment, "MOST_CHARACTERS", 1000)
    with pytest.raises(UserError, match="references lead to too many others"):
        compose([*words, "logger.a5=" + "x" * 1000])


LITERALS = """
import sys
from ecg_lightning.config.schema import AUGMENT, FIXED, NAMED, fit_all
from ecg_lightning.config.signatures import exports, signature_of
from ecg_lightning.errors import UserError
from typing import Literal, get_args, get_origin


def literals(hint):
    names = [hint] if get_origin(hint) is Literal else []
    return names + [each for inner in get_args(hint) for each in literals(inner)]


classes = [*FIXED.values(), AUGMENT, *((module, name) for group in NAMED.values() for name, module in exports(group).items())]
for module, name in classes:
    signature = signature_of(module, name)
    for argument in signature.arguments.values():
        for _ in literals(argument.hint):
            for value in ("no such choice", ["no such choice"], {"a": "no such choice"}):
                try:
                    fit_all(signature, {argument.name: value}, "group")
                except UserError:
                    print(f"{name}.{argument.name} refused")
                else:
                    print(f"{name}.{argument.name} ACCEPTS {value!r}")
print([name for name in ("torch", "lightning", "pandas", "wandb", "numpy") if name in sys.modules])
"""


def test_every_choice_of_words_is_checked_before_anything_heavy_is_imported() -> None:
    lines = subprocess.run(
        [sys.executable, "-c", LITERALS], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines.pop() == "[]"
    assert [line for line in lines if "ACCEPTS" in line] == []
    refused = {line.removesuffix(" refused") for line in lines}
    assert refused >= {
        "Optim.optimizer", "Optim.schedule", "Optim.positive_weight", "PTBXLDataModule.normalisation", "PTBXLDataModule.leads",
        "PTBXLDataModule.file_rate", "ResNet1dModule.block", "ResNet1dModule.depth", "Trainer.precision",
    }  # fmt: skip
