"""A file from a colleague must not be able to do anything: to choose code, to take the memory, to go unnoticed damaged."""

import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import fsspec
import pytest
import safetensors.torch
import torch
from omegaconf import OmegaConf
from safetensors import safe_open

import small
from ecg_lightning import checkpoints
from ecg_lightning.errors import UserError

Change = Callable[[dict[str, Any]], Any]

TOUCH = "import pathlib\npathlib.Path('touched').touch()\n"
OUTSIDE = [
    "os.system", "subprocess.Popen", "urllib.request.urlopen", "evil.Evil", "lightning.pytorch.Trainer", "pathlib.Path",
    "ecg_lightning.training.callbacks.record.RunRecord", "ecg_lightning.main.main", "wandb.sdk.launch.run", "ECGModule",
]  # fmt: skip


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    return small.fit(small.archive(folder), folder / "run", "trainer.max_epochs=1")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that one works in; a module lies there that leaves a trace where it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evil.py").write_text(TOUCH + "class Evil:\n    def __init__(self, *a, **k): raise SystemExit(9)\n")
    return tmp_path


def published(run_dir: Path, folder: Path, change: Change | None = None, hashed: bool = True) -> Path:
    """The run's network, published; `change` is made to its card, with a fresh hash of the content or none."""
    path = Path(checkpoints.publish(str(run_dir), "net", str(folder)))
    if change is None:
        return path
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["ecg_lightning"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    change(card)
    text = json.dumps(card)
    metadata = {"ecg_lightning": text}
    if hashed:
        metadata["sha256"] = checkpoints.checkpoint.content_hash(text, tensors)
    safetensors.torch.save_file(tensors, path, metadata)
    return path


def record(folder: Path) -> str:
    return str(min(folder.rglob("*.hea")))


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_card_cannot_choose_code(run_dir: Path, here: Path, name: str) -> None:
    path = published(run_dir, here, lambda card: card["model"].update(name=name, args="touch touched", mode="w"))
    words = [str(path), record(run_dir.parent), "--output", "p.csv"]
    with pytest.raises(UserError, match=rf"names the class '{name}', which is not one of ecg_lightning's networks"):
        small.run("predict", words)
    assert not (here / "touched").exists()
    assert "evil" not in sys.modules
    assert not (here / "p.csv").exists()


@pytest.mark.parametrize("name", ["evil.Evil", "ecg_lightning.training.callbacks.record.RunRecord"])
def test_the_card_of_a_run_cannot_either(run_dir: Path, here: Path, name: str) -> None:
    values = torch.load(run_dir / "checkpoints" / "best.ckpt", weights_only=True)
    values["card"]["model"]["name"] = name
    torch.save(values, here / "best.ckpt")
    with pytest.raises(UserError, match=f"names the class '{name}'"):
        small.run("predict", [str(here / "best.ckpt"), record(run_dir.parent), "--output", "p.csv"])
    assert "evil" not in sys.modules


def test_a_class_that_the_user_trusts_must_be_a_module(run_dir: Path, here: Path) -> None:
    path = published(run_dir, here, lambda card: card["model"].update(name="mine.Mine"))
    module = "from ecg_lightning.modules import ResNet1dModule\nclass Mine({}): pass\n"
    (here / "mine.py").write_text(module.format("ResNet1dModule"))
    assert checkpoints.read(str(path)).module(trusted="mine.Mine").terms[0] == "AFIB"
    (here / "theirs.py").write_text("class Mine:\n    def __init__(self, *a, **k): raise SystemExit(9)\n")
    path.unlink()
    path = published(run_dir, here, lambda card: card["model"].update(name="theirs.Mine"))
    with pytest.raises(UserError, match=r"theirs.Mine is not a subclass of"):
        checkpoints.read(str(path)).network(trusted="theirs.Mine")
    with pytest.raises(UserError, match=r"names the class 'theirs.Mine'"):
        checkpoints.read(str(path)).network(trusted="mine.Mine")


@pytest.mark.parametrize("group", ["data", "model"])
def test_the_configuration_of_a_run_folder_cannot_choose_code(run_dir: Path, here: Path, group: str) -> None:
    shutil.copytree(run_dir, here / "run")
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": [4096] * 4}, "of another shape"),
        ({"widths": [10**9] * 4}, "must be a whole number from 1 to 4096"),
        ({"widths": [10**18] * 4}, "must be a whole number from 1 to 4096"),
        ({"widths": [4, 4, 8, -8]}, "must be a whole number from 1 to 4096"),
        ({"kernel_size": 10**7 + 1}, "must be an odd whole number from 1 to 255"),
        ({"depth": 10**9}, "must be one of 18, 34, 50, 101"),
        ({"depth": "a"}, "must be one of 18, 34, 50, 101"),
        ({"unknown": 1}, "Key 'unknown' not in 'ResNet1dModule'"),
    ],
)
def test_sizes_are_compared_before_memory_is_taken(
    run_dir: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = published(run_dir, tmp_path, lambda card: card["model"].update(change))
    checkpoint = checkpoints.read(str(path))
    before = _memory()
    with pytest.raises(UserError, match=message):
        checkpoint.network()
    assert _memory() - before < 200e6


def _memory() -> int:
    """Bytes that this process has had at most."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("leads", [["I"] * 100_000, ["I", "II"], ["I", "nonsense"]])
def test_other_leads_are_refused(run_dir: Path, tmp_path: Path, leads: list[str]) -> None:
    path = published(run_dir, tmp_path, lambda card: card["input"]["preprocess"].update(leads=leads))
    with pytest.raises(UserError):
        small.run("predict", [str(path), record(run_dir.parent), "--output", str(tmp_path / "p.csv")])


def test_a_damaged_file_is_told_from_a_whole_one(run_dir: Path, tmp_path: Path) -> None:
    """Every single changed byte, of card or weights, is found; a hundred places of the file."""
    path = published(run_dir, tmp_path)
    whole, checkpoint = path.read_bytes(), checkpoints.read(str(path))
    assert checkpoint.terms
    for position in range(8, len(whole), len(whole) // 100):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(UserError):
            checkpoints.read(str(path))
        with pytest.raises(UserError):
            checkpoints.fetch(str(path), tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_file_of_before_the_hash_is_still_read(run_dir: Path, tmp_path: Path) -> None:
    path = published(run_dir, tmp_path, lambda card: card.update(format=1), hashed=False)
    assert checkpoints.read(str(path)).network() is not None


def test_a_file_that_has_lost_its_hash_is_refused(run_dir: Path, tmp_path: Path) -> None:
    path = published(run_dir, tmp_path, lambda card: None, hashed=False)
    with pytest.raises(UserError, match="has no hash of its content"):
        checkpoints.read(str(path))


def test_a_checkpoint_of_a_plain_trainer_is_not_published(run_dir: Path, tmp_path: Path) -> None:
    values = torch.load(run_dir / "checkpoints" / "best.ckpt", weights_only=True)
    for card in (None, {}, {"terms": ["AFIB"], "thresholds": [0.5]}):
        values["card"] = card
        torch.save(values, tmp_path / "plain.ckpt")
        with pytest.raises(UserError, match="card"):
            checkpoints.publish(str(tmp_path / "plain.ckpt"), "net", str(tmp_path / "place"))
        assert checkpoints.published(str(tmp_path / "place")) == []  # the name is free still


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


def test_markup_in_a_card_is_shown_as_it_is(run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published(run_dir, tmp_path, lambda card: card["data"].update(source="[red]x[/red] [/nothing]"))
    assert small.run("checkpoints", [f"checkpoints_dir={tmp_path}"]) == 0
    assert "[red]x" in capsys.readouterr().out


def nested(depth: int) -> Any:
    """A mapping within a mapping within a mapping, and so on."""
    value: Any = 0
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_space": nested(200)}, "more than 100 mappings and lists within each other"),
        ({"label_space": nested(900)}, "more than 100 mappings and lists within each other"),
        (
            {"input": {"sampling_rate": 100, "seconds": 10**400, "preprocess": {}}},
            "a whole number of more than 64 bits",
        ),
        ({"epoch": 10**4000}, "a whole number of more than 64 bits"),
        ({"label_space": "\x1b[2Jx"}, r"the text '\\x1b\[2Jx' has a control character"),
        ({"label_space": "a\u202eb"}, "has a control character"),
        ({"metrics": {"\x9b2J": 1.0}}, "has a control character"),
        ({"of_a_later_version": "\ud800"}, "has a control character"),
    ],
)
def test_a_value_that_no_card_has_is_refused_in_a_sentence(
    run_dir: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = published(run_dir, tmp_path, lambda card: card.update(change))
    for reader in (checkpoints.read, checkpoints.card_of):
        with pytest.raises(UserError, match=f"has a card that ecg_lightning cannot use .*{message}"):
            reader(str(path))


def test_a_card_of_a_run_holds_plain_values_alone(run_dir: Path, tmp_path: Path) -> None:
    values = torch.load(run_dir / "checkpoints" / "best.ckpt", weights_only=True)
    for value in (torch.zeros(2), {1, 2}, b"bytes", 1j):
        values["card"]["label_space"] = value
        torch.save(values, tmp_path / "odd.ckpt")
        with pytest.raises(UserError, match=f"a value of the type {type(value).__name__}"):
            checkpoints.publish(str(tmp_path / "odd.ckpt"), "net", str(tmp_path / "place"))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1, dtype=torch.int8).expand(10**9, 256),  # 256 GB of one byte
        torch.eye(3).to_sparse(),
        torch.zeros(3, device="meta"),
        [1, 2],
    ],
)
def test_a_tensor_that_is_not_whole_in_the_file_is_refused(run_dir: Path, tmp_path: Path, tensor: Any) -> None:
    values = torch.load(run_dir / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save(values | {"seen": tensor}, tmp_path / "seen.ckpt")
    torch.save(values | {"state_dict": {"network.head.bias": tensor}}, tmp_path / "state.ckpt")
    for name in ("seen.ckpt", "state.ckpt"):
        with pytest.raises(UserError, match=f"{name} is not a checkpoint of ecg_lightning: its state holds something"):
            checkpoints.publish(str(tmp_path / name), "net", str(tmp_path / "place"))


def test_a_file_that_unpacks_to_more_than_its_length_is_refused(run_dir: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {"network.head.bias": torch.zeros(10**6)}}, tmp_path / "plain.ckpt")
    for name in ("packed.ckpt", "packed.safetensors"):
        with ZipFile(tmp_path / "plain.ckpt") as plain, ZipFile(tmp_path / name, "w", ZIP_DEFLATED) as packed:
            for member in plain.namelist():
                packed.writestr(member, plain.read(member))
    with pytest.raises(UserError, match="unpacks to more than PyTorch wrote"):
        checkpoints.read(str(tmp_path / "packed.ckpt"))
    with pytest.raises(UserError, match="is a pickle of PyTorch, which could run code"):
        checkpoints.read(str(tmp_path / "packed.safetensors"))


def test_a_head_that_has_not_a_row_a_term_is_refused(run_dir: Path, tmp_path: Path) -> None:
    def add_terms(card: dict[str, Any]) -> None:
        card.update(terms=["A", "B", *card["terms"]], thresholds=[], calibration={"slope": [], "intercept": []})
        card.update(reference=None)

    path = published(run_dir, tmp_path, add_terms)
    words = small.arguments(run_dir.parent / "ptbxl", tmp_path / "child", f"finetune.checkpoint={path}")
    with pytest.raises(
        UserError, match=r"names 9 terms, and the shape of its tensor head\.(weight is \(7, 8\)|bias is \(7,\))"
    ):
        small.run("fit", [*words, "data.allow_leak=true"])


def test_a_header_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    header = b'{"__metadata__": {"a": "' + b"[" * 11_000_000 + b'"}}'
    (tmp_path / "net.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    for reader in (checkpoints.read, checkpoints.card_of):
        with pytest.raises(UserError, match="its header would have 11,000,027 bytes; at most 10,000,000 are read"):
            reader(str(tmp_path / "net.safetensors"))


def test_names_in_a_shared_folder_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a\x1b[2Jb.safetensors").write_bytes(b"junk")
    os.mkfifo(tmp_path / "pipe.safetensors")  # whoever opens it waits for a writer
    assert small.run("checkpoints", [f"checkpoints_dir={tmp_path}"]) == 0
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert r"a\x1b[2Jb" in printed.err


@pytest.mark.parametrize("run", [3, {"recipe": 3}, {}])
def test_a_run_whose_recipe_is_damaged_does_not_go_on(run_dir: Path, tmp_path: Path, run: Any) -> None:
    values = torch.load(run_dir / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save(values | {"run": run}, tmp_path / "last.ckpt")
    words = small.arguments(run_dir.parent / "ptbxl", tmp_path / "run", f"checkpoint_path={tmp_path}/last.ckpt")
    with pytest.raises(UserError, match="does not say how it was trained: it was damaged"):
        small.run("fit", words)


def test_no_message_shows_a_password() -> None:
    url = "memory://ann:s3cret@host/net.safetensors"
    fsspec.filesystem("memory").pipe_file(url, b"junk")
    for reader in (checkpoints.read, checkpoints.card_of):
        with pytest.raises(UserError) as error:
            reader(url)
        assert "s3cret" not in str(error.value)
    with pytest.raises(UserError, match=r"finetune.checkpoint holds a password"):
        small.run("fit", [f"finetune.checkpoint={url}"])
