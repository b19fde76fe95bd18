"""Every source, on a small archive in its original layout: index, signals, labels, splits, store, one step, one mistake."""

import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

import small
from datamodules.sources import SOURCES, Source
from ecg_lightning import datamodules
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.base import ECGDataModule, NothingReadable
from ecg_lightning.errors import UserError
from fake import Archive

NO_ARCHIVE = {"MixedDataModule", "SimulatedDataModule"}
"""Datamodules without files of their own; they have tests of their own."""
TERMS = ["AFIB", "1AVB", "STACH", "SBRAD", "IRBBB", "CRBBB|RBBB"]


def make(name: str, root: Path, store_dir: Path, **options: object) -> ECGDataModule:
    arguments = {"name": name, "root": str(root), "store_dir": str(store_dir), "pack_workers": 1, "label_space": TERMS}
    data = build("data", arguments | dict(SOURCES[name].arguments) | options)
    assert isinstance(data, ECGDataModule)
    return data


@dataclass
class Case:
    name: str
    source: Source
    archive: Archive
    data: ECGDataModule
    store_dir: Path


@pytest.fixture(scope="module", params=sorted({*datamodules.__all__} - NO_ARCHIVE))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp(request.param)
    source = SOURCES[request.param]
    archive = source.write(folder / "archive")
    yield Case(request.param, source, archive, make(request.param, archive.root, folder / "stores"), folder / "stores")
    shutil.rmtree(folder)


def test_the_index_says_who_was_recorded(case: Case) -> None:
    index = case.data.store.index.set_index("record_id")
    assert case.data.store.rejected.empty
    assert sorted(index.index) == sorted(map(case.source.record_id, case.archive))
    for item in case.archive:
        row = index.loc[case.source.record_id(item)]
        assert row["patient_id"] == case.source.patient_id(item)
        np.testing.assert_equal(row["age"], item.age)
        assert row["sex"] == item.sex
        assert row["codes"] == "|".join(case.source.codes(item))
        assert row["original_rate"] == item.sampling_rate
        assert (row["fold"] == item.fold) or not item.fold


def test_signals_are_what_was_recorded_to_a_microvolt(case: Case) -> None:
    store = case.data.store
    rows = {name: row for row, name in enumerate(store.index["record_id"])}
    assert store.sampling_rate == 100
    for item in case.archive:
        signal = item.signal
        if item.sampling_rate != 100:
            signal = resample_poly(signal, 100, int(item.sampling_rate), axis=1, padtype="line")
        row = np.array([rows[case.source.record_id(item)]])
        (packed,), (valid,) = store.read(row, np.array([0]), signal.shape[1])
        assert valid == signal.shape[1] == store.lengths[row[0]]
        np.testing.assert_allclose(packed.T, 1000 * signal, rtol=0, atol=0.51)


def test_labels_are_those_of_the_recording_or_not_annotated(case: Case) -> None:
    data = case.data
    rows = {name: row for row, name in enumerate(data.store.index["record_id"])}
    annotators = data.annotators(data.store.index)
    for item in case.archive:
        row = rows[case.source.record_id(item)]
        annotated = data.annotated(str(annotators[row]))
        for column, name in enumerate(TERMS):
            members = name.split("|")
            expected = 0.0 if annotated & {*members} else np.nan
            sayable = expected == 0 or item.kind.snomed in item.codes  # a challenge header may say what no other says
            if sayable and members[0] in item.kind.scp:
                expected = 1.0
            np.testing.assert_equal(data.targets[row, column], np.float32(expected), f"{item.record_id} {name}")


def test_no_patient_is_on_two_sides(case: Case) -> None:
    data, index = case.data, case.data.store.index
    sides = [data.rows(split) for split in ("train", "val", "test")]
    assert sorted(np.concatenate(sides)) == sorted(np.flatnonzero(data.usable))
    patients = index["patient_id"].where(index["patient_id"] != "", index["record_id"])
    assert sum(patients.iloc[rows].nunique() for rows in sides) == patients[data.usable].nunique()
    if not case.source.trains:
        assert not len(sides[0]) and not len(sides[1])


