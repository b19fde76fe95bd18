"""Between the heart and the file: every option of a hospital's devices, electrodes and noise does what it says."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import periodogram, welch

from ecg_lightning.simulator import Hospital, simulate
from ecg_lightning.simulator.hospital import Device, Noise, Placement
from ecg_lightning.simulator.rng import Draws
from simulator.reading import HEALTHY, LEAD

SILENT = Noise(baseline=0, muscle=0, mains=0, motion=0, burst=0, contact_loss=0)
STILL = Placement(spread=0, limb_reversal=0, precordial_reversal=0)
PLAIN = Device(resolution=1, gain_error=0, highpass=0, lowpass=1000)
QUIET = Hospital(prevalence=HEALTHY, devices=[PLAIN], placement=STILL, noise=SILENT)


def draw(hospital: Hospital, records: int = 40, rate: float = 500, seconds: float = 10) -> np.ndarray:
    """(records, samples, 12) mV."""
    return simulate(hospital, range(records), 0, rate, seconds).signals / 1000


def added(noise: Noise, device: Device = PLAIN, rate: float = 500, seconds: float = 10) -> np.ndarray:
    """What noise adds to the same recordings without it."""
    noisy = replace(QUIET, noise=noise, devices=[device])
    return draw(noisy, rate=rate, seconds=seconds) - draw(replace(noisy, noise=SILENT), rate=rate, seconds=seconds)


def density(signals: np.ndarray, rate: float, low: float, high: float) -> float:
    """Mean power density between two frequencies, dB."""
    f, power = welch(signals, rate, nperseg=int(4 * rate), axis=1)
    return float(10 * np.log10(power[:, (f >= low) & (f < high)].mean()))


def test_a_silent_hospital_shows_the_clean_heart() -> None:
    clean = simulate(QUIET, range(5), 0, 500, clean=True).signals / 1000
    difference = draw(QUIET, 5) - clean
    difference -= difference.mean(1, keepdims=True)  # a device has no zero
    assert np.quantile(np.abs(difference), 0.99) < 0.005


@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_the_mains_hum_at_their_frequency(mains: float) -> None:
    f, power = periodogram(added(replace(SILENT, mains=0.02), replace(PLAIN, mains=mains)), 500, axis=1)
    assert (np.abs(f[power.mean(2).argmax(1)] - mains) < 0.2).all()


def test_the_mains_have_their_amplitude_and_pass_the_filter() -> None:
    hum = replace(SILENT, mains=0.02)
    level = added(hum)[..., LEAD["V3"]].std(1)
    assert np.median(level) == pytest.approx(0.02 / np.sqrt(2), rel=0.5)
    filtered = added(hum, replace(PLAIN, lowpass=25))[..., LEAD["V3"]].std(
        1
    )  # 12 dB at twice the cut-off of a Gaussian
    assert np.median(filtered / level) == pytest.approx(0.25, abs=0.05)


def test_muscle_noise_has_its_level_and_the_limbs_tremble_more() -> None:
    noise = added(replace(SILENT, muscle=0.01), rate=100)
    potential = np.median(noise[..., LEAD["V3"]].std(1))
    assert potential == pytest.approx(0.01 * np.hypot(0.4, 1 / np.sqrt(3)), rel=0.3)  # electrode and Wilson's terminal
    assert np.median(noise[..., LEAD["I"]].std(1)) > 1.4 * potential


def test_baseline_wander_is_slow() -> None:
    f, power = periodogram(added(replace(SILENT, baseline=0.05)), 500, axis=1)
    below = power[:, f < 1].sum(1) / power.sum(1)
    assert np.median(below) > 0.95


@pytest.mark.parametrize("kind", ["muscle", "burst"])
def test_noise_is_as_dense_at_any_rate_and_length(kind: str) -> None:
    noise = replace(SILENT, muscle=0.02) if kind == "muscle" else replace(SILENT, burst=1.0)
    levels = [density(added(noise, rate=rate), rate, 5, 40) for rate in (100, 250, 500)]
    levels += [density(added(noise, rate=250, seconds=20), 250, 5, 40)] if kind == "muscle" else []
    assert np.ptp(levels) < 1.5


def test_the_low_pass_takes_noise_and_heart_alike() -> None:
    loud = replace(SILENT, muscle=0.02, burst=0.5)
    wide, narrow = (added(loud, replace(PLAIN, lowpass=lowpass)) for lowpass in (1000, 40))
    assert density(wide, 500, 75, 85) - density(narrow, 500, 75, 85) == pytest.approx(
        12, abs=1.5
    )  # Gaussian, -3 dB at 40 Hz
    assert abs(density(wide, 500, 5, 10) - density(narrow, 500, 5, 10)) < 0.5
    hearts = [draw(replace(QUIET, devices=[replace(PLAIN, lowpass=lowpass)])) for lowpass in (1000, 40)]
    assert density(hearts[0], 500, 75, 85) - density(hearts[1], 500, 75, 85) == pytest.approx(12, abs=2)


def test_the_high_pass_takes_what_is_slow() -> None:
    wander = replace(SILENT, baseline=0.1)
    unfiltered, filtered = (added(wander, replace(PLAIN, highpass=highpass)) for highpass in (0.0, 0.5))
    assert density(unfiltered, 500, 0.2, 0.3) - density(filtered, 500, 0.2, 0.3) == pytest.approx(
        7, abs=1
    )  # one pole at 0.5 Hz


def test_steps_are_as_coarse_as_the_device() -> None:
    signals = simulate(replace(QUIET, devices=[replace(PLAIN, resolution=8)]), range(5), 0).signals
    assert (signals[..., [0, 1, 6, 7, 8, 9, 10, 11]] % 8 == 0).all()


def test_gains_spread_as_they_should() -> None:
    wrong = draw(replace(QUIET, devices=[replace(PLAIN, gain_error=0.1)]), 200, 100)
    ratio = np.log(np.ptp(wrong[..., 9], axis=1) / np.ptp(draw(QUIET, 200, 100)[..., 9], axis=1))
    assert ratio.std() == pytest.approx(0.1, rel=0.2)
    assert ratio.mean() == pytest.approx(0, abs=0.025)


def swapped(make: Callable[[np.ndarray], np.ndarray], wrong: np.ndarray, right: np.ndarray) -> np.ndarray:
    """In which recordings the wrong leads are what a swap makes of the right ones, to the rounding of a microvolt."""
    return np.abs(wrong - make(right)).max((1, 2)) < 0.003


def test_swapped_limb_cables_exchange_the_limb_leads() -> None:
    wrong, right = draw(replace(QUIET, placement=replace(STILL, limb_reversal=1.0)), 60, 100), draw(QUIET, 60, 100)
    first, second, third = (right[..., k : k + 1] for k in range(3))
    arms = swapped(lambda _: np.concatenate([-first, third, second], 2), wrong[..., :3], right)
    right_arm_leg = swapped(lambda _: np.concatenate([-third, -second, -first], 2), wrong[..., :3], right)
    left_arm_leg = swapped(lambda _: np.concatenate([second, first, -third], 2), wrong[..., :3], right)
    np.testing.assert_array_equal(arms.astype(int) + right_arm_leg + left_arm_leg, 1)
    assert min(arms.sum(), right_arm_leg.sum(), left_arm_leg.sum()) > 5
    assert np.abs(wrong[..., 6:] - right[..., 6:]).max() < 0.002


def test_swapped_chest_cables_exchange_neighbours() -> None:
    wrong, right = (
        draw(replace(QUIET, placement=replace(STILL, precordial_reversal=1.0)), 20, 100),
        draw(QUIET, 20, 100),
    )
    for a, b in zip(wrong[..., 6:], right[..., 6:], strict=True):
        moved = np.flatnonzero(np.abs(a - b).max(0) > 0.002)
        assert len(moved) == 2 and np.diff(moved) == 1
        np.testing.assert_allclose(a[:, moved], b[:, moved[::-1]], atol=0.002)


def test_a_hurried_placement_changes_the_chest_leads_alone() -> None:
    moved, right = draw(replace(QUIET, placement=replace(STILL, spread=0.5)), 40, 100), draw(QUIET, 40, 100)
    np.testing.assert_allclose(moved[..., :6], right[..., :6], atol=0.002)
    ratio = np.log(np.ptp(moved[..., 6:], axis=1) / np.ptp(right[..., 6:], axis=1))
    assert (ratio.std(0) > 0.08).all()


def test_a_lost_electrode_takes_its_lead_or_wilsons_terminal() -> None:
    lost, right = draw(replace(QUIET, noise=replace(SILENT, contact_loss=1.0)), 80, 100), draw(QUIET, 80, 100)
    limb = chest = 0
    early = Draws(1_000_003, np.arange(80)).uniform("loses contact") < 0.7
    for a, b in zip(lost[early], right[early], strict=True):
        changed = np.abs(a - b)[-300:].max(0) > 0.003
        if changed[6:].sum() == 1:
            chest += 1
            k = 6 + int(np.flatnonzero(changed[6:])[0])
            assert not changed[:6].any()
            assert np.ptp(a[-100:, k]) < 0.003  # flat
        elif changed[6:].sum() > 1:
            limb += 1
            assert changed[:3].sum() == 2  # one of I, II and III does not use the electrode
            np.testing.assert_allclose((a - b)[:, 6:], (a - b)[:, 6:7] @ np.ones((1, 6)), atol=0.003)
    assert limb > 10 and chest > 20


def test_motion_jumps_and_decays() -> None:
    moved = added(replace(SILENT, motion=1.0), rate=100)
    largest = np.abs(moved).max((1, 2))
    assert 0.1 < np.median(largest) < 0.6
    for each, height in zip(moved, largest, strict=True):
        trace = np.abs(each[:, np.abs(each).max(0).argmax()])
        after = trace[min(len(trace) - 1, int(trace.argmax()) + 150) :]
        if height > 0.05 and len(after) > 1:
            assert after.max() < 0.4 * height + 0.01  # 1.5 s later


def test_noise_is_left_out_where_there_is_none() -> None:
    assert np.abs(added(SILENT)).max() == 0
    some = added(replace(SILENT, motion=0.3, burst=0.0), rate=100)
    assert (np.abs(some).max((1, 2)) > 0.002).mean() == pytest.approx(0.3, abs=0.2)
