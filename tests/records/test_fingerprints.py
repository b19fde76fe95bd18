from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfiltfilt

import fake
from ecg_lightning.records import fingerprint, matching_pairs, read_record
from ecg_lightning.records.fingerprints import OPENING, SIZE, unreadable, widened

# Recordings that PTB-XL, Georgia and CODE-15% themselves contain twice, under two numbers: each pair's samples are
# equal (test_twins_are_equal), except that 145 and 463 differ by their filtering.
COPIES = {
    ("00137", "00138"), ("00143", "00144"), ("00145", "00463"), ("00456", "00457"), ("00459", "00460"),
    ("E07509", "E07510"), ("1111611", "1111628"),
}  # fmt: skip


def _match(a: np.ndarray, b: np.ndarray) -> bool:
    return len(matching_pairs(a[None], b[None])) == 1


@pytest.fixture(scope="module")
def real(shared_data: Path, archive_headers: list[Path]) -> tuple[list[str], list[np.ndarray], np.ndarray]:
    """Name without its rate, signal, and fingerprint of every recording of the shared data."""
    names, signals, fingerprints = [], [], []
    paths = [*archive_headers, *shared_data.rglob("*.h5"), *(shared_data / "cpsc2018_struct").glob("*.mat")]
    for path in sorted(paths):
        record = read_record(path, sampling_rate=500 if path.suffix == ".h5" else None)
        names.append(record.record_id.removesuffix("_lr").removesuffix("_hr"))
        signals.append(record.signal)
        fingerprints.append(fingerprint(record.signal, record.sampling_rate))
    return names, signals, np.stack(fingerprints)


def test_same_recordings_are_found_and_no_others(real: tuple[list[str], list[np.ndarray], np.ndarray]) -> None:
    """300 recordings of PTB-XL at 100 and 500 Hz, six of Georgia with headers of 2020 and 2021, and the twins."""
    names, _, fingerprints = real
    pairs = {(names[i], names[j]) for i, j in matching_pairs(fingerprints).tolist()}
    twice = {name for name in names if names.count(name) == 2}
    assert len(twice) == 306 and len(names) > 3300
    assert {(name, name) for name in twice} <= pairs
    assert {tuple(sorted(pair)) for pair in pairs if pair[0] != pair[1]} == COPIES


def test_twins_are_equal(real: tuple[list[str], list[np.ndarray], np.ndarray]) -> None:
    names, signals, _ = real
    for first, second in COPIES:
        a, b = signals[names.index(first)], signals[names.index(second)]
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.999


def test_different_recordings_stay_below_the_thresholds(
    real: tuple[list[str], list[np.ndarray], np.ndarray],
) -> None:
    fingerprints = real[2]
    parts = fingerprints.reshape(len(fingerprints), -1, OPENING).transpose(1, 0, 2).astype(np.float32)
    opening, *windows = parts / np.maximum(np.linalg.norm(parts, axis=2, keepdims=True), 1)
    around = np.zeros((len(opening), len(opening)), np.float32)
    for first in windows:
        for second in windows:
            np.maximum(around, first @ second.T, out=around)
    copy_pairs = tuple(matching_pairs(fingerprints).T)
    for correlations, least in ((opening @ opening.T, 0.93), (around, 0.98)):
        above = np.triu(correlations, 1)
        above[copy_pairs] = 0
        assert above.max() < least


def _filtered(signal: np.ndarray, rate: float) -> np.ndarray:
    return sosfiltfilt(butter(2, [0.5, 40], "band", fs=rate, output="sos"), signal, axis=1)