def test_a_packed_store_is_opened_and_not_read_again(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    store = case.data.store
    monkeypatch.setattr(type(case.data), "reader", lambda self: pytest.fail)
    reopened = make(case.name, case.archive.root, case.store_dir).store
    assert (reopened.path, reopened.sha256, len(reopened.rejected)) == (store.path, store.sha256, 0)
    copy = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(copy.signals, store.signals)
    np.testing.assert_array_equal(copy.fingerprints, store.fingerprints)
    assert copy.fingerprints.any(axis=1).all()


def test_a_network_takes_a_step(case: Case, tmp_path: Path) -> None:
    words = [
        f"data.name={case.name}", f"data.root={case.archive.root}", f"data.store_dir={case.store_dir}",
        f"data.label_space=[{','.join(TERMS)}]", "data.pack_workers=1", "data.seconds=2", "data.val_folds=[1,2,3,9]",
        *(f"data.{key}={value}" for key, value in case.source.arguments.items()),
        *small.TINY, "trainer.max_epochs=1", "trainer.limit_train_batches=1", f"run_dir={tmp_path}/run",
    ]  # fmt: skip
    if not case.source.trains:
        with pytest.raises(UserError, match="test recordings only"):
            small.run("fit", words)
        return
    assert small.run("fit", words) == 0
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()


def test_what_is_missing_is_named(case: Case, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder '.*nowhere'"):
        _ = make(case.name, tmp_path / "nowhere", tmp_path).store
    with pytest.raises(UserError, match=r"data\.root"):
        _ = make(case.name, tmp_path, tmp_path).store
    if case.source.table:
        root = shutil.copytree(case.archive.root, tmp_path / "copy")
        (root / case.source.table).rename(root / "elsewhere")
        with pytest.raises(UserError, match=case.source.table):
            _ = make(case.name, root, tmp_path).store


def copy_without(case: Case, folder: Path, *suffixes: str) -> Path:
    """A copy of the archive without the files of some suffixes."""
    return Path(
        shutil.copytree(
            case.archive.root, folder, ignore=shutil.ignore_patterns(*(f"*{suffix}" for suffix in suffixes))
        )
    )


def test_without_signal_files_a_sentence_says_so(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copy_without(case, tmp_path / "copy", ".dat", ".mat", ".h5", ".hdf5", ".npy")
    with pytest.raises(UserError, match=r"(data\.root|data\.root '.*copy').*") as raised:
        _ = make(case.name, root, tmp_path).rows("train")
    if isinstance(raised.value, NothingReadable):
        assert "none of its" in str(raised.value) and "no such file (" in str(raised.value)
        words = [f"data.name={case.name}", f"data.root={root}", f"data.store_dir={tmp_path}", "data.pack_workers=1"]
        words += [f"data.{key}={value}" for key, value in case.source.arguments.items()]
        assert small.run("prepare", words) == 1
        assert "none of its" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["empty", "header alone", "no columns", "latin-1", "binary", "a folder"])
def test_a_table_that_is_no_table_is_a_sentence(case: Case, tmp_path: Path, damage: str) -> None:
    if not case.source.table.endswith(".csv"):
        pytest.skip("this archive has no table, or a folder of them")
    root = copy_without(case, tmp_path / "copy", ".dat", ".mat", ".h5", ".hdf5", ".npy")
    path = root / case.source.table
    first = path.read_bytes().partition(b"\n")[0]
    content = {
        "empty": b"", "header alone": first + b"\n", "no columns": b"a,b\n1,2\n", "latin-1": first + "\nGröße".encode("cp1252"),
        "binary": bytes(range(256)), "a folder": b"",
    }[damage]  # fmt: skip
    path.unlink()
    path.mkdir() if damage == "a folder" else path.write_bytes(content)
    with pytest.raises(UserError, match=r"data\.root|UTF-8|has no column|has no rows|cannot be read|no file"):
        _ = make(case.name, root, tmp_path).rows("train")
