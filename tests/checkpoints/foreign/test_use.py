"""Another project's weights in use: fine-tuned under their contract, guarded by what they saw, published and verified."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import small
from checkpoints.foreign.test_read import ecglib_file, merl_file
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.checkpoint import content_hash
from ecg_lightning.checkpoints.foreign.families import FAMILIES
from ecg_lightning.errors import UserError
from ecg_lightning.modules import ResNet1dModule

MERL = ["--config", "default", "--config", "model/resnet1d18_merl"]
CONTRACT = ["data.normalisation=minmax", "data.leads=[I,II,III,aVR,aVF,aVL,V1,V2,V3,V4,V5,V6]"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("archive"), 40)


@pytest.fixture(scope="module")
def merl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return merl_file(tmp_path_factory.mktemp("merl"))


def words(root: Path, run_dir: Path, *more: str) -> list[str]:
    """A run of one epoch on the network of MERL, at 100 Hz."""
    tiny = [word for word in small.arguments(root, run_dir) if not word.startswith("model.")]
    return [*MERL, *tiny, "trainer.max_epochs=1", *more]


def test_another_input_is_refused_with_the_keys_to_set(root: Path, merl: Path, tmp_path: Path) -> None:
    start = f"finetune.checkpoint=merl:{merl}"
    with pytest.raises(
        UserError, match=r"expects 500 Hz, and this run has 100 Hz\. Set data\.sampling_rate=500, or finet"
    ):
        small.run("fit", words(root, tmp_path / "run", start, *CONTRACT))
    keys = r"Set data\.normalisation=minmax, or finetune\.allow_prep"
    with pytest.raises(UserError, match=keys):
        small.run("fit", words(root, tmp_path / "run", start, "finetune.allow_rate=true", "data.band=null"))
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_child_inherits_what_its_parent_saw_and_its_licence(
    root: Path, merl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = [f"finetune.checkpoint=merl:{merl}", "finetune.allow_rate=true", *CONTRACT]
    assert small.run("fit", words(root, tmp_path / "run", *start)) == 0
    output = capsys.readouterr()
    assert "head: 0 of 7 terms kept" in output.out
    assert "was trained on mimic_iv_ecg, of which there are no fingerprints" in output.err
    card = checkpoints.card_of(str(tmp_path / "run" / "checkpoints" / "last.ckpt"))
    assert (card.archives, card.family, card.licence) == (["mimic_iv_ecg"], "merl", "MIT")
    assert not card.ancestry_unknown and card.parent is not None and card.parent.data.source == "mimic_iv_ecg"

    # the same weights, had they seen PTB-XL
    monkeypatch.setitem(FAMILIES, "merl", replace(FAMILIES["merl"], archives=("heedb", "ptbxl")))
    message = (
        r"recordings of the validation and test side are of ptbxl, and ptbxl trained merl:.*\ndata|Results would be too"
    )
    with pytest.raises(UserError, match=message):
        small.run("fit", words(root, tmp_path / "leak", *start))
    assert small.run("fit", words(root, tmp_path / "leak", *start, "data.allow_leak=true")) == 0
    child = tmp_path / "leak" / "checkpoints" / "last.ckpt"
    card = checkpoints.card_of(str(child))
    assert card.archives == ["heedb", "ptbxl"] and card.allow_leak
    test = [*words(root, tmp_path / "test", *CONTRACT), f"checkpoint_path={child}"]
    with pytest.raises(UserError, match="of the test side are of ptbxl, and ptbxl trained"):
        small.run("test", test)
    # a Trainer of one's own
    module = checkpoints.read(str(child)).module()
    assert isinstance(module, ResNet1dModule)


@pytest.fixture
def ecglib(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return ecglib_file(tmp_path)[0]


def test_a_published_foreign_file_is_one_of_ours(
    ecglib: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = f"checkpoints_dir={tmp_path / 'networks'}"
    assert small.run("publish", [f"ecglib:{ecglib}", "ecglib-afib", folder]) == 0
    assert small.run("verify", [f"ecglib:{ecglib}"]) == 0
    assert "no outputs to compare with" in capsys.readouterr().out
    assert small.run("verify", ["ecglib-afib", folder]) == 0
    output = capsys.readouterr().out
    assert "ResNet1d, 1 term, 500 Hz, 10 s" in output and "trained on tis; licence Apache-2.0" in output
    assert "all finite" in output and "equal to the outputs at publishing" in output
    card = checkpoints.card_of("ecglib-afib", str(tmp_path / "networks"))
    assert (card.archives, card.family, card.name) == (["tis"], "ecglib", "ecglib-afib")
    original, ours = checkpoints.read(f"ecglib:{ecglib}"), checkpoints.read("ecglib-afib", str(tmp_path / "networks"))
    assert original.state.keys() == ours.state.keys()
    assert all(torch.equal(tensor, ours.state[name]) for name, tensor in original.state.items())
    assert ours.seen is not None and len(ours.seen) == 0
    assert small.run("checkpoints", [folder]) == 0
    assert "tis" in capsys.readouterr().out
    with pytest.raises(UserError, match="names 2 files"):
        small.run("publish", [f"ecglib:{ecglib},other.pt", "both", folder])


Change = Callable[[dict[str, Any], dict[str, torch.Tensor]], None]


def _nan(card: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    tensors["head.weight"][:] = torch.nan


def _other_weights(card: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    tensors["stages.0.0.body.0.weight"][:] *= 1.5


def _other_order(card: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    leads = card["input"]["preprocess"]["leads"]
    leads[4], leads[5] = leads[5], leads[4]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_nan, "NOT FINITE: the weights are damaged"),
        (_other_weights, "NOT EQUAL to the outputs"),
        (_other_order, "NOT EQUAL to the outputs"),
    ],
)
def test_verify_tells_a_network_that_computes_something_else(
    change: Change, line: str, ecglib: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = republished(ecglib, tmp_path, change)
    assert small.run("verify", [str(path)]) == 1
    output = capsys.readouterr().out
    assert line in output and "FAILED" in output


def republished(ecglib: Path, folder: Path, change: Change) -> Path:
    """The published file with another card or other tensors, and a hash that fits them."""
    path = Path(checkpoints.publish(f"ecglib:{ecglib}", "net", str(folder)))
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["ecg_lightning"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    change(card, tensors)
    text = json.dumps(card)
    save_file(tensors, path, {"ecg_lightning": text, "sha256": content_hash(text, tensors)})
    return path


def test_weights_that_are_not_finite_are_not_published(ecglib: Path, tmp_path: Path) -> None:
    state = torch.load(ecglib)
    state["head.lin_bn_drop.2.weight"][0, 0] = torch.nan
    torch.save(state, ecglib)
    with pytest.raises(UserError, match=r"is not published: its tensor head\.weight has numbers that are not finite"):
        checkpoints.publish(f"ecglib:{ecglib}", "nan", str(tmp_path / "networks"))
    state["head.lin_bn_drop.2.weight"][:] = 3e38
    torch.save(state, ecglib)
    with pytest.raises(UserError, match="is not published: its outputs are not finite, although its tensors are"):
        checkpoints.publish(f"ecglib:{ecglib}", "nan", str(tmp_path / "networks"))
    assert not (tmp_path / "networks").exists()


def test_a_published_file_that_is_not_finite_is_not_copied(ecglib: Path, tmp_path: Path) -> None:
    path = republished(ecglib, tmp_path, _nan)
    with pytest.raises(UserError, match=r"its tensor head\.weight has numbers that are not finite"):
        checkpoints.publish(str(path), "net", str(tmp_path / "elsewhere"))


def test_a_card_that_lies_about_its_leads_is_refused(ecglib: Path, tmp_path: Path) -> None:
    def shorten(card: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        del card["input"]["preprocess"]["leads"][8:]

    path = republished(ecglib, tmp_path, shorten)
    with pytest.raises(UserError, match="its card lists 8 leads, and its tensors are for 12"):
        small.run("verify", [str(path)])