def test_filters_moved_starts_and_overlaps_are_borne(real: tuple[list[str], list[np.ndarray], np.ndarray]) -> None:
    _, signals, fingerprints = real
    copies = {
        "filtered": (_filtered, 1.0),
        "10 ms later": (lambda signal, rate: signal[:, int(0.01 * rate) :], 1.0),
        "500 ms later": (lambda signal, rate: signal[:, int(0.5 * rate) :], 1.0),
        "both": (lambda signal, rate: _filtered(signal[:, int(0.5 * rate) :], rate), 1.0),
        "second half": (lambda signal, rate: signal[:, signal.shape[1] // 2 :], 0.85),
    }
    rows = [k for k in range(0, len(signals), 40) if signals[k].shape[1] == 1000]  # of PTB-XL, at 100 Hz
    assert len(rows) > 50
    for name, (change, least) in copies.items():
        changed = np.stack([fingerprint(change(signals[k], 100), 100) for k in rows])
        recognised = [i for i, j in matching_pairs(fingerprints[rows], changed).tolist() if i == j]
        assert len(recognised) >= least * len(rows), name


def test_windows_follow_the_beats() -> None:
    """A recording that begins later has other openings and the same windows, at any rate."""
    wave = fake.ecg(5000, 500, seed=6)
    for moved, rate in ((wave[:, 137:], 500), (resample_poly(wave[:, 137:], 1, 2, axis=1), 250)):
        a, b = fingerprint(wave, 500), fingerprint(moved, rate)
        assert _match(a, b)
        assert not _match(widened(a[None, :OPENING])[0], b)  # by the first part alone


def test_rows_that_are_no_fingerprints_are_told_from_others() -> None:
    row = fingerprint(fake.ecg(1000, 100, seed=8), 100)
    short = fingerprint(fake.ecg(300, 100, seed=8), 100)
    assert short[:OPENING].any() and not short[OPENING:].any()  # no window of four seconds fits
    random = np.random.default_rng(0).integers(-128, 128, SIZE).astype(np.int8)
    half = np.where(np.arange(SIZE) < OPENING, row, random).astype(np.int8)
    rows = np.stack([row, short, widened(row[None, :OPENING])[0], np.zeros_like(row), random, half])
    assert unreadable(rows).tolist() == [False, False, False, True, True, True]
    assert unreadable(rows[:0]).tolist() == []


@pytest.mark.parametrize("rate", [100, 250, 257, 400, 1000])
def test_sampling_rate(rate: int) -> None:
    wave = fake.ecg(5000, 500, seed=6)
    resampled = resample_poly(wave, rate, 500, axis=1) if rate != 257 else fake.ecg(2570, 257, seed=6)
    assert _match(fingerprint(wave, 500), fingerprint(resampled, rate))


def test_gain_rounding_padding_and_lead_gains() -> None:
    wave = fake.ecg(4000, 400, seed=7)
    original = fingerprint(wave, 400)
    changed = {
        "gain": 4.88 * wave,
        "microvolts": np.rint(1000 * wave).astype(np.int16),
        "coarse steps": np.rint(200 * wave),
        "float16": wave.astype(np.float16),
        "padding": np.pad(wave, ((0, 0), (581, 581))),
        "length": wave[:, :3300],
        "offset": wave + 0.3,
        "gain by lead": wave * np.linspace(0.5, 2, 12)[:, None],
    }
    assert [name for name, signal in changed.items() if not _match(original, fingerprint(signal, 400))] == []
    short = wave[:, :2934] + 0.5
    padded = np.pad(short, ((0, 0), (581, 581)))
    np.testing.assert_array_equal(fingerprint(padded, 400), fingerprint(short, 400))
    np.testing.assert_array_equal(fingerprint(1000 * wave, 400), original)


def test_another_packaging_read_from_disk(tmp_path: Path) -> None:
    item = fake.ptbxl(tmp_path, 1, rates=(500,)).items[0]
    first = read_record(item.path)
    fake.write_wfdb(tmp_path / "HR00001.mat", first.signal, 500, gain=4880.0, gain_fields=["4880/mV"] * 12)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["ecg"] = resample_poly(first.signal, 4, 5, axis=1).astype(np.float16)
    for path, rate in (("HR00001.mat", 500), ("a.h5", 400)):
        record = read_record(tmp_path / path, sampling_rate=rate)
        assert _match(fingerprint(first.signal, 500), fingerprint(record.signal, rate))


def test_signals_without_content_match_nothing() -> None:
    empty = fingerprint(np.zeros((12, 1000), np.float32), 100)
    assert empty.shape == (SIZE,) and empty.dtype == np.int8 and not empty.any()
    assert len(matching_pairs(np.stack([empty, empty]))) == 0
    assert not fingerprint(np.ones((12, 2), np.float32), 100).any()
    assert matching_pairs(np.zeros((0, SIZE), np.int8)).shape == (0, 2)


def test_matches_equal_those_of_comparing_all_with_all() -> None:
    random = np.random.default_rng(0)
    a = random.normal(0, 32, (3000, SIZE)).clip(-127, 127).astype(np.int8)
    b = np.concatenate([a[::-3], random.normal(0, 32, (500, SIZE)).clip(-127, 127).astype(np.int8)])
    b = (b + random.normal(0, 4, b.shape)).clip(-127, 127).astype(np.int8)
    unit_a, unit_b = (x / np.linalg.norm(x.astype(float), axis=1, keepdims=True) for x in (a, b))
    expected = np.argwhere(unit_a @ unit_b.T >= 0.96)
    assert len(expected) == 1000
    np.testing.assert_array_equal(matching_pairs(a, b), expected)


def test_matches_with_many_copies_come_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecg_lightning.records.fingerprints.matching._CHUNK", 7)
    row = fingerprint(fake.ecg(1000, 100, seed=8), 100)
    assert matching_pairs(np.stack([row] * 6)).tolist() == [[i, j] for i in range(6) for j in range(i + 1, 6)]
