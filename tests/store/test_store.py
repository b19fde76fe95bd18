"""An opened store: what it reads, and that no damage passes in silence, does anything, or is told as a traceback."""

import json
import os
import pickle
from collections.abc import Callable, Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecg_lightning.errors import UserError
from ecg_lightning.records.fingerprints import SIZE
from ecg_lightning.store import Store, store_root
from ecg_lightning.store.joined import JoinedStore
from ecg_lightning.store.pack import pack
from ecg_lightning.store.sealed import seal
from ecg_lightning.store.store import FORMAT
from store.recordings import check, read, signal_of, table_of


def test_a_batch_is_slices_with_zeros_where_a_recording_ends(tmp_path: Path) -> None:
    store = pack(tmp_path / "s", table_of(3), read, 100, {}, workers=1)
    batch, valid = store.read(np.array([0, 2]), np.array([250, 0]), 100)
    assert valid.tolist() == [50, 100]
    np.testing.assert_array_equal(batch[0, :50], np.rint(signal_of(0, 300).T[250:] * 1000))
    assert not batch[0, 50:].any()
    np.testing.assert_array_equal(batch[1], np.rint(signal_of(2, 302).T[:100] * 1000))


def test_the_place_of_stores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ECG_STORE", raising=False)
    assert store_root() == tmp_path / ".cache" / "ecg_lightning"
    monkeypatch.setenv("ECG_STORE", "/elsewhere")
    assert store_root() == Path("/elsewhere")
    assert store_root("/given") == Path("/given")


def test_meta_says_what_was_packed(tmp_path: Path) -> None:
    store = pack(tmp_path / "s", table_of(10), read, 100, {"source": "mine", "options": {"x": 1}}, workers=1)
    meta = json.loads((store.path / "meta.json").read_text())
    assert (meta["source"], meta["options"], meta["records"], meta["rejected"]) == ("mine", {"x": 1}, 8, 2)


# Damage ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The folder of a sound store of 24 recordings, two of which are the same."""
    return pack(tmp_path / "s", table_of(30), read, 100, {"source": "mine"}, workers=1).path


def use(path: Path) -> None:
    """Opens a store and reads all that there is in it."""
    store = Store(path)
    assert store.fingerprints.shape == (len(store), SIZE)
    assert store.copy_pairs.shape[1] == 2
    assert len(store.rejected) == store.meta["rejected"]
    for row in range(len(store)):
        store.read(np.array([row]), np.array([0]), 400)


def change(file: Path, how: Callable[[bytearray], bytes | bytearray]) -> None:
    file.write_bytes(how(bytearray(file.read_bytes())))


