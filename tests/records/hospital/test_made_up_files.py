"""Exports that are written here: leads, units and patients as in the files of hospitals, on any machine."""

from pathlib import Path

import numpy as np
import pytest

import fake
from ecg_lightning import errors
from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS, RecordError, read_record, read_unrepaired
from ecg_lightning.records.hospital import time_limit
from ecg_lightning.records.hospital.calibration import without_calibration
from ecg_lightning.records.hospital.scp import counted_from_one

WAVE = fake.ecg(2000, 500, seed=4)
HALF_A_STEP = 0.0026  # mV, of the 5 µV of the files


def test_cardiosoft(tmp_path: Path) -> None:
    record = read_record(fake.cardiosoft(tmp_path / "a.xml", WAVE, 500))
    np.testing.assert_allclose(record.signal, WAVE, atol=HALF_A_STEP)
    assert (record.sampling_rate, record.age, record.sex, record.patient_id) == (500, 63, "F", "P-1")
    assert (record.date, record.codes) == ("2021-02-03 08:05:00", ("Sinus rhythm",))
    assert "Secret" not in repr(record)


def test_muse_has_eight_leads_and_twelve_are_read(tmp_path: Path) -> None:
    record = read_record(fake.muse(tmp_path / "a.xml", WAVE, 500))
    np.testing.assert_allclose(record.signal, WAVE, atol=2 * HALF_A_STEP)
    assert (record.age, record.sex, record.codes) == (58, "M", ("Atrial fibrillation",))
    assert record.quality == ("limb_leads_derived",) and "Secret" not in repr(record)


def test_a_pulse_of_another_rate_beside_the_leads_of_an_edf_file_is_dropped(tmp_path: Path) -> None:
    record = read_record(fake.edf(tmp_path / "a.edf", WAVE, 500, samples_of_pulse=25))
    np.testing.assert_allclose(record.signal, WAVE, atol=0.0006)
    assert record.quality == ("extra_leads_dropped",)
    assert record.patient_id == "" and "Secret" not in repr(record)  # the field is free text with a name


@pytest.mark.parametrize("unit", ["", "mmHg", "BITS"])
def test_an_unknown_unit_is_refused_until_the_user_says_it(unit: str, tmp_path: Path) -> None:
    for file in (
        fake.edf(tmp_path / "a.edf", WAVE, 500, unit=unit),
        fake.muse(tmp_path / "b.xml", WAVE, 500, unit=unit),
        fake.cardiosoft(tmp_path / "c.xml", WAVE, 500, resolution=unit),
    ):
        with pytest.raises(RecordError, match=r"unknown unit: .* Give it by data.file_unit or --unit"):
            read_record(file)
        assert "unit_assumed:uV" in read_record(file, unit="uV").quality


def test_a_lead_that_is_there_twice(tmp_path: Path) -> None:
    names = [*LEADS, "II"]
    same = fake.edf(tmp_path / "same.edf", WAVE[[*range(12), 1]], 500, names=names)
    np.testing.assert_allclose(read_record(same).signal, WAVE, atol=0.0006)
    other = fake.edf(tmp_path / "other.edf", WAVE[[*range(12), 2]], 500, names=names)
    with pytest.raises(RecordError, match="ambiguous leads: II more than once, with different samples"):
        read_record(other)


def test_what_the_user_says_must_agree_with_the_file(tmp_path: Path) -> None:
    file = fake.muse(tmp_path / "a.xml", WAVE, 500)
    assert read_record(file, sampling_rate=500, unit="mV").sampling_rate == 500  # the file states its unit
    with pytest.raises(RecordError, match="contradictory sampling rate: 500 Hz in the file, expected 250 Hz"):
        read_record(file, sampling_rate=250)
    with pytest.raises(RecordError, match="contradictory leads"):
        read_record(file, leads=["II", "I", "V1", "V2", "V3", "V4", "V5", "V6"])


@pytest.mark.parametrize(("package", "name"), [("ecgdatakit", "muse"), ("defusedxml", "cardiosoft")])
def test_a_missing_package_is_named(package: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = getattr(fake, name)(tmp_path / "a.xml", WAVE, 500)
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(UserError, match=rf"{package}, which is not installed: pip install 'ecg_lightning\[hospital\]'"):
        read_record(file)


def test_a_calibration_pulse_is_cut_from_both_ends_and_zeros_alone_are_not() -> None:
    pulse = np.zeros((12, 150))
    pulse[:, 50:100] = 1.0
    every = np.ones(12, bool)
    signal, flags = without_calibration(np.concatenate([pulse, WAVE, pulse], axis=1), every)
    np.testing.assert_array_equal(signal, WAVE)
    assert flags == ("calibration_removed",)
    for kept in (WAVE, np.concatenate([WAVE, np.zeros((12, 150))], axis=1), pulse, WAVE[:, :0]):
        signal, flags = without_calibration(kept, every)
        assert signal is kept or np.array_equal(signal, kept)
        assert flags == ()


def test_a_reader_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgdatakit.parsing.parsers.ge_muse_xml import GEMuseXMLParser

    def turn_for_ever(self: GEMuseXMLParser, file_path: Path) -> None:
        while True:
            try:
                sum(range(100))
            except Exception:  # noqa: BLE001, S110 - a parser may catch anything
                pass

    monkeypatch.setattr(GEMuseXMLParser, "parse", turn_for_ever)
    monkeypatch.setattr(time_limit, "SECONDS", 0.1)
    with pytest.raises(RecordError, match=r"too slow: not read within 0\.1 s"):
        read_record(fake.muse(tmp_path / "a.xml", WAVE, 500))
    with time_limit.time_limit(0.1):
        sum(range(100))


def test_scp_leads_that_claim_more_samples_than_the_file_has_bits_are_refused() -> None:
    def section(number: int, body: bytes) -> bytes:
        return b"\0\0" + number.to_bytes(2, "little") + (16 + len(body)).to_bytes(4, "little") + bytes(8) + body

    def file(last: int) -> bytes:
        leads = section(3, b"\1\0" + (0).to_bytes(4, "little") + last.to_bytes(4, "little") + b"\1")
        rhythm = section(6, bytes(6) + (20).to_bytes(2, "little") + bytes(20))
        places, at = b"", 6 + 16 + 30 + 1
        for number, size in ((0, 46), (3, len(leads)), (6, len(rhythm))):
            start = 7 if number == 0 else at
            places += number.to_bytes(2, "little") + size.to_bytes(4, "little") + start.to_bytes(4, "little")
            at += size if number else 0
        body = section(0, places) + leads + rhythm
        return b"\0\0" + (6 + len(body)).to_bytes(4, "little") + body

    with pytest.raises(RecordError, match="a lead claims 4,294,967,295 samples"):
        counted_from_one(file(2**32 - 1))
    number_of_samples, last_of_ten = counted_from_one(file(10)), counted_from_one(file(9))
    assert number_of_samples is not None and last_of_ten is not None
    assert number_of_samples[70:78] == last_of_ten[70:78] == b"\1\0\0\0\x0a\0\0\0"  # 1 to 10, both


def test_patients_ids_and_dates_of_a_muse_file_without_any(tmp_path: Path) -> None:
    file = fake.muse(tmp_path / "a.xml", WAVE, 500)
    file.write_text(file.read_text().replace("M-7", "0000").replace("<PatientAge>58", "<PatientAge>300"))
    record = read_unrepaired(file)
    assert (record.patient_id, record.date) == ("", "") and np.isnan(record.age)
