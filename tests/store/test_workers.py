"""Packing processes: what becomes of them, and what is said, when one of them or all are ended."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecg_lightning.records import Record
from ecg_lightning.store.pack import Row, pack
from store.recordings import check, parts_of, read, start, table_of


def test_a_killed_worker_is_explained(tmp_path: Path) -> None:
    # In an interpreter of its own: what is killed here must not reach the process that runs the other tests.
    code = (
        "import os, sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]\n"
        "from test_workers import _dies; from store.recordings import table_of; from ecg_lightning.store.pack import pack\n"
        "pack(Path(sys.argv[1]), table_of(600, dies=os.getpid()), _dies, 100, {}, workers=2)"
    )
    here = Path(__file__).parent
    words = [sys.executable, "-c", code, str(tmp_path / "s"), str(here), str(here.parent)]
    process = subprocess.run(words, capture_output=True, text=True, check=False, start_new_session=True)
    assert process.returncode == 1
    assert "UserError: A packing process was killed" in process.stderr


def _dies(row: Row) -> Record:
    if int(row["record_id"]) == 200 and os.getpid() != row["dies"]:
        os.kill(os.getpid(), row.get("by", signal.SIGKILL))
    return read(row)


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def _wait_for_parts(process: "subprocess.Popen[bytes]", path: Path) -> list[int]:
    """Waits until a packing is well under way; returns its workers."""
    while len(parts_of(path)) < 2:
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.02)
    return _children(process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl and /proc")
def test_workers_end_with_a_parent_that_is_killed_alone(tmp_path: Path) -> None:
    process = start(tmp_path / "s", 5000, 0.002)
    workers = _wait_for_parts(process, tmp_path / "s")
    process.kill()
    process.communicate()
    assert len(workers) == 2
    deadline = time.monotonic() + 60
    while any(map(_runs, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGTERM, False)])
def test_a_packing_that_is_stopped_says_so_and_goes_on(tmp_path: Path, number: int, to_all: bool) -> None:
    path = tmp_path / "s"
    process = start(path, 1000, 0.002, verb=True)
    workers = _wait_for_parts(process, path)
    (os.killpg if to_all else os.kill)(process.pid, number)
    text = process.communicate(timeout=60)[1].decode()
    assert (process.returncode, text.strip().splitlines()[-1]) == (
        130,
        "ecg_lightning: stopped. Run the same command again to go on from here.",
    )
    assert "killed" not in text
    assert "Traceback" not in text
    assert not any(map(_runs, workers))
    finished = parts_of(path)
    assert finished
    check(pack(path, table_of(1000), read, 100, {}, workers=1), 1000)


def test_workers_that_a_batch_system_ends_before_their_parent_were_not_killed_for_memory(tmp_path: Path) -> None:
    table = table_of(600, dies=multiprocessing.current_process().pid, by=int(signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        pack(tmp_path / "s", table, _dies, 100, {}, workers=2)
