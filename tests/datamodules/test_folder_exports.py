"""A folder as a hospital exports it, without a table: each recording is a row, and its file says the rest."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fake
from datamodules.hospital import hospital
from ecg_lightning import errors
from ecg_lightning.commands.prepare import prepare, uncovered_codes
from ecg_lightning.datamodules.folder import FolderDataModule
from ecg_lightning.datamodules.folder.exports import salt_of
from ecg_lightning.errors import UserError

WAVES = [fake.ecg(2000, 500, seed=seed) for seed in range(6)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A mixed export: two of one patient, a sub-folder, WFDB, a PDF, a file of the wrong kind."""
    folder = tmp_path / "export"
    (folder / "ward").mkdir(parents=True)
    fake.cardiosoft(folder / "a.xml", WAVES[0], 500)
    fake.cardiosoft(folder / "b.xml", WAVES[1], 500, statements=["Sinus bradycardia", "Confirmed by SECRET, JANE"])
    fake.muse(folder / "ward" / "IM0001", WAVES[2], 500)
    fake.edf(folder / "ward" / "c.edf", WAVES[3], 500)
    fake.write_wfdb(folder / "ward" / "d.dat", WAVES[4], 500)
    (folder / "report.pdf").write_bytes(b"%PDF-1.7")
    (folder / "other.scp").write_bytes(b"another device's format")
    return folder


def exported(root: Path, **options: object) -> FolderDataModule:
    store = str(root.parent / "store")
    return hospital(
        root, table_file=None, store_dir=store, **{"codes": {}, "label_space": ["SR", "AFIB", "SBRAD"]} | options
    )


def test_each_recording_is_a_row_that_its_file_describes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = exported(root)
    index = data.store.index.set_index("record_id")
    assert [*index.index] == ["a.xml", "b.xml", "ward/IM0001", "ward/c.edf", "ward/d.hea"]
    assert [*data.store.rejected["record_id"]] == ["other.scp"]
    assert "1 × a PDF document (.pdf)" in capsys.readouterr().err
    assert index.loc["a.xml", ["age", "sex", "date"]].tolist() == [63, "F", "2021-02-03 08:05:00"]
    assert index.loc["b.xml", "codes"] == "Sinus bradycardia"
    np.testing.assert_array_equal(
        data.targets[:3], [[1, np.nan if np.isnan(data.targets[0, 1]) else 0, 0], [0, 0, 1], [0, 1, 0]]
    )
    assert np.isnan(data.targets[3:]).all()  # no statement: not annotated
    microvolts, _ = data.store.read(np.array([0]), np.zeros(1, np.int64), 2000)
    np.testing.assert_allclose(microvolts[0].T / 1000, WAVES[0], atol=0.004)


def test_patients_are_known_by_a_hash_and_no_id_or_name_is_in_the_store(root: Path) -> None:
    data = exported(root)
    ids = data.store.index["patient_id"].tolist()
    assert ids[0] == ids[1] != ids[2] and all(len(name) == 16 for name in ids[:3]) and ids[3:] == ["", ""]
    fold = data.folds
    assert fold[0] == fold[1]
    for file in data.store.path.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert not any(word in content for word in (b"P-1", b"M-7", b"Secret", b"SECRET"))
    again = exported(root, sampling_rate=250)
    assert again.store.index["patient_id"].tolist() == ids  # one salt for all stores of a machine
    shutil.move(root, root.parent / "elsewhere")
    other = hospital(root.parent / "elsewhere", table_file=None, codes={}, store_dir=str(root.parent / "other_store"))
    assert set(other.store.index["patient_id"]) & set(ids) == {""}


def test_the_salt_is_drawn_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    salt = salt_of(tmp_path / "store")
    assert len(salt) == 32 and salt_of(tmp_path / "store") == salt
    file = tmp_path / "store" / "patients.salt"
    assert file.stat().st_mode & 0o077 == 0 and [*file.parent.iterdir()] == [file]


def test_statements_that_nothing_explains_leave_a_recording_open_and_can_be_explained(root: Path) -> None:
    fake.cardiosoft(root / "a.xml", WAVES[0], 500, statements=["RITMO SINUSALE"])
    data = exported(root)
    assert np.isnan(data.targets[0]).all() and uncovered_codes(data) == {"RITMO SINUSALE": 1}
    explained = exported(root, codes={"RITMO SINUSALE": "SR"}, code_system="mimic")
    assert explained.targets[0].tolist() == [1, 0, 0] and not uncovered_codes(explained)


def test_options_that_describe_a_table_are_refused(root: Path) -> None:
    for key, value in (("columns", {"patient": "ID"}), ("label_columns", {"AF": "AFIB"}), ("metadata", ["weight"])):
        with pytest.raises(UserError, match=rf"data\.{key} describes a table, and data\.table_file is null"):
            exported(root, **{key: value})
    assert exported(root, metadata=["age", "sex"]).metadata == ["age", "sex"]


def test_a_missing_package_ends_packing_since_the_store_would_lack_the_recordings(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == "ecgdatakit" else object())
    with pytest.raises(UserError, match=r"pip install 'ecg_lightning\[hospital\]'"):
        _ = exported(root).store


def test_a_table_may_name_exported_files(root: Path) -> None:
    table = {"path": ["a.xml", "ward/IM0001"], "codes": ["AF", "SR"], "age": ["70", ""]}
    pd.DataFrame(table).to_csv(root / "records.csv", index=False)
    data = hospital(root, codes={"AF": "AFIB", "SR": "SR"}, columns={"patient": None})
    index = data.store.index
    assert index["record_id"].tolist() == ["a.xml", "ward/IM0001"]
    assert (index["age"].tolist(), index["codes"].tolist()) == ([70, 58], ["AF", "SR"])
    assert all(len(name) == 16 for name in index["patient_id"])


def test_one_command_leads_from_an_export_to_the_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--config", "data/export", f"data.root={root}", f"data.store_dir={root.parent / 'store'}"]
    assert prepare([*words, "data.label_space=[SR,AFIB]", "data.pack_workers=1"]) == 0
    printed = capsys.readouterr()
    assert "export: 5 records, 4 patients" in printed.out and "rejected: 1 unsupported format" in printed.out
    assert "│ AFIB" in printed.out and "Skipped: 1 × a PDF document (.pdf)" in printed.err
