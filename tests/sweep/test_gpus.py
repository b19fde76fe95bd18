from pathlib import Path

import pytest

from ecg_lightning.errors import UserError
from ecg_lightning.sweep import gpus
from ecg_lightning.sweep.gpus import Gpus, visible_gpus


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))


def test_each_trial_gets_gpus_of_its_own() -> None:
    pool = Gpus(["GPU-a", "GPU-b", "GPU-c"], 1)
    slots = [pool.take() for _ in range(4)]
    assert slots == [["GPU-a"], ["GPU-b"], ["GPU-c"], None]
    pool.give_back(["GPU-b"])
    assert pool.take() == ["GPU-b"]
    assert pool.environment(["GPU-b"]) == {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    assert pool.capacity == 3


def test_several_gpus_a_trial() -> None:
    pool = Gpus(["0", "1", "2"], 2)
    assert (pool.take(), pool.take(), pool.capacity) == (["0", "1"], None, 1)
    pool.give_back(["0", "1"])
    assert pool.take() == ["0", "1"]


def test_several_trials_share_a_gpu_after_each_has_one() -> None:
    pool = Gpus(["0", "1"], 0.5)
    assert [pool.take() for _ in range(5)] == [["0"], ["1"], ["0"], ["1"], None]
    pool.give_back(["1"])
    assert pool.take() == ["1"]
    assert Gpus(["0"], 0.33).capacity == 3


def test_a_sweep_beside_it_gets_what_is_free() -> None:
    first, second = Gpus(["0", "1"], 1), Gpus(["0", "1"], 1)
    assert (first.take(), second.take(), second.take()) == (["0"], ["1"], None)


def test_without_gpus_trials_are_told_nothing_and_with_zero_they_see_none() -> None:
    none = Gpus([], None)
    assert (none.take(), none.environment([]), none.capacity) == ([], {}, None)
    zero = Gpus(["0"], 0)
    assert zero.environment(zero.take() or []) == {"CUDA_VISIBLE_DEVICES": ""}


@pytest.mark.parametrize(
    ("names", "per_run", "message"),
    [
        (["0"], 2, "has 1 GPUs"),
        (["0"], 1.5, "whole number"),
        ([], 1, "has 0 GPUs"),
        (["0"], float("nan"), "whole number"),
        (["0"], float("inf"), "whole number"),
    ],
)
def test_what_cannot_be_had_is_said(names: list[str], per_run: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Gpus(names, per_run)


def test_gpus_are_known_by_their_unique_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, GPU-aa'\necho '1, GPU-bb'\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == ["GPU-aa", "GPU-bb"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert visible_gpus() == ["GPU-bb"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-x,GPU-aa")
    assert visible_gpus() == ["MIG-x", "GPU-aa"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
