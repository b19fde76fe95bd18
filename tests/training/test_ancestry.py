"""What a checkpoint has seen: a list that is not whole is never taken for one, by the next run and by those after it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import fake
import small
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.config.schema import build
from ecg_lightning.errors import UserError
from ecg_lightning.records.fingerprints import OPENING, SIZE
from ecg_lightning.training import ancestry, leak


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    fake.ptbxl(folder / "ptbxl", 40)
    fake.cinc(folder / "georgia", 30)
    return folder


def words(root: Path, run_dir: Path, name: str) -> list[str]:
    data = [f"name={name}", f"root={root}", f"store_dir={root.parent}/store", "pack_workers=1", "seconds=3"]
    return [*(f"data.{word}" for word in data), *small.TINY, "trainer.max_epochs=1", f"run_dir={run_dir}"]


@pytest.fixture(scope="module")
def parent(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint of a run on the fake PTB-XL."""
    run = tmp_path_factory.mktemp("runs") / "parent"
    assert small.run("fit", words(archives / "ptbxl", run, "PTBXLDataModule")) == 0
    return run / "checkpoints" / "best.ckpt"


def changed(parent: Path, target: Path, seen: Tensor | None, **card: object) -> Path:
    """The checkpoint with another list and other words on its card."""
    content = torch.load(parent, weights_only=True)
    content["card"] |= card
    content["seen"] = seen
    torch.save(content, target)
    return target


def _garbage(seen: Tensor) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(-128, 128, tuple(seen.shape)).astype(np.int8))


CHANGES: dict[str, Callable[[Tensor], Tensor | None]] = {
    "removed": lambda seen: None,
    "cut": lambda seen: seen[:-1],
    "emptied": lambda seen: seen[:0],
    "zeroed": torch.zeros_like,
    "one zeroed": lambda seen: torch.cat([seen[:-1], torch.zeros_like(seen[:1])]),
    "one twice": lambda seen: torch.cat([seen[:-1], seen[:1]]),
    "garbage": _garbage,
    "other numbers": lambda seen: seen.float(),
    "not a number": lambda seen: torch.full(seen.shape, torch.nan),
    "other width": lambda seen: seen[:, :17],
    "flat": lambda seen: seen.flatten(),
    "a number": lambda seen: torch.tensor(3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_list_that_was_changed_is_noticed(parent: Path, change: str) -> None:
    whole = checkpoints.read(str(parent))
    assert whole.seen is not None
    assert ancestry.flaw(whole) is None
    assert not ancestry.is_unknown(whole)
    damaged = replace(whole, seen=CHANGES[change](whole.seen))
    message = ancestry.flaw(damaged)
    assert message is not None
    assert "was changed after it was written" in message and message.endswith("Its ancestry is unknown.")
    assert ancestry.is_unknown(damaged)
    assert ancestry.fingerprints_of(damaged).shape[1] == SIZE  # what is left of it can be compared


def test_a_checkpoint_without_its_list_is_refused_and_its_descendants_say_so(
    archives: Path, parent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = checkpoints.card_of(str(parent)).seen
    bare = changed(parent, tmp_path / "bare.ckpt", None)
    child = [*words(archives / "georgia", tmp_path / "child", "GeorgiaDataModule"), f"finetune.checkpoint={bare}"]
    with pytest.raises(UserError, match=f"its card counts {count} recordings that trained it, and its list has 0"):
        small.run("fit", child)
    assert small.run("fit", [*child, "data.allow_leak=true"]) == 0
    assert "Leak allowed: georgia:" in capsys.readouterr().err
    best = tmp_path / "child" / "checkpoints" / "best.ckpt"
    assert checkpoints.card_of(str(best)).ancestry_unknown is True
    # Whoever tests it, or goes on from it, hears it; the grandchild's card has it, too.
    arguments = words(archives / "ptbxl", tmp_path / "test", "PTBXLDataModule")
    assert small.run("test", [*arguments, f"checkpoint_path={best}"]) == 0
    assert f"{best}: its ancestry is unknown." in capsys.readouterr().err
    last = words(archives / "georgia", tmp_path / "last", "GeorgiaDataModule")
    assert small.run("fit", [*last, f"finetune.checkpoint={best}"]) == 0
    assert f"{best}: its ancestry is unknown." in capsys.readouterr().err
    assert checkpoints.card_of(str(tmp_path / "last" / "checkpoints" / "best.ckpt")).ancestry_unknown is True


def _ptbxl(archives: Path) -> "leak.PackedDataModule":
    arguments = {"name": "PTBXLDataModule", "root": f"{archives}/ptbxl", "store_dir": f"{archives}/store", "seconds": 3}
    data: leak.PackedDataModule = build("data", arguments, seed=0)
    return data


def _with(checkpoint: Checkpoint, seen: Tensor | None, count: int | None) -> Checkpoint:
    return replace(checkpoint, seen=seen, card=replace(checkpoint.card, seen=count))


def test_a_checkpoint_that_never_had_a_list_is_taken_with_a_line(
    archives: Path, parent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, foreign = _ptbxl(archives), _with(checkpoints.read(str(parent)), None, None)
    assert leak.leaks_from_checkpoint(data, ("test",), foreign) == []
    assert "its ancestry is unknown. It does not list all recordings that trained it" in capsys.readouterr().err
    assert ancestry.is_unknown_after_training(data, foreign)
    assert not ancestry.is_unknown_after_training(data, None)


def test_a_list_of_64_bytes_is_compared_by_them(
    archives: Path, parent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, whole = _ptbxl(archives), checkpoints.read(str(parent))
    test = torch.from_numpy(np.array(data.store.fingerprints[data.rows("test")]))
    for seen in (test, test[:, :OPENING]):
        (message,) = leak.leaks_from_checkpoint(data, ("test",), _with(whole, seen.contiguous(), len(seen)))
        assert message.startswith(f"{len(test)} of the {len(test)} recordings of the test side trained")
    # The list of an older version of the same run says nothing new, and an older parent's is carried on.
    assert whole.seen is not None
    older = _with(whole, whole.seen[:, :OPENING].contiguous(), len(whole.seen))
    assert torch.equal(ancestry.seen_after_training(data, older), whole.seen)
    assert len(ancestry.fingerprints_of(ancestry.without_training_recordings(older, data))) == 0
    joined = _with(whole, torch.cat([whole.seen, test])[:, :OPENING].contiguous(), len(whole.seen) + len(test))
    of_ancestors = ancestry.without_training_recordings(joined, data)
    assert of_ancestors.card.seen == len(ancestry.fingerprints_of(of_ancestors)) == len(test)
    assert ancestry.flaw(of_ancestors) is None
    assert capsys.readouterr().err == ""


def test_recordings_whose_fingerprints_are_damaged_are_counted(
    archives: Path, parent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, whole = _ptbxl(archives), checkpoints.read(str(parent))
    content = np.array(data.store.fingerprints)
    content[data.rows("train")[:3]] = 0
    content[data.rows("test")[:2]] = 77
    monkeypatch.setattr(data.store, "fingerprints", content)
    leak.check_training(data, None)
    message = capsys.readouterr().err
    assert message.startswith("5 recordings of ptbxl have no usable fingerprint") and str(data.store.path) in message
    assert ancestry.is_unknown_after_training(data, None)
    leak.leaks_from_checkpoint(data, ("test",), whole)
    assert "recordings of ptbxl have no usable fingerprint" in capsys.readouterr().err
