"""A file from a colleague must not be able to do anything: to choose code, to show what it should not."""

import os
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch
from omegaconf import OmegaConf

import small
from checkpoints.changed import published
from ecg_lightning import checkpoints
from ecg_lightning.errors import UserError

TOUCH = "import pathlib\npathlib.Path('touched').touch()\n"
OUTSIDE = [
    "os.system", "subprocess.Popen", "urllib.request.urlopen", "evil.Evil", "lightning.pytorch.Trainer", "pathlib.Path",
    "ecg_lightning.training.callbacks.record.RunRecord", "ecg_lightning.main.main", "wandb.sdk.launch.run", "ECGModule",
]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that one works in; a module lies there that leaves a trace where it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evil.py").write_text(TOUCH + "class Evil:\n    def __init__(self, *a, **k): raise SystemExit(9)\n")
    return tmp_path


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_card_cannot_choose_code(small_run: Path, here: Path, name: str) -> None:
    path = published(small_run, here, lambda card: card["model"].update(name=name, args="touch touched", mode="w"))
    words = [str(path), small.record(small_run.parent), "--output", "p.csv"]
    with pytest.raises(UserError, match=rf"names the class '{name}', which is not one of ecg_lightning's networks"):
        small.run("predict", words)
    assert not (here / "touched").exists()
    assert "evil" not in sys.modules
    assert not (here / "p.csv").exists()


@pytest.mark.parametrize("name", ["evil.Evil", "ecg_lightning.training.callbacks.record.RunRecord"])
def test_the_card_of_a_run_cannot_either(small_run: Path, here: Path, name: str) -> None:
    values = torch.load(small_run / "checkpoints" / "best.ckpt", weights_only=True)
    values["card"]["model"]["name"] = name
    torch.save(values, here / "best.ckpt")
    with pytest.raises(UserError, match=f"names the class '{name}'"):
        small.run("predict", [str(here / "best.ckpt"), small.record(small_run.parent), "--output", "p.csv"])
    assert "evil" not in sys.modules


def test_a_class_that_the_user_trusts_must_be_a_module(small_run: Path, here: Path) -> None:
    path = published(small_run, here, lambda card: card["model"].update(name="mine.Mine"))
    module = "from ecg_lightning.modules import ResNet1dModule\nclass Mine({}): pass\n"
    (here / "mine.py").write_text(module.format("ResNet1dModule"))
    assert checkpoints.read(str(path)).module(trusted="mine.Mine").terms[0] == "AFIB"
    (here / "theirs.py").write_text("class Mine:\n    def __init__(self, *a, **k): raise SystemExit(9)\n")
    path.unlink()
    path = published(small_run, here, lambda card: card["model"].update(name="theirs.Mine"))
    with pytest.raises(UserError, match=r"theirs.Mine is not a subclass of"):
        checkpoints.read(str(path)).network(trusted="theirs.Mine")
    with pytest.raises(UserError, match=r"names the class 'theirs.Mine'"):
        checkpoints.read(str(path)).network(trusted="mine.Mine")


@pytest.mark.parametrize("group", ["data", "model"])
def test_the_configuration_of_a_run_folder_cannot_choose_code(small_run: Path, here: Path, group: str) -> None:
    shutil.copytree(small_run, here / "run")
    config = OmegaConf.load(here / "run" / "config.yaml")
    config[group].name = "evil.Evil"
    OmegaConf.save(config, here / "run" / "config.yaml")
    with pytest.raises(UserError, match=rf"config.yaml names the class 'evil.Evil'.* {group}.name=evil.Evil"):
        small.run("test", ["run_dir=run"])
    assert "evil" not in sys.modules
    parts = {"name": "MixedDataModule", "parts": [{"name": "evil.Evil"}]}
    OmegaConf.save(OmegaConf.create({"data": parts}), here / "run" / "config.yaml")
    with pytest.raises(UserError, match=r"config.yaml names the class 'evil.Evil'"):
        small.run("test", ["run_dir=run"])
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    "data",
    [
        "name: MixedDataModule, parts: \"${oc.decode:'[{name: evil.Evil}]'}\"",
        "name: MixedDataModule, parts: [\"${oc.decode:'{name: evil.Evil}'}\"]",
        "name: MixedDataModule, parts: '${logger.tags}'",
        "name: '${logger.name}'",
    ],
)
def test_an_interpolation_cannot_hide_a_class(here: Path, data: str) -> None:
    (here / "run").mkdir()
    config = f"data: {{{data}}}\nlogger: {{name: evil.Evil, tags: [{{name: evil.Evil}}]}}\n"
    (here / "run" / "config.yaml").write_text(config)
    with pytest.raises(UserError, match=r"config.yaml names the class 'evil.Evil'"):
        small.run("test", ["run_dir=run"])
    assert "evil" not in sys.modules


class _Touches:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch touched",)


@pytest.mark.parametrize("name", ["x.ckpt", "x.safetensors", "x.pth"])
def test_a_pickle_is_never_executed(here: Path, name: str) -> None:
    torch.save({"state_dict": {}, "card": _Touches()}, here / name)
    with pytest.raises(UserError):
        checkpoints.read(name)
    (here / name).write_bytes(pickle.dumps(_Touches()))
    with pytest.raises(UserError):
        checkpoints.read(name)
    assert not (here / "touched").exists()


def test_a_state_of_pytorch_is_named_with_its_family(here: Path) -> None:
    torch.save({"state_dict": {"first_conv.conv.weight": torch.zeros(2)}}, here / "12_lead_ECGFounder.pth")
    with pytest.raises(UserError, match=r"12_lead_ECGFounder.pth is a state of PyTorch without a card .*ECGFounder"):
        checkpoints.read("12_lead_ECGFounder.pth")


def test_markup_in_a_card_is_shown_as_it_is(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published(small_run, tmp_path, lambda card: card["data"].update(source="[red]x[/red] [/nothing]"))
    assert small.run("checkpoints", [f"checkpoints_dir={tmp_path}"]) == 0
    assert "[red]x" in capsys.readouterr().out


def test_names_in_a_shared_folder_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a\x1b[2Jb.safetensors").write_bytes(b"junk")
    os.mkfifo(tmp_path / "pipe.safetensors")  # whoever opens it waits for a writer
    assert small.run("checkpoints", [f"checkpoints_dir={tmp_path}"]) == 0
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert r"a\x1b[2Jb" in printed.err


def test_no_message_shows_a_password() -> None:
    url = "memory://ann:s3cret@host/net.safetensors"
    fsspec.filesystem("memory").pipe_file(url, b"junk")
    for reader in (checkpoints.read, checkpoints.card_of):
        with pytest.raises(UserError) as error:
            reader(url)
        assert "s3cret" not in str(error.value)
    with pytest.raises(UserError, match=r"finetune.checkpoint holds a password"):
        small.run("fit", [f"finetune.checkpoint={url}"])
