from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fake
from ecg_lightning.records import LEADS, Record, RecordError, read_record, repair, standard_leads, trim_padding

WAVE = fake.ecg(2000, 200, seed=5).astype(np.float32)


def _repaired(signal: np.ndarray, rate: float = 200) -> Record:
    """Repair, and show that repairing again changes nothing."""
    record = repair(Record(signal.astype(np.float32), rate))
    again = repair(record)
    assert again.quality == record.quality
    np.testing.assert_array_equal(again.signal, record.signal)
    return record


def test_sound_recordings_are_the_same_object() -> None:
    record = Record(WAVE, 200, quality=("gain_repaired",))
    assert repair(record).signal is WAVE
    assert repair(record).quality == ("gain_repaired",)


def test_short_gaps_are_interpolated() -> None:
    broken = WAVE.copy()
    broken[3, 100:103] = np.nan
    broken[7, 0] = np.inf
    record = _repaired(broken)
    assert record.quality == ("nan_filled:aVR", "nan_filled:V2")
    np.testing.assert_allclose(record.signal[3, 101], (WAVE[3, 99] + WAVE[3, 103]) / 2, atol=1e-6)
    assert record.signal[7, 0] == WAVE[7, 1]
    assert np.isnan(broken[3, 100])  # the caller's array is left alone


@pytest.mark.parametrize("mark", [1e20, -1e30, 9.96921e36])
def test_marks_of_missing_samples_are_no_samples(mark: float) -> None:
    broken = WAVE.copy()
    broken[3, 100] = mark
    record = _repaired(broken)
    assert record.quality == ("nan_filled:aVR",)
    np.testing.assert_allclose(record.signal[3, 100], (WAVE[3, 99] + WAVE[3, 101]) / 2, atol=1e-6)


def test_leads_without_numbers_are_derived_or_zero() -> None:
    broken = WAVE.copy()
    broken[[1, 4, 8]] = np.nan
    record = _repaired(broken)
    assert record.quality == ("limb_leads_derived", "missing:V3")
    np.testing.assert_allclose(record.signal[:8], WAVE[:8], atol=1e-6)
    assert not record.signal[8].any()


def test_a_lead_that_is_mostly_missing_is_absent() -> None:
    broken = WAVE.copy()
    broken[6, :1100] = np.nan  # 55 %
    broken[2, 150:1350] = np.nan
    broken[11, 500:1300] = np.nan  # 40 %: kept, and named
    record = _repaired(broken)
    assert record.quality == ("nan_filled:V6", "limb_leads_derived", "missing:V1")
    assert not record.signal[6].any()
    np.testing.assert_allclose(record.signal[2], WAVE[2], atol=1e-6)
    broken[[0, 1], 300:1500] = np.nan
    with pytest.raises(RecordError, match="missing limb leads"):
        repair(Record(broken, 200))


def test_the_rules_hold_for_the_leads_that_are_there() -> None:
    """The unit of a single lead is repaired; a lead that is mostly missing is not derived from leads that are not there."""
    lone, flags = standard_leads(1000 * WAVE[:1], ["I"], incomplete=True)
    record = repair(Record(lone, 200, quality=flags), incomplete=True)
    np.testing.assert_allclose(record.signal[0], WAVE[0], atol=1e-6)
    assert record.quality == (*(f"missing:{lead}" for lead in LEADS[1:]), "unit_repaired")

    pair = WAVE[[0, 6]].copy()
    pair[1, ::2], pair[1, 1:1001:2] = np.nan, np.nan
    standard, flags = standard_leads(pair, ["I", "V1"], incomplete=True)
    record = repair(Record(standard, 200, quality=flags), incomplete=True)
    assert {*record.quality} == {f"missing:{lead}" for lead in LEADS[1:]}
    assert not record.signal[1:].any()


def test_padding_is_cut_from_a_tenth_of_a_second_on() -> None:
    padded = np.pad(WAVE, ((0, 0), (30, 50)))
    record = _repaired(padded)
    np.testing.assert_array_equal(record.signal, WAVE)
    assert record.quality == ("padding_removed",)
    few = np.pad(WAVE, ((0, 0), (9, 10)))
    assert trim_padding(few, 200)[0].shape == (12, 2019)
    missing = np.concatenate([WAVE, np.full((12, 60), np.nan, np.float32)], axis=1)
    np.testing.assert_array_equal(_repaired(missing).signal, WAVE)


def test_microvolts_taken_as_millivolts() -> None:
    record = _repaired(1000 * WAVE)
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)
    assert record.quality == ("unit_repaired",)


def test_a_spike_does_not_decide_on_the_unit() -> None:
    spike = WAVE.copy()
    spike[:, 700] += 300
    assert "unit_repaired" not in _repaired(spike).quality


