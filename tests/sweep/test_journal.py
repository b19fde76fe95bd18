"""A study's journal on a disk that is full for a while, and after a power cut."""

import errno
import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ecg_lightning.sweep import journal as journal_module
from ecg_lightning.sweep.definition import load_sweep
from ecg_lightning.sweep.journal import Journal
from ecg_lightning.sweep.storage import open_storage, open_study

Write = Callable[..., Path]


def entries(path: Path) -> list[object]:
    return list(Journal(str(path)).read_logs(0))


def append(path: Path, worker: int, cut: bool) -> None:
    """One process: twenty entries, and half lines between them where it is the one that fails."""
    for i in range(20):
        Journal(str(path)).append_logs([{"worker": worker, "entry": i}])
        if cut:
            journal = Journal(str(path))
            journal._lock.acquire()
            with path.open("ab") as file:
                file.write(b'{"worker": 9, "ent')
            journal._lock.release()


@pytest.mark.parametrize("remainder", [b"{", b'{"worker": 9, "ent', b"\0" * 9000, b'{"worker": 9}'])
def test_an_unfinished_last_line_is_cut_before_the_next(remainder: bytes, tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    Journal(str(path)).append_logs([{"entry": 0}, {"entry": 1}])
    with path.open("ab") as file:
        file.write(remainder)
    Journal(str(path)).append_logs([{"entry": 2}])
    assert entries(path) == [{"entry": 0}, {"entry": 1}, {"entry": 2}]


def test_several_processes_of_which_one_fails_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=append, args=(path, worker, worker == 0)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lines = [json.dumps(entry) for entry in entries(path)]
    assert sorted(lines) == sorted(json.dumps({"worker": w, "entry": i}) for w in range(3) for i in range(20))


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "study.journal"
    Journal(str(path)).append_logs([{"entry": 0}])
    before = path.read_bytes()

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            Journal(str(path)).append_logs([{"entry": 1}])
    assert path.read_bytes() == before
    Journal(str(path)).append_logs([{"entry": 2}])
    assert entries(path) == [{"entry": 0}, {"entry": 2}]


def test_a_study_goes_on_after_a_cut_at_every_place_of_its_last_line(sweep_file: Write, tmp_path: Path) -> None:
    sweep, path = load_sweep(sweep_file()), tmp_path / "study.journal"
    open_study(sweep, open_storage(str(path))).set_user_attr("last", 1)
    whole = path.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(start, len(whole), 7):
        path.write_bytes(whole[:cut])
        study = open_study(sweep, open_storage(str(path)))
        study.set_user_attr("added", cut)
        assert open_study(sweep, open_storage(str(path))).user_attrs["added"] == cut
    assert os.listdir(tmp_path).count("study.journal.lock") == 0