def _flip(content: bytearray) -> bytearray:
    content[len(content) // 2] ^= 1
    return content


SIZES: Mapping[str, Callable[[bytearray], bytes | bytearray]] = {
    "half": lambda content: content[: len(content) // 2],
    "nothing": lambda content: b"",
    "longer": lambda content: content + bytes(24),
}
BITS: Mapping[str, Callable[[bytearray], bytes | bytearray]] = {
    "zeros": lambda content: bytes(len(content)),
    "one bit": _flip,
}
NAMES = ("signals.bin", "index.parquet", "fingerprints.npy", "copies.npy", "rejected.csv")


@pytest.mark.parametrize("damage", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_size_is_found_when_the_store_is_opened(path: Path, name: str, damage: str) -> None:
    size = (path / name).stat().st_size
    change(path / name, SIZES[damage])
    now = (path / name).stat().st_size
    with pytest.raises(UserError) as error:
        Store(path)
    assert str(error.value) == (
        f"The store {path} is damaged: {name} has {now:,} bytes, and {size:,} were packed. Remove that folder and run the "
        "command again: the source is packed again."
    )
    with pytest.raises(UserError, match="is damaged"):  # nor does packing take it for whole
        pack(path, table_of(30), read, 100, {"source": "mine"}, workers=1)


@pytest.mark.parametrize("damage", BITS)
@pytest.mark.parametrize("name", NAMES)
def test_other_bytes_are_found_when_they_are_read_or_verified(path: Path, name: str, damage: str) -> None:
    Store(path).verify()
    change(path / name, BITS[damage])
    if name != "signals.bin":
        with pytest.raises(UserError, match=f"{path} is damaged: {name} has changed since packing. Remove that folder"):
            use(path)
    if name != "index.parquet":
        with pytest.raises(UserError, match=f"{path} is damaged: {name} has changed since packing. Remove that folder"):
            Store(path).verify()


@pytest.mark.parametrize("damage", [*SIZES.values(), *BITS.values()])
def test_a_changed_meta_is_found(path: Path, damage: Callable[[bytearray], bytes | bytearray]) -> None:
    change(path / "meta.json", damage)
    with pytest.raises(UserError, match=r"meta\.json cannot be understood .* Remove that folder"):
        Store(path)


@pytest.mark.parametrize("name", [*NAMES, "meta.json"])
def test_a_file_that_is_gone_is_named(path: Path, name: str) -> None:
    (path / name).unlink()
    with pytest.raises(UserError, match=f"{name}.* remove|{name} is missing. Remove"):
        Store(path)


def test_a_changed_number_in_meta_is_found(path: Path) -> None:
    change(path / "meta.json", lambda content: content.replace(b'"rejected": 6', b'"rejected": 5'))
    with pytest.raises(UserError, match="it is not as it was written"):
        Store(path)


def test_another_layout_is_said(path: Path) -> None:
    change(path / "meta.json", lambda content: content.replace(b'"format": %d' % FORMAT, b'"format": 4'))
    with pytest.raises(UserError, match=f"has layout 4, and this version reads layout {FORMAT}. Pack the source again"):
        Store(path)


def test_signals_that_are_cut_off_while_they_are_read_are_an_error_and_no_crash(path: Path) -> None:
    store = Store(path)
    os.truncate(path / "signals.bin", 100 * 24)
    assert store.read(np.array([0]), np.array([0]), 100)[1].tolist() == [100]
    with pytest.raises(UserError, match=r"is damaged: signals\.bin was cut off while it was open\. Remove"):
        store.read(np.array([0]), np.array([1]), 100)


def test_a_complete_store_is_opened_where_nothing_can_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path.parent / "s.lock").unlink(missing_ok=True)
    before = sorted(file.name for file in path.parent.iterdir())
    monkeypatch.setattr(Path, "mkdir", pytest.fail)  # the tests may run as root, whom no permission stops
    monkeypatch.setattr("ecg_lightning.store.pack.FileLock", pytest.fail)
    check(pack(path, table_of(30), read, 100, {}), 30)
    assert sorted(file.name for file in path.parent.iterdir()) == before


def test_a_mix_verifies_every_store(path: Path, tmp_path: Path) -> None:
    other_store = pack(tmp_path / "t", table_of(20), read, 100, {"source": "other"}, workers=1)
    mix = JoinedStore({"mine": Store(path), "other": other_store})
    mix.verify()
    change(other_store.path / "signals.bin", _flip)
    with pytest.raises(UserError, match=f"{other_store.path} is damaged"):
        mix.verify()


# A store from somebody else, whose hashes are right -----------------------------------------------------------------------


def forge(path: Path, name: str, content: bytes, **facts: object) -> None:
    """Writes a file into a store, and what its meta says of it."""
    (path / name).write_bytes(content)
    meta = json.loads((path / "meta.json").read_text())
    meta.pop("seal")
    meta["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    (path / "meta.json").write_text(json.dumps(seal(meta | facts)))


def npy(array: object) -> bytes:
    content = BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


class Evil:
    """An object whose unpickling writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("name", ["fingerprints.npy", "copies.npy"])
def test_no_file_of_a_store_can_run_code(path: Path, tmp_path: Path, name: str) -> None:
    mark = tmp_path / "mark"
    for content in (npy(np.array([[Evil(mark)]], object)), pickle.dumps(Evil(mark))):
        forge(path, name, content)
        with pytest.raises(UserError, match=f"is damaged: {name} cannot be understood"):
            use(path)
        Store(path).verify()
    assert not mark.exists()


def _index(path: Path, **columns: object) -> bytes:
    content = BytesIO()
    pd.read_parquet(path / "index.parquet").assign(**columns).to_parquet(content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("columns", "flaw"),
    [
        ({"offset": -1}, "names samples that signals.bin does not have"),
        ({"length": 10**9}, "names samples that signals.bin does not have"),
        ({"length": 2**63 - 1}, "names samples that signals.bin does not have"),
        ({"offset": "0; rm"}, "index.parquet cannot be understood"),
    ],
)
def test_an_index_that_names_other_samples_than_there_are_is_refused(
    path: Path, columns: dict[str, object], flaw: str
) -> None:
    forge(path, "index.parquet", _index(path, **columns))
    with pytest.raises(UserError, match=flaw):
        Store(path)


@pytest.mark.parametrize(
    ("name", "content", "flaw"),
    [
        (
            "fingerprints.npy",
            npy(np.zeros((5, SIZE), np.int8)),
            "fingerprints.npy has 5 rows, and 24 recordings were packed",
        ),
        ("fingerprints.npy", npy(np.zeros((24, SIZE))), "fingerprints.npy holds an array of another kind"),
        ("fingerprints.npy", npy(np.zeros(24 * SIZE, np.int8)), "fingerprints.npy holds an array of another kind"),
        ("copies.npy", npy(np.array([[0, 24]])), "copies.npy names rows that the index does not have"),
        ("copies.npy", npy(np.zeros((1, 3), np.int64)), "copies.npy holds an array of another kind"),
        ("index.parquet", b"PAR1 and no more", "index.parquet cannot be understood"),
        ("rejected.csv", b"\xff\xfe", "rejected.csv cannot be understood"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(path: Path, name: str, content: bytes, flaw: str) -> None:
    forge(path, name, content)
    with pytest.raises(UserError, match=flaw):
        use(path)


@pytest.mark.parametrize("facts", [{"files": {}}, {"files": None}, {"sampling_rate": "x"}, {"records": None}])
def test_a_meta_without_what_it_must_say_is_refused(path: Path, facts: dict[str, object]) -> None:
    forge(path, "rejected.csv", (path / "rejected.csv").read_bytes(), **facts)
    with pytest.raises(UserError, match=r"meta\.json cannot be understood"):
        Store(path)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, "null", "\udcff"])
def test_a_meta_that_is_no_object_is_refused(path: Path, text: str) -> None:
    (path / "meta.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r"meta\.json cannot be understood"):
        Store(path)