def test_flat_and_saturated_leads_are_flagged() -> None:
    broken = WAVE.copy()
    broken[6] = 0.2
    broken[10] = np.clip(30 * WAVE[10], -3, 3)
    broken[9] = 40
    broken[9, 5] = 0
    assert _repaired(broken).quality == ("flat:V1", "saturated:V4", "saturated:V5")


@pytest.mark.parametrize("rate", [200, 500])
def test_qrs_complexes_cut_at_one_height_are_saturated(rate: int) -> None:
    wave = fake.ecg(10 * rate, rate, seed=5).astype(np.float32)
    assert _repaired(wave, rate).quality == ()
    for limit in (0.4, 0.6, 0.8):
        broken = np.clip(wave, -limit, limit)
        beyond = (np.abs(wave) > limit).sum(axis=1) / rate  # s in all, of some twelve beats
        flags = {flag for flag in _repaired(broken, rate).quality if flag.startswith("saturated")}
        assert {f"saturated:{LEADS[i]}" for i in np.flatnonzero(beyond > 12 * 0.02)} <= flags
        assert flags <= {f"saturated:{LEADS[i]}" for i in np.flatnonzero(beyond)}
        assert flags
    once = wave.copy()
    once[1, 100 : 100 + rate // 50] = 1.9  # one plateau proves nothing below 2 mV
    assert _repaired(once, rate).quality == ("suspect:limb_leads_disagree",)


def test_exchanged_arms_are_reported_and_not_changed() -> None:
    swapped = WAVE[[0, 2, 1, 4, 3, 5, *range(6, 12)]] * np.array([-1.0] + [1.0] * 11, np.float32)[:, None]
    record = _repaired(swapped)
    assert record.quality == ("suspect:limb_leads_swapped",)
    np.testing.assert_array_equal(record.signal, swapped)


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (WAVE[:, :0], "empty signal"),
        (WAVE[:, :199], "too short"),
        (np.where(np.arange(2000) % 8, WAVE, np.nan), "too many missing samples"),
        (np.full_like(WAVE, np.nan), "flat signal"),
        (np.zeros_like(WAVE), "flat signal"),
        (0.004 * np.sin(WAVE), "flat signal"),
        (1e6 * WAVE, "implausible amplitude"),
        (np.where(np.arange(12)[:, None] < 2, np.nan, WAVE), "missing limb leads"),
    ],
)
def test_refusals(signal: np.ndarray, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        repair(Record(signal.astype(np.float32), 200))
    assert caught.value.reason == reason


def test_no_sampling_rate() -> None:
    with pytest.raises(RecordError, match="bad sampling rate"):
        repair(Record(WAVE, float("nan")))


def test_what_is_flagged_among_real_recordings(archive_headers: list[Path]) -> None:
    """Counts of the shared data; README.md there names the flat Chapman recordings."""
    flags: Counter[str] = Counter()
    flat = set()
    for header in archive_headers:
        record = read_record(header)
        flags.update({flag.split(":")[0] for flag in record.quality})
        if any(flag.startswith("flat") for flag in record.quality):
            flat.add(record.record_id)
    assert flat <= {"JS11438", "JS20004", "JS20008", "JS45542", "JS45544", "JS45551"} and len(flat) >= 5
    assert flags["gain_repaired"] == 151 and flags["header_repaired"] == 6
    assert flags["suspect"] <= 10
    assert flags["saturated"] == 3  # 109 of LUDB, 00004 of PTB-XL at 500 Hz, 1111554 of CODE-15%, all beyond 2 mV
    assert not set(flags) - {"flat", "gain_repaired", "header_repaired", "suspect", "saturated"}
    assert len(archive_headers) > 3000


def test_exchanged_arms_are_found_in_normal_real_recordings(shared_data: Path) -> None:
    """Fires for none as recorded, and for nine of ten after exchange."""
    normal = [
        line.split(",", 1)[0]
        for line in (shared_data / "ptbxl" / "ptbxl_database.csv").read_text(encoding="utf-8").splitlines()
        if "'NORM': 100.0" in line
    ][:300]
    arm_count = leg_count = 0
    for number in normal:
        record = read_record(shared_data / f"ptbxl/records100/{int(number) // 1000:02d}000/{int(number):05d}_lr")
        assert "suspect:limb_leads_swapped" not in record.quality
        exchanged = record.signal.copy()
        exchanged[0] *= -1
        arm_count += "suspect:limb_leads_swapped" in repair(replace(record, signal=exchanged)).quality
        leg = record.signal.copy()  # right arm and left leg: II upside down, I and III exchanged and so, aVR and aVF
        leg[:6] = leg[[2, 1, 0, 5, 4, 3]] * np.array([[-1], [-1], [-1], [1], [1], [1]], np.float32)
        leg_count += "suspect:limb_leads_swapped" in repair(replace(record, signal=leg)).quality
    assert len(normal) == 300 and arm_count > 0.9 * len(normal) and leg_count > 0.8 * len(normal)
