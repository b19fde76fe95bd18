"""Packing: what is read back equals what was recorded, whatever is wrong with a recording and whoever else packs."""

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecg_lightning.errors import UserError
from ecg_lightning.records import Record, RecordError, fingerprint
from ecg_lightning.store import Store, summary
from ecg_lightning.store.pack import Row, key_of, pack
from ecg_lightning.store.source_files import look_at
from store.recordings import check, parts_of, read, signal_of, start, table_of

NOISE = "suspect:limb_leads_disagree"
"""What twelve leads of noise are flagged with."""


def test_what_was_packed_is_read_back_and_bad_records_are_set_aside(tmp_path: Path) -> None:
    store = pack(tmp_path / "s", table_of(300), read, 100, {"source": "test"}, workers=2)
    check(store, 300)
    reasons = store.rejected.set_index("record_id")["reason"]
    assert reasons["3"] == "truncated signal: 3.dat has 7 bytes"
    assert reasons["7"] == "OSError: broken in a way of its own"
    assert store.index.loc[0, ["age", "codes", "quality", "original_rate"]].tolist() == [
        50.0,
        "A|B",
        f"flat:V1|{NOISE}",
        100.0,
    ]
    assert summary(store) == {"records": 240, "patients": 1, "hours": 0.3, "rejected": 60}
    files = ["copies.npy", "fingerprints.npy", "index.parquet", "meta.json", "rejected.csv", "signals.bin"]
    assert sorted(path.name for path in store.path.iterdir()) == files


def test_the_hash_is_of_signals_and_index_alone(tmp_path: Path) -> None:
    first = pack(tmp_path / "a", table_of(30), read, 100, {}, workers=1)
    second = pack(tmp_path / "b", table_of(30).assign(file="elsewhere"), read, 100, {}, workers=2)
    third = pack(tmp_path / "c", table_of(30, site="x"), read, 100, {}, workers=2)
    assert first.sha256 == second.sha256 != third.sha256


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
    np.testing.assert_array_equal(store.fingerprints[2], fingerprint(signal_of(2, 302), 100))
    np.testing.assert_array_equal(
        store.read(np.array([2]), np.array([0]), 302)[0][0], np.rint(signal_of(2, 302).T * 1000)
    )


def test_every_recording_is_repaired_or_set_aside_by_name(tmp_path: Path) -> None:
    store = pack(tmp_path / "s", table_of(4), _damaged, 100, {}, workers=1)
    assert store.index["record_id"].tolist() == ["1", "2"]
    assert store.index["quality"].tolist() == [f"nan_filled:aVR|{NOISE}", f"flat:V2|{NOISE}"]
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
        assert "00000000.json" in parts_of(tmp_path / "s")
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


@pytest.mark.parametrize("after", range(1, 13))
def test_a_full_disk_ends_the_job_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    # Three parts are two files each, then come signals, index, fingerprints, copies, rejected and meta, and three folders.
    fsync, calls = os.fsync, 0

    def full(number: int) -> None:
        nonlocal calls
        calls += 1
        if calls == after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(number)

    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"cannot be written: No space left .* goes on"):
        patch.setattr(os, "fsync", full)
        pack(tmp_path / "s", table_of(300), read, 100, {}, workers=1)
    assert len(parts_of(tmp_path / "s")) == min((after - 1) // 2, 3)
    check(pack(tmp_path / "s", table_of(300), read, 100, {}, workers=1), 300)


def test_nothing_to_pack_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No recordings were found"):
        pack(tmp_path / "s", table_of(0), read, 100, {})
    with pytest.raises(UserError, match="is not a store"):
        Store(tmp_path)


def test_two_who_start_at_once_share_one_store(tmp_path: Path) -> None:
    path = tmp_path / "s"
    processes = [start(path, 600, 0.001) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    check(Store(path), 600)
    assert sum("waiting for it" in text for text in errors) <= 1


def test_names_that_are_not_utf_8_and_reasons_of_any_kind_are_stored(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.dat")
    table = pd.DataFrame(
        {"record_id": ["a", odd, "lost"], "file": [odd, "b.dat", odd], "patient_id": [odd, "", "\ud800"]}
    )
    files = look_at([tmp_path / odd])
    assert key_of("s", table, files, {}) == key_of("s", table.copy(), files, {})
    assert key_of("s", table, files, {}) != key_of("s", table.replace({odd: "caf.dat"}), files, {})
    store = pack(tmp_path / "s", table, _odd, 100, {"source": odd}, workers=2, files=files)
    assert store.index["record_id"].tolist() == ["a", r"caf\xe9.dat"]
    assert store.index["file"].tolist() == [r"caf\xe9.dat", "b.dat"]
    assert store.index["patient_id"].tolist() == [r"caf\xe9.dat", ""]
    row = {"record_id": "lost", "file": r"caf\xe9.dat", "reason": "bad name: \r\n, '\"\\x00\\xff"}
    assert store.rejected.to_dict("records") == [row]
    assert store.meta["source"] == odd


def _odd(row: Row) -> Record:
    if row["record_id"] == "lost":
        raise RecordError("bad name: \r\n, '\"\0\udcff")
    return Record(signal_of(len(row["record_id"])), 100.0)


def test_a_rate_or_a_length_that_would_fill_the_memory_sets_that_recording_aside(tmp_path: Path) -> None:
    store = pack(tmp_path / "s", table_of(4), _absurd, 500, {}, workers=1)
    assert store.index["record_id"].tolist() == ["2", "3"]
    assert [reason.partition(":")[0] for reason in store.rejected["reason"]] == ["bad sampling rate", "too long"]


def _absurd(row: Row) -> Record:
    number = int(row["record_id"])
    samples = 30 * 3600 * 49 if number == 1 else 2000
    return Record(np.resize(signal_of(number), (12, samples)), (0.001, 30.0, 500.0, 500.0)[number], str(number))


def test_what_lies_beside_a_new_store_and_is_of_no_use_is_named_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, unfinished, foreign = (
        tmp_path / name for name in ("mine-100hz-old", "mine-100hz-x.partial", "yours-100hz-old")
    )
    for folder in (old, unfinished, foreign):
        folder.mkdir()
        (folder / "meta.json").write_text('{"format": 4}')
    pack(tmp_path / "mine-100hz-new", table_of(3), read, 100, {}, workers=1)
    text = capsys.readouterr().err
    assert f"The layout of stores has changed, so the source is packed again. You may remove {old}.\n" in text
    assert f"Unfinished stores of other options, or of files that have changed since: {unfinished}. You" in text
    assert str(foreign) not in text
    assert all(folder.exists() for folder in (old, unfinished, foreign))
    pack(tmp_path / "mine-100hz-new", table_of(3), read, 100, {}, workers=1)
    assert "remove" not in capsys.readouterr().err
