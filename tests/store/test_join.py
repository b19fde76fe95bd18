"""A packing that is cut off at any moment, or whose parts are damaged meanwhile, ends in the same store."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ecg_lightning.store.join as joining
import ecg_lightning.store.pack as packing
from ecg_lightning.store import Store
from ecg_lightning.store.pack import PART, pack
from store.recordings import check, parts_of, read, start, table_of


def test_a_killed_packing_goes_on_and_reads_no_finished_part_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    process = start(path, 1200, 0.002)
    while len(parts_of(path)) < 3:
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stderr is not None
    process.stderr.close()
    finished = parts_of(path)
    assert not path.exists()
    again: list[Path] = []
    whole = packing.pack_part
    monkeypatch.setattr(
        packing, "pack_part", lambda rows, r, rate, stem, files: again.append(stem) or whole(rows, r, rate, stem, files)
    )
    store = pack(path, table_of(1200, slow=0.0), read, 100, {}, workers=1)
    check(store, 1200)
    assert not {f"{stem.name}.json" for stem in again} & finished.keys()
    assert len(again) + len(finished) == -(-1200 // PART)


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

    monkeypatch.setattr(packing, "PART", 10)
    monkeypatch.setattr(joining, "_AT_ONCE", 3)
    monkeypatch.setattr(joining, "sync", lambda _: step())
    monkeypatch.setattr(Path, "unlink", remove)
    path = tmp_path / "s"
    if after:
        with pytest.raises(KeyboardInterrupt):
            pack(path, table_of(80), read, 100, {}, workers=1)
        assert not path.exists()
    check(pack(path, table_of(80), read, 100, {}, workers=1), 80)
    assert after or calls == 11


def test_after_a_kill_at_the_very_end_nothing_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(parts: Path) -> None:
        next(parts.glob("*.json")).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(packing.shutil, "rmtree", half)
        pack(tmp_path / "s", table_of(300), read, 100, {}, workers=1)
    check(pack(tmp_path / "s", table_of(300), pytest.fail, 100, {}, workers=1), 300)


def _shorter(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _empty(file: Path) -> None:
    os.truncate(file, 0)


def _longer(file: Path) -> None:
    with file.open("ab") as out:
        out.write(b"0" * 24)


def _zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def _other_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


DAMAGE = (_shorter, _empty, _longer, _zeros, _other_bit, Path.unlink)


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files of a store of four parts that nothing disturbed."""
    monkeypatch.setattr(packing, "PART", 10)
    store = pack(tmp_path / "whole" / "s", table_of(40), read, 100, {}, workers=1)
    check(store, 40)
    return files_of(store)


def files_of(store: Store) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in store.path.iterdir()}


def _stop(path: Path, monkeypatch: pytest.MonkeyPatch, calls_of_sync: int) -> Path:
    """Packs until the join has emptied its parts two at a time so many times; returns the folder of the parts."""
    calls = 0

    def sync(_: object) -> None:
        nonlocal calls
        calls += 1
        if calls > calls_of_sync:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(joining, "_AT_ONCE", 2)
        patch.setattr(joining, "sync", sync)
        pack(path, table_of(40), read, 100, {}, workers=1)
    return path.with_name("s.partial") / "parts"


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["00000010.bin", "00000010.json"])
def test_a_part_that_is_not_as_it_was_written_is_packed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes], name: str, damage: Callable[[Path], None]
) -> None:
    damage(_stop(tmp_path / "s", monkeypatch, 0) / name)
    again: list[str] = []
    write = packing.pack_part
    monkeypatch.setattr(
        packing,
        "pack_part",
        lambda rows, r, rate, stem, files: again.append(stem.name) or write(rows, r, rate, stem, files),
    )
    assert files_of(pack(tmp_path / "s", table_of(40), read, 100, {}, workers=1)) == whole
    assert again == ["00000010"]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["signals.bin", "parts/00000000.json", "parts/00000020.bin"])
def test_of_a_join_that_was_cut_off_and_damaged_nothing_wrong_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes], name: str, damage: Callable[[Path], None]
) -> None:
    parts = _stop(tmp_path / "s", monkeypatch, 1)
    assert sorted(file.name for file in parts.glob("*.bin")) == ["00000020.bin", "00000030.bin"]
    damage(parts.parent / name)
    assert files_of(pack(tmp_path / "s", table_of(40), read, 100, {}, workers=1)) == whole


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["signals.bin", "index.parquet", "fingerprints.npy", "meta.json"])
def test_a_store_that_was_damaged_before_it_had_its_name_is_joined_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes], name: str, damage: Callable[[Path], None]
) -> None:
    def stop(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(packing.shutil, "rmtree", stop)
        pack(tmp_path / "s", table_of(40), read, 100, {}, workers=1)
    damage(tmp_path / "s.partial" / name)
    assert files_of(pack(tmp_path / "s", table_of(40), read, 100, {}, workers=1)) == whole


def test_what_gets_a_name_is_on_the_disk_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[str] = set()
    fsync, replace, rename = os.fsync, Path.replace, Path.rename

    def note(number: int) -> None:
        synced.add(Path(os.readlink(f"/proc/self/fd/{number}")).name)
        fsync(number)

    def checked_replace(source: Path, target: Path) -> Path:
        if source.suffix == ".part":
            assert source.name in synced
        if target.suffix == ".json" and target.parent.name == "parts":
            assert target.with_suffix(".bin").name in synced
        return replace(source, target)

    def finished(source: Path, target: Path) -> Path:
        assert {file.name for file in source.iterdir()} - {"meta.json"} <= synced
        assert source.name in synced
        synced.clear()
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(Path, "replace", checked_replace)
    monkeypatch.setattr(Path, "rename", finished)
    pack(tmp_path / "s", table_of(200), read, 100, {}, workers=1)
    assert synced == {tmp_path.name}
