"""A file that is damaged, too large or not whole is refused in a sentence, and takes no memory."""

from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch

import small
from checkpoints.changed import published
from ecg_lightning import checkpoints
from ecg_lightning.errors import UserError


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
    small_run: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = published(small_run, tmp_path, lambda card: card["model"].update(change))
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
def test_other_leads_are_refused(small_run: Path, tmp_path: Path, leads: list[str]) -> None:
    path = published(small_run, tmp_path, lambda card: card["input"]["preprocess"].update(leads=leads))
    with pytest.raises(UserError):
        small.run("predict", [str(path), small.record(small_run.parent), "--output", str(tmp_path / "p.csv")])


def test_a_damaged_file_is_told_from_a_whole_one(small_run: Path, tmp_path: Path) -> None:
    """Every single changed byte, of card or weights, is found; a hundred places of the file."""
    path = published(small_run, tmp_path)
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


def test_a_file_of_before_the_hash_is_still_read(small_run: Path, tmp_path: Path) -> None:
    path = published(small_run, tmp_path, lambda card: card.update(format=1), hashed=False)
    assert checkpoints.read(str(path)).network() is not None


def test_a_file_that_has_lost_its_hash_is_refused(small_run: Path, tmp_path: Path) -> None:
    path = published(small_run, tmp_path, lambda card: None, hashed=False)
    with pytest.raises(UserError, match="has no hash of its content"):
        checkpoints.read(str(path))


def test_a_checkpoint_of_a_plain_trainer_is_not_published(small_run: Path, tmp_path: Path) -> None:
    values = torch.load(small_run / "checkpoints" / "best.ckpt", weights_only=True)
    for card in (None, {}, {"terms": ["AFIB"], "thresholds": [0.5]}):
        values["card"] = card
        torch.save(values, tmp_path / "plain.ckpt")
        with pytest.raises(UserError, match="card"):
            checkpoints.publish(str(tmp_path / "plain.ckpt"), "net", str(tmp_path / "place"))
        assert checkpoints.published(str(tmp_path / "place")) == []  # the name is free still


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
    small_run: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = published(small_run, tmp_path, lambda card: card.update(change))
    for reader in (checkpoints.read, checkpoints.card_of):
        with pytest.raises(UserError, match=f"has a card that ecg_lightning cannot use .*{message}"):
            reader(str(path))


def test_a_card_of_a_run_holds_plain_values_alone(small_run: Path, tmp_path: Path) -> None:
    values = torch.load(small_run / "checkpoints" / "best.ckpt", weights_only=True)
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
def test_a_tensor_that_is_not_whole_in_the_file_is_refused(small_run: Path, tmp_path: Path, tensor: Any) -> None:
    values = torch.load(small_run / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save(values | {"seen": tensor}, tmp_path / "seen.ckpt")
    torch.save(values | {"state_dict": {"network.head.bias": tensor}}, tmp_path / "state.ckpt")
    for name in ("seen.ckpt", "state.ckpt"):
        with pytest.raises(UserError, match=f"{name} is not a checkpoint of ecg_lightning: its state holds something"):
            checkpoints.publish(str(tmp_path / name), "net", str(tmp_path / "place"))


def test_a_file_that_unpacks_to_more_than_its_length_is_refused(small_run: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {"network.head.bias": torch.zeros(10**6)}}, tmp_path / "plain.ckpt")
    for name in ("packed.ckpt", "packed.safetensors"):
        with ZipFile(tmp_path / "plain.ckpt") as plain, ZipFile(tmp_path / name, "w", ZIP_DEFLATED) as packed:
            for member in plain.namelist():
                packed.writestr(member, plain.read(member))
    with pytest.raises(UserError, match="unpacks to more than PyTorch wrote"):
        checkpoints.read(str(tmp_path / "packed.ckpt"))
    with pytest.raises(UserError, match="is a pickle of PyTorch, which could run code"):
        checkpoints.read(str(tmp_path / "packed.safetensors"))


def test_a_head_that_has_not_a_row_a_term_is_refused(small_run: Path, tmp_path: Path) -> None:
    def add_terms(card: dict[str, Any]) -> None:
        card.update(terms=["A", "B", *card["terms"]], thresholds=[], calibration={"slope": [], "intercept": []})
        card.update(reference=None)

    path = published(small_run, tmp_path, add_terms)
    words = small.arguments(small_run.parent / "ptbxl", tmp_path / "child", f"finetune.checkpoint={path}")
    with pytest.raises(
        UserError, match=r"names 9 terms, and the shape of its tensor head\.(weight is \(7, 8\)|bias is \(7,\))"
    ):
        small.run("fit", [*words, "data.allow_leak=true"])


def test_a_text_is_no_safetensors_file(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 0\ndata:\n  name: PTBXLDataModule\n")
    with pytest.raises(
        UserError, match=r"config.yaml is not a readable safetensors file \(it does not begin like one\)"
    ):
        checkpoints.read(str(tmp_path / "config.yaml"))


def test_a_header_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    header = b'{"__metadata__": {"a": "' + b"[" * 11_000_000 + b'"}}'
    (tmp_path / "net.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    for reader in (checkpoints.read, checkpoints.card_of):
        with pytest.raises(UserError, match="its header would have 11,000,027 bytes; at most 10,000,000 are read"):
            reader(str(tmp_path / "net.safetensors"))


@pytest.mark.parametrize("run", [3, {"recipe": 3}, {}])
def test_a_run_whose_recipe_is_damaged_does_not_go_on(small_run: Path, tmp_path: Path, run: Any) -> None:
    values = torch.load(small_run / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save(values | {"run": run}, tmp_path / "last.ckpt")
    words = small.arguments(small_run.parent / "ptbxl", tmp_path / "run", f"checkpoint_path={tmp_path}/last.ckpt")
    with pytest.raises(UserError, match="does not say how it was trained: it was damaged"):
        small.run("fit", words)
