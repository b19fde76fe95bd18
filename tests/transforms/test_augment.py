"""Augmentation: exact and statistical properties of every variation."""

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from ecg_lightning.errors import UserError
from ecg_lightning.records.leads import DOWER
from ecg_lightning.transforms import Augment, valid_mask
from ecg_lightning.transforms.augment import DIPOLE, ELECTRODES

RATE = 500
STRENGTHS = {
    "gain": 0.2, "shift": 1.0, "noise": 0.05, "wander": 0.3, "mains": 0.1, "rotation": 10.0, "lead_dropout": 0.2, "time_mask": 0.5,
    "lead_mask": 1.0,
}  # fmt: skip
ELECTRICAL = ("noise", "wander", "mains", "rotation")


def batch(size: int = 64, samples: int = 1000, leads: int = 12) -> tuple[Tensor, Tensor]:
    """Smooth recordings, half of them padded, and their mask; limb leads obey Einthoven's law."""
    torch.manual_seed(0)
    lengths = torch.where(torch.arange(size) % 2 == 0, samples, samples // 2 + torch.arange(size) % 7)
    mask = valid_mask(lengths, samples)
    x = torch.randn(size, ELECTRODES.shape[1], samples).cumsum(2) * 0.02
    return (ELECTRODES @ x * mask)[:, :leads], mask


def apply(augment: Augment, x: Tensor, mask: Tensor, rate: float = RATE) -> Tensor:
    return augment.inputs(augment.hide_leads(augment.recordings(x, mask, rate)), mask, rate)


def test_every_strength_is_tested() -> None:
    assert {*STRENGTHS, "probability"} == {field.name for field in fields(Augment)}


def test_off_is_the_identity_and_draws_nothing() -> None:
    x, mask = batch()
    state = torch.random.get_rng_state()
    assert apply(Augment(), x, mask) is x
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_variation(name: str) -> None:
    x, mask = batch()
    augment = Augment(**{name: STRENGTHS[name]}, probability=1)
    before = x.clone()
    torch.manual_seed(1)
    y = apply(augment, x, mask)
    assert torch.equal(x, before)  # not in place
    assert y.shape == x.shape and y.dtype == torch.float32 and y.isfinite().all()
    assert not (y * ~mask).any()  # padding stays 0
    changed = (y != x).flatten(1).any(1)
    assert changed.float().mean() > 0.9
    torch.manual_seed(1)
    assert torch.equal(apply(augment, x, mask), y)
    assert not torch.equal(apply(augment, x, mask), y)


@pytest.mark.parametrize("name", [*ELECTRICAL, "time_mask"])
def test_probability(name: str) -> None:
    x, mask = batch(400, samples=100)
    y = apply(Augment(**{name: STRENGTHS[name]}, probability=0.25), x, mask)
    assert 60 < (y != x).flatten(1).any(1).sum() < 140
    assert torch.equal(apply(Augment(**{name: STRENGTHS[name]}, probability=0), x, mask), x)


def test_recordings_are_varied_differently() -> None:
    x, mask = batch(1)
    x, mask = x.repeat(8, 1, 1), mask.repeat(8, 1, 1)
    y = apply(Augment(**STRENGTHS, probability=1), x, mask)
    assert all(not torch.equal(y[i], y[j]) for i in range(8) for j in range(i))


def test_gain_is_one_even_factor_a_recording() -> None:
    x, mask = batch(2000, samples=12)
    ratio = apply(Augment(gain=0.2), x, mask)[:, :, 2:5] / x[:, :, 2:5]
    factor = ratio.mean((1, 2), keepdim=True)
    torch.testing.assert_close(ratio, factor.expand_as(ratio))
    assert 0.8 <= factor.min() < 0.81 and 1.19 < factor.max() <= 1.2
    assert abs(factor.mean() - 1) < 0.01


def test_shift_turns_the_valid_part() -> None:
    x, mask = batch(32)
    y = apply(Augment(shift=0.1), x, mask)
    lengths = mask.sum((1, 2))
    shifts = set()
    for before, after, n in zip(x, y, lengths, strict=True):
        matching = [s for s in range(-50, 51) if torch.equal(torch.roll(before[:, :n], s, 1), after[:, :n])]
        assert len(matching) == 1
        shifts.add(matching[0])
    assert len(shifts) > 10 and min(shifts) < 0 < max(shifts)


@pytest.mark.parametrize("name", ELECTRICAL)
def test_einthovens_law_survives(name: str) -> None:
    x, mask = batch()
    y = apply(Augment(**{name: STRENGTHS[name]}, probability=1), x, mask)
    i, ii, iii, avr, avl, avf = y.unbind(1)[:6]
    for lead, expected in ((iii, ii - i), (avr, -(i + ii) / 2), (avl, i - ii / 2), (avf, ii - i / 2)):
        torch.testing.assert_close(lead, expected, atol=1e-5, rtol=0)


def test_noise_has_the_strength_that_was_asked() -> None:
    x, mask = torch.zeros(1000, 12, 200), torch.ones(1000, 1, 200, dtype=torch.bool)
    y = apply(Augment(noise=0.1, probability=1), x, mask)
    # leads I to III are differences of two electrodes; strengths are even between 0 and 0.1
    at_electrode = y[:, :3].std((1, 2)) / 2**0.5
    assert 0.095 < at_electrode.max() < 0.11
    assert abs(at_electrode.mean() - 0.05) < 0.005


def spectrum_peaks(y: Tensor, rate: float) -> Tensor:
    """Loudest frequency of lead I, Hz."""
    spectrum = torch.fft.rfft(y[:, 0] * torch.hann_window(y.shape[2])).abs()
    return spectrum.argmax(1) * rate / y.shape[2]


def test_mains_hums_at_50_or_60_hz() -> None:
    x, mask = torch.zeros(200, 12, 1000), torch.ones(200, 1, 1000, dtype=torch.bool)
    peaks = spectrum_peaks(apply(Augment(mains=0.1, probability=1), x, mask), RATE)
    assert set(peaks.tolist()) == {50.0, 60.0}
    assert 70 < (peaks == 50).sum() < 130
    assert not apply(Augment(mains=0.1, probability=1), x, mask, rate=100).any()  # cannot be heard at 100 Hz
    audible = apply(Augment(mains=0.1, probability=1), x, mask, rate=110).flatten(1).any(1)
    assert 70 < audible.sum() < 130  # 50 Hz alone


def test_wander_is_slow() -> None:
    x, mask = torch.zeros(100, 12, 20_000), torch.ones(100, 1, 20_000, dtype=torch.bool)
    y = apply(Augment(wander=0.3, probability=1), x, mask)
    peaks = spectrum_peaks(y, RATE)
    assert (peaks < 0.55).all() and (peaks > 0).all()
    assert 0.05 < y[:, 0].abs().amax(1).mean() < 0.6


def test_rotation_turns_dipoles_and_leaves_the_rest() -> None:
    torch.manual_seed(0)
    dipole = torch.randn(16, 3, 100)
    mask = torch.ones(16, 1, 100, dtype=torch.bool)
    augment = Augment(rotation=15, probability=1)
    y = apply(augment, DIPOLE @ dipole, mask)
    turned = torch.linalg.pinv(DIPOLE) @ y
    torch.testing.assert_close(DIPOLE @ turned, y, atol=1e-5, rtol=1e-4)  # still nothing but a dipole
    torch.testing.assert_close(turned.norm(dim=1), dipole.norm(dim=1), atol=1e-4, rtol=1e-4)  # of the same size
    cosine = torch.cosine_similarity(turned, dipole, dim=1).amin(1).clamp(max=1)
    degrees = torch.rad2deg(torch.arccos(cosine))
    assert degrees.max() <= 15 * 3**0.5 and degrees.mean() > 3

    rest = torch.randn(16, 12, 100)
    rest = rest - DIPOLE @ torch.linalg.pinv(DIPOLE) @ rest
    torch.testing.assert_close(apply(augment, rest, mask), rest, atol=1e-5, rtol=1e-4)


def test_dower_matrix_inverts_to_the_published_one() -> None:
    # Edenbrandt and Pahlm 1988: X, Y, Z from V1 to V6, I, II
    published = [
        [-0.172, -0.074, 0.122, 0.231, 0.239, 0.194, 0.156, -0.010],
        [0.057, -0.019, -0.106, -0.022, 0.041, 0.048, -0.227, 0.887],
        [-0.229, -0.310, -0.246, -0.063, 0.055, 0.108, 0.022, 0.102],
    ]
    inverse = torch.linalg.pinv(torch.from_numpy(DOWER)).roll(-2, 1)
    torch.testing.assert_close(inverse, torch.tensor(published), atol=6e-4, rtol=0)


@pytest.mark.parametrize("leads", [12, 1])
def test_lead_dropout_silences_leads_but_never_all(leads: int) -> None:
    x, mask = batch(500, samples=40, leads=leads)
    y = Augment(lead_dropout=0.3).inputs(x, mask, RATE)
    silent = ~(y != 0).any(2)
    assert not silent.all(1).any()
    assert torch.equal(y[~silent], x[~silent])
    assert abs(silent.float().mean() - (0.3 if leads == 12 else 0)) < 0.03


def test_a_mask_hides_any_number_of_leads_but_never_all() -> None:
    x, _ = batch(6000, samples=8)
    x[:, 3] = 0  # a lead that the recordings lack
    y = Augment(lead_mask=0.5).hide_leads(x)
    shown = (y != 0).any(2)
    assert torch.equal(y[shown], x[shown])
    masked = shown[shown.sum(1) < 11]
    counts = masked.sum(1).bincount(minlength=12)[1:11] / 6000
    # half of the recordings are masked, and keep 1 to 11 leads with equal probability; the absent one is hidden first
    torch.testing.assert_close(counts, torch.full((10,), 0.5 / 11), atol=0.012, rtol=0)
    assert not masked[:, 3].any()
    others = masked[:, torch.arange(12) != 3].float().mean(0)
    assert (others - others.mean()).abs().max() < 0.04  # every lead as often


def test_the_only_lead_is_never_masked() -> None:
    x, _ = batch(50, leads=1)
    assert torch.equal(Augment(lead_mask=1).hide_leads(x), x)


def test_time_mask_silences_one_stretch_in_all_leads() -> None:
    x = torch.ones(300, 12, 1000)
    mask = valid_mask(torch.tensor([1000, 100] * 150), 1000)
    y = apply(Augment(time_mask=0.5, probability=1), x * mask, mask)
    silent = (y == 0) & mask
    assert torch.equal(silent.any(1), silent.all(1))
    edges = silent[:, 0].int().diff(dim=1, prepend=torch.zeros(300, 1)).clamp(min=0).sum(1)
    assert edges.max() == 1
    width = silent[:, 0].sum(1)
    assert 230 < width[::2].max() <= 251 and width[1::2].max() <= 51  # half a second; half of a short recording


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"augment\.noise=-1 must be a number from 0 to 1000"):
        Augment(noise=-1)
    with pytest.raises(UserError, match=r"augment\.probability=1\.5 must be a number from 0 to 1"):
        Augment(probability=1.5)
    with pytest.raises(UserError, match=r"no augmentation gian\. Choose from: gain, shift"):
        Augment.from_dict({"gian": 0.2})
    assert Augment.from_dict({"gain": 0.2}) == Augment(gain=0.2)
