from pathlib import Path

import numpy as np
import wfdb

import fake
from ecg_lightning.records import read_record, read_wfdb


def test_headers_of_2020_agree_with_those_of_2021(shared_data: Path) -> None:
    """E00018 says 4880 steps a millivolt in 2020 and 1000 in 2021; the samples are the same."""
    flagged = {}
    for header in sorted((shared_data / "georgia_2020_headers").glob("*.hea")):
        record = read_record(header)
        newer = read_record(shared_data / "georgia" / header.name)
        np.testing.assert_array_equal(record.signal, newer.signal)
        assert (record.record_id, record.codes) == (newer.record_id, newer.codes)
        flagged[record.record_id] = set(record.quality) - set(newer.quality)
    assert flagged.pop("E00018") == {"header_repaired", "gain_repaired"}
    assert len(flagged) == 5 and all(flags == {"header_repaired"} for flags in flagged.values())


def test_no_other_real_gain_is_touched(archive_headers: list[Path]) -> None:
    headers = [path for path in archive_headers if not {"ludb", "georgia_2020_headers"} & {*path.parts}]
    assert len(headers) > 3000
    assert not [header for header in headers if "gain_repaired" in read_wfdb(header).quality]


def test_ludb_obeys_einthoven_once_its_gains_are_mended(shared_data: Path) -> None:
    for header in sorted((shared_data / "ludb" / "data").glob("*.hea"))[::10]:
        reference = wfdb.rdrecord(str(header.with_suffix(""))).p_signal.T
        np.testing.assert_allclose(np.ptp(reference, axis=1), 1, atol=1e-9)  # every lead of every recording: the defect
        record = read_record(header)
        assert "gain_repaired" in record.quality
        lead_i, lead_ii, lead_iii, avr = record.signal[:4]
        np.testing.assert_allclose(lead_i + lead_iii, lead_ii, atol=1.1e-3)
        np.testing.assert_allclose(avr, -(lead_i + lead_ii) / 2, atol=1.1e-3)


def test_fake_archives_with_wrong_gains_read_back_in_true_millivolts(tmp_path: Path) -> None:
    for item in (*fake.cinc(tmp_path / "2020", 6, year=2020), *fake.ludb(tmp_path / "ludb", 3)):
        np.testing.assert_allclose(read_record(item.path).signal, item.signal, atol=1e-6)


def test_true_gains_of_the_same_size_stay(tmp_path: Path) -> None:
    wave = fake.ecg(5000, 500, seed=3)
    for gain, name in ((4880.0, "fine"), (200.0, "coarse")):
        stored = fake.write_wfdb(tmp_path / f"{name}.dat", wave, 500, gain=gain)
        record = read_record(tmp_path / name)
        np.testing.assert_allclose(record.signal, stored, atol=1e-6)
        assert record.quality == ()


def test_gains_with_which_no_ecg_fits_into_sixteen_bits_are_microvolts(tmp_path: Path) -> None:
    """PTB's first recording begins at -0.245 mV, stored as -245; its header of 2020 says 2000000 steps a millivolt."""
    for gain in ("2000000/mV", "240000/mV"):
        stored = fake.write_wfdb(tmp_path / "S0001.mat", fake.ecg(5000, 1000, seed=4), 1000, gain_fields=[gain] * 12)
        record = read_record(tmp_path / "S0001.mat")
        np.testing.assert_allclose(record.signal, stored, atol=1e-6)
        assert record.quality == ("gain_repaired",)
