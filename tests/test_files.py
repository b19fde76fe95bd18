"""Small files that a kill, a full disk or another process leaves whole."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecg_lightning.files import write_json
from ecg_lightning.training.callbacks import RunRecord


def test_many_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: write_json(path, {"k": [k] * 1000}), range(200)))
    assert len({*json.loads(path.read_text())["k"]}) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_configuration_is_not_cut_off_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tmp_path / "config.yaml"
    before.write_text("seed: 1\n")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    record, trainer = RunRecord(tmp_path, {"seed": 2}, {"torch": "2"}, {}), SimpleNamespace(is_global_zero=True)
    with pytest.raises(OSError, match=r"No space left on device: '.*/config.yaml"):
        record.setup(trainer, None, "fit")
    assert before.read_text() == "seed: 1\n"
    assert list(tmp_path.iterdir()) == [before]
    monkeypatch.undo()
    record.setup(trainer, None, "fit")
    assert before.read_text().startswith("# torch: 2\n")
    assert before.read_text().endswith("\nseed: 2\n")


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"auroc": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_what_killed_writers_left_behind_goes_and_what_living_ones_write_stays(tmp_path: Path) -> None:
    path = tmp_path / "a[1].json"
    stale, young, of_another_file, without_id = (
        tmp_path / name
        for name in (
            f"a[1].json.{'0' * 32}.part",
            f"a[1].json.{'1' * 32}.part",
            f"b.json.{'0' * 32}.part",
            "a[1].json.part",
        )
    )
    for file in (stale, young, of_another_file, without_id):
        file.touch()
    for file in (stale, of_another_file, without_id):
        os.utime(file, (0, 0))
    write_json(path, {})
    assert sorted(tmp_path.iterdir()) == sorted([path, young, of_another_file, without_id])


def test_what_is_not_utf_8_is_written_so_that_json_gives_it_back(tmp_path: Path) -> None:
    content = {os.fsdecode(b"caf\xe9"): "µ \ud800"}
    write_json(tmp_path / "a.json", content)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == content
