from pathlib import Path

import h5py
import numpy as np

import fake
from ecg_lightning.records import read_record, trim_padding


def test_wfdb_archives_read_back_as_written(tmp_path: Path) -> None:
    for writer in (fake.ptbxl, fake.cinc, fake.ludb, fake.mimic_iv_ecg):
        archive = writer(tmp_path / writer.__name__, 6)
        assert len(archive) == 6
        for item in archive:
            record = read_record(item.path)
            np.testing.assert_allclose(record.signal, item.signal, atol=1e-6)
            assert record.sampling_rate == item.sampling_rate
            assert record.quality == (("gain_repaired",) if writer is fake.ludb else ())


def test_cinc_headers_say_age_sex_and_codes(tmp_path: Path) -> None:
    for item in fake.cinc(tmp_path, 8):
        record = read_record(item.path)
        assert (record.record_id, record.age, record.sex, record.codes) == (
            item.record_id,
            item.age,
            item.sex,
            item.codes,
        )


def test_single_recordings_in_arrays_read_back_as_written(tmp_path: Path) -> None:
    for item in (*fake.cpsc2018_struct(tmp_path / "cpsc", 3), *fake.sph(tmp_path / "sph", 3)):
        record = read_record(item.path, sampling_rate=500)
        np.testing.assert_array_equal(record.signal, item.signal)
    for suffix in (".npy", ".npz", ".h5", ".csv"):
        for item in fake.folder(tmp_path / suffix, 2, suffix):
            record = read_record(item.path, sampling_rate=1000, unit="uV")
            np.testing.assert_allclose(record.signal, item.signal, atol=1e-6)
            assert record.record_id == item.record_id


def test_tracings_of_code_hold_the_signals_between_zeros(tmp_path: Path) -> None:
    parts, test = fake.code15(tmp_path / "code15", 6), fake.code_test(tmp_path / "test", 4)
    for item in (*parts, *test):
        with h5py.File(item.path) as file:
            row = file["exam_id"][:].tolist().index(int(item.record_id)) if item in parts.items else int(item.record_id)
            assert file["tracings"].shape[1:] == (4096, 12)
            np.testing.assert_array_equal(trim_padding(file["tracings"][row].T, 400)[0], item.signal)
