"""Packing: what is read back equals what was recorded, whatever interrupts it and whoever else packs."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

import ecg_lightning.store.pack as packing
from ecg_lightning.errors import UserError
from ecg_lightning.records import Record, RecordError, fingerprint
from ecg_lightning.store import Store, store_root, summary
from ecg_lightning.store.pack import Row, key_of, pack, to_steps
from ecg_lightning.store.source_files import look_at


def signal_of(number: int, samples: int = 300) -> NDArray[np.float32]:
    """(12, samples) whole microvolts, different for every record."""
    return (np.random.default_rng(number).integers(-3000, 3000, (12, samples)) / 1000).astype(np.float32)


def read(row: Row) -> Record:
    """Recordings of several lengths; every tenth cannot be read, in two ways."""
    number = int(row["record_id"])
    if number % 10 == 3:
        raise RecordError(f"truncated signal: {row['file']} has 7 bytes")
    if number % 10 == 7:
        raise OSError("broken in a way of its own")  # as h5py says it: no number, so the machine is well
    if "slow" in row:
        time.sleep(row["slow"])
    return Record(signal_of(number, 300 + number), 100.0, str(number), age=50.0, codes=("A", "B"), quality=("flat:V1",))


def table_of(count: int, **extra: object) -> pd.DataFrame:
    numbers = range(count)
    return pd.DataFrame(
        {"record_id": map(str, numbers), "file": [f"{n}.dat" for n in numbers], "patient_id": "p"} | extra
    )


def check(store: Store, count: int) -> None:
    """Every good record of ``read`` is in the store once, bit for bit."""
    good = [n for n in range(count) if n % 10 not in (3, 7)]
    assert store.index["record_id"].tolist() == [str(n) for n in good]
    for row in range(0, len(good), 17):
        (found,), (valid,) = store.read(np.array([row]), np.array([0]), 300 + good[row])
        assert valid == 300 + good[row]
        np.testing.assert_array_equal(found, np.rint(signal_of(good[row], 300 + good[row]).T * 1000))
    assert len(store.rejected) == count - len(good)
    content = [fingerprint(signal_of(n, 300 + n), 100) for n in good]
    np.testing.assert_array_equal(store.content, np.stack(content))


def test_what_was_packed_is_read_back_and_bad_records_are_set_aside(tmp_path: Path) -> None:
    store = pack(tmp_path / "s", table_of(300), read, 100, {"source": "test"}, workers=2)
    check(store, 300)
    reasons = store.rejected.set_index("record_id")["reason"]
    assert reasons["3"] == "truncated signal: 3.dat has 7 bytes"
    assert reasons["7"] == "OSError: broken in a way of its own"
    assert store.index.loc[0, ["age", "codes", "quality", "original_rate"]].tolist() == [50.0, "A|B", "flat:V1", 100.0]
    assert summary(store) == {"records": 240, "patients": 1, "hours": 0.3, "rejected": 60}
    files = ["content.npy", "index.parquet", "meta.json", "rejected.csv", "signals.bin", "twins.npy"]
    assert sorted(path.name for path in store.path.iterdir()) == files


def test_a_batch_is_slices_with_zeros_where_a_recording_ends(tmp_path: Path) -> None:
    store = pack(tmp_path / "s", table_of(3), read, 100, {}, workers=1)
    batch, valid = store.read(np.array([0, 2]), np.array([250, 0]), 100)
    assert valid.tolist() == [50, 100]
    np.testing.assert_array_equal(batch[0, :50], np.rint(signal_of(0, 300).T[250:] * 1000))
    assert not batch[0, 50:].any()
    np.testing.assert_array_equal(batch[1], np.rint(signal_of(2, 302).T[:100] * 1000))


def test_the_fingerprint_is_of_the_content_alone(tmp_path: Path) -> None:
    one = pack(tmp_path / "a", table_of(30), read, 100, {}, workers=1)
    two = pack(tmp_path / "b", table_of(30).assign(file="elsewhere"), read, 100, {}, workers=2)
    three = pack(tmp_path / "c", table_of(30, site="x"), read, 100, {}, workers=2)
    assert one.fingerprint == two.fingerprint != three.fingerprint


def test_the_key_changes_with_files_table_and_options(tmp_path: Path) -> None:
    file = tmp_path / "x.dat"
    file.write_bytes(b"1")
    keys = [key_of("s", table_of(2), look_at([file]), {"rate": rate}) for rate in (100, 500)]
    keys.append(key_of("s", table_of(3), look_at([file]), {"rate": 100}))
    file.write_bytes(b"12")
    keys.append(key_of("s", table_of(2), look_at([file]), {"rate": 100}))
    assert keys[-1] == key_of("s", table_of(2), look_at([file]), {"rate": 100})
    file.unlink()
    keys.append(key_of("s", table_of(2), look_at([file]), {"rate": 100}))
    assert len(set(keys)) == 5


def test_a_second_record_of_the_same_id_is_set_aside(tmp_path: Path) -> None:
    table = pd.concat([table_of(2), table_of(3)])
    store = pack(tmp_path / "s", table, read, 100, {}, workers=1)
    assert store.index["record_id"].tolist() == ["0", "1", "2"]
    assert store.rejected["reason"].tolist() == ["duplicate record id"] * 2
    np.testing.assert_array_equal(store.content[2], fingerprint(signal_of(2, 302), 100))
    np.testing.assert_array_equal(
        store.read(np.array([2]), np.array([0]), 302)[0][0], np.rint(signal_of(2, 302).T * 1000)
    )


def test_every_recording_is_repaired_or_set_aside_by_name(tmp_path: Path) -> None:
    store = pack(tmp_path / "s", table_of(4), _damaged, 100, {}, workers=1)
    assert store.index["record_id"].tolist() == ["1", "2"]
    assert store.index["quality"].tolist() == ["nan_filled:aVR", "flat:V2"]
    reasons = store.rejected["reason"].str.split(":").str[0]
    assert reasons.tolist() == ["too short", "bad sampling rate"]


def _damaged(row: Row) -> Record:
    number = int(row["record_id"])
    signal = signal_of(number)
    if number == 1:
        signal[3, 100] = np.nan
    if number == 2:
        signal[7] = 0
    return Record(signal[:, :50] if number == 0 else signal, 0.0 if number == 3 else 100.0, str(number))


def _npy(row: Row) -> Record:
    """A recording of a file that may be missing; at the 200th all of them go, or the memory, or that one."""
    number, path = int(row["record_id"]), Path(row["file"])
    if number == 200 and (path.parent / "doom").exists():
        doom = (path.parent / "doom").read_text()
        if doom == "unplugged":
            path.parent.rename(path.parent.with_name("unplugged"))
        elif doom == "memory":
            raise MemoryError
        else:
            raise RecordError("unreadable file") from OSError(int(doom), os.strerror(int(doom)), str(path))
    return Record(np.load(path), 100.0, str(number))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("doom", ["unplugged", "memory", str(errno.EIO), str(errno.EACCES), "2"])
def test_a_recording_that_was_there_is_never_set_aside(tmp_path: Path, doom: str, workers: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    numbers = [n for n in range(300) if n % 10]  # a tenth is missing from the start
    for number in numbers:
        np.save(disk / f"{number}.npy", signal_of(number))
    (disk / "200.npy").symlink_to("1.npy")
    (disk / "doom").write_text(doom)
    table = table_of(300).assign(file=[f"{disk}/{n}.npy" for n in range(300)])
    files = look_at(table["file"])
    with pytest.raises(UserError, match=r"disk/\d+.npy was there and cannot be read now: .* Run the command again"):
        pack(tmp_path / "s", table, _npy, 100, {}, workers, files)
    assert not (tmp_path / "s").exists()
    if doom == "unplugged":
        disk.with_name("unplugged").rename(disk)
    (disk / "doom").unlink()
    if workers == 1 or doom != "unplugged":  # else the other worker may have lost the disk in the middle of its part
        assert "00000000.json" in _parts(tmp_path / "s")
    store = pack(tmp_path / "s", table, _npy, 100, {}, workers, files)
    assert store.index["record_id"].astype(int).tolist() == sorted([*numbers, 200])
    assert store.rejected["record_id"].astype(int).tolist() == [n for n in range(0, 300, 10) if n != 200]


def test_a_missing_file_of_an_archive_that_nobody_looked_at_is_set_aside_while_its_table_is_there(
    tmp_path: Path,
) -> None:
    table = table_of(3).assign(file=[f"{tmp_path}/{n}.npy" for n in range(3)])
    np.save(tmp_path / "1.npy", signal_of(1))
    (tmp_path / "records.csv").touch()
    files = look_at([tmp_path / "records.csv"])
    assert pack(tmp_path / "s", table, _npy, 100, {}, 1, files).index["record_id"].tolist() == ["1"]
    (tmp_path / "records.csv").unlink()
    with pytest.raises(UserError, match=r"0.npy was there and cannot be read now: No such file"):
        pack(tmp_path / "t", table, _npy, 100, {}, 1, files)


def test_a_full_disk_ends_the_job_and_the_next_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, calls = np.save, []

    def full(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(*arguments)

    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"cannot be written: No space left .* goes on"):
        patch.setattr(np, "save", full)
        pack(tmp_path / "s", table_of(300), read, 100, {}, workers=1)
    assert list(_parts(tmp_path / "s")) == ["00000000.json"]
    check(pack(tmp_path / "s", table_of(300), read, 100, {}, workers=1), 300)


def test_nothing_to_pack_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No recordings were found"):
        pack(tmp_path / "s", table_of(0), read, 100, {})
    with pytest.raises(UserError, match="is not a store"):
        Store(tmp_path)


def test_resampling_is_scipys_polyphase_and_does_not_ring_at_an_offset() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=(12, 5000)).astype(np.float32)
    steps, clipped = to_steps(noise, 500, 100)
    np.testing.assert_allclose(steps, resample_poly(noise, 1, 5, axis=1, padtype="line").T * 1000, atol=0.51)
    assert steps.shape == (1000, 12)
    assert not clipped
    flat, _ = to_steps(np.full((12, 1285), 2.5, np.float32), 257, 100)
    assert flat.shape == (500, 12)
    np.testing.assert_allclose(flat, 2500, atol=1)
    fast = np.sin(2 * np.pi * 80 * np.arange(5000) / 500)  # would alias to 20 Hz
    quiet, _ = to_steps(np.tile(fast, (12, 1)).astype(np.float32), 500, 100)
    assert np.abs(quiet[50:-50]).max() < 10  # µV of 1000


def test_what_int16_cannot_hold_is_clipped_and_said() -> None:
    steps, clipped = to_steps(np.full((12, 3), -40, np.float32), 100, 100)
    assert clipped
    assert (steps == -32767).all()


def test_the_place_of_stores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ECG_STORE", raising=False)
    assert store_root() == tmp_path / ".cache" / "ecg_lightning"
    monkeypatch.setenv("ECG_STORE", "/elsewhere")
    assert store_root() == Path("/elsewhere")
    assert store_root("/given") == Path("/given")


def _start(path: Path, count: int, slow: float) -> "subprocess.Popen[bytes]":
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "from pathlib import Path; import test_pack as t\n"
        "t.pack(Path(sys.argv[2]), t.table_of(int(sys.argv[3]), slow=float(sys.argv[4])), t.read, 100, {'source': 's'}, workers=2)\n"
    )
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent), str(path), str(count), str(slow)]
    return subprocess.Popen(arguments, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _parts(path: Path) -> dict[str, int]:
    parts = path.with_name(path.name + ".partial") / "parts"
    return {file.name: file.stat().st_mtime_ns for file in parts.glob("*.json")} if parts.is_dir() else {}


def test_a_killed_packing_goes_on_and_reads_no_finished_part_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    process = _start(path, 1200, 0.002)
    while len(_parts(path)) < 3:
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stderr is not None
    process.stderr.close()
    finished = _parts(path)
    assert not path.exists()
    again: list[Path] = []
    whole = packing.pack_part
    monkeypatch.setattr(
        packing, "pack_part", lambda rows, r, rate, stem: again.append(stem) or whole(rows, r, rate, stem)
    )
    store = pack(path, table_of(1200, slow=0.0), read, 100, {}, workers=1)
    check(store, 1200)
    assert not {f"{stem.name}.json" for stem in again} & finished.keys()
    assert len(again) + len(finished) == -(-1200 // packing.PART)


@pytest.mark.parametrize("after", range(12))
def test_a_join_killed_at_any_step_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    # Eight parts, three at a time: a "kill" before each of three synchronisations and before each of eight removals.
    calls, unlink = 0, Path.unlink

    def step() -> None:
        nonlocal calls
        calls += 1
        if calls == after:
            raise KeyboardInterrupt

    def remove(file: Path, missing_ok: bool = False) -> None:
        if file.suffix == ".bin":
            step()
        unlink(file, missing_ok)

    monkeypatch.setattr(packing, "_AT_ONCE", 3)
    monkeypatch.setattr(packing.os, "fsync", lambda _: step())
    monkeypatch.setattr(Path, "unlink", remove)
    path = tmp_path / "s"
    if after:
        with pytest.raises(KeyboardInterrupt):
            pack(path, table_of(1000), read, 100, {}, workers=1)
        assert not path.exists()
    check(pack(path, table_of(1000), read, 100, {}, workers=1), 1000)
    assert after or calls == 11


def test_after_a_kill_at_the_very_end_nothing_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(parts: Path) -> None:
        next(parts.glob("*.json")).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(packing.shutil, "rmtree", half)
        pack(tmp_path / "s", table_of(300), read, 100, {}, workers=1)
    check(pack(tmp_path / "s", table_of(300), pytest.fail, 100, {}, workers=1), 300)


def test_two_who_start_at_once_share_one_store(tmp_path: Path) -> None:
    path = tmp_path / "s"
    both = [_start(path, 600, 0.001) for _ in range(2)]
    said = [process.communicate(timeout=120)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    check(Store(path), 600)
    assert sum("waiting for it" in text for text in said) <= 1


def test_a_killed_worker_is_explained(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with pytest.raises(UserError, match="A packing process was killed"):
        pack(tmp_path / "s", table_of(600, dies=context.current_process().pid), _suicide, 100, {}, workers=2)


def _suicide(row: Row) -> Record:
    if int(row["record_id"]) == 200 and os.getpid() != row["dies"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return read(row)


def test_meta_says_what_was_packed(tmp_path: Path) -> None:
    store = pack(tmp_path / "s", table_of(10), read, 100, {"source": "mine", "options": {"x": 1}}, workers=1)
    meta = json.loads((store.path / "meta.json").read_text())
    assert (meta["source"], meta["options"], meta["records"], meta["rejected"]) == ("mine", {"x": 1}, 8, 2)
