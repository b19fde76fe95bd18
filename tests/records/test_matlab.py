"""MATLAB files of version 5 against scipy."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

import fake
from ecg_lightning.records import LEADS, read_record
from ecg_lightning.records.matlab import is_matlab5, read_matlab5

WAVE = fake.ecg(1000, 250, seed=4)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_numbers_equal_scipys(tmp_path: Path, kind: str, compressed: bool) -> None:
    arrays = {
        "x": np.arange(24).reshape(2, 3, 4).astype(kind),
        "y": np.ones((1, 1), kind),
        "z": np.zeros((0, 3), kind),
    }
    savemat(tmp_path / "a.mat", arrays, do_compression=compressed)
    assert is_matlab5(tmp_path / "a.mat")
    content, reference = read_matlab5(tmp_path / "a.mat"), loadmat(tmp_path / "a.mat")
    for name, array in arrays.items():
        np.testing.assert_array_equal(content[name], reference[name])
        assert content[name].dtype == array.dtype and content[name].shape == array.shape


def test_texts_cells_and_structs(tmp_path: Path) -> None:
    cells = np.array([*LEADS], object)
    rows = np.array(LEADS)
    savemat(tmp_path / "a.mat", {"t": "Größe µV", "c": cells, "r": rows, "s": {"sex": "Male", "age": 7}, "i": 1 + 2j})
    content = read_matlab5(tmp_path / "a.mat")
    assert content["t"].tolist() == ["Größe µV"] and "i" not in content
    assert content["c"].tolist() == content["r"].tolist() == list(LEADS)
    assert content["s"]["sex"].tolist() == ["Male"] and content["s"]["age"].item() == 7


@pytest.mark.parametrize("names", [np.array([*LEADS[::-1]], object), np.array(LEADS[::-1])])
def test_names_of_leads_in_cells_or_rows(tmp_path: Path, names: np.ndarray) -> None:
    savemat(tmp_path / "a.mat", {"x": 1000 * WAVE[::-1], "leads": names, "unit": "uV", "fs": 250})
    np.testing.assert_allclose(read_record(tmp_path / "a.mat").signal, WAVE, atol=1e-6)


def test_version_4(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"x": WAVE, "fs": 250.0}, format="4")
    assert not is_matlab5(tmp_path / "a.mat")
    np.testing.assert_allclose(read_record(tmp_path / "a.mat").signal, WAVE, atol=1e-6)


def test_real_files_equal_scipys(shared_data: Path) -> None:
    files = [*(shared_data / "code15").glob("*.mat"), *(shared_data / "cpsc2018_struct").glob("*.mat")]
    assert len(files) == 16
    for file in files:
        content, reference = read_matlab5(file), loadmat(file)
        for name, value in content.items():
            if isinstance(value, dict):
                for field, array in value.items():
                    np.testing.assert_array_equal(np.squeeze(array), np.squeeze(reference[name][0, 0][field]))
            elif value.dtype.kind != "U":
                np.testing.assert_array_equal(value, reference[name])
