"""From a batch of the store to the network's input."""

import json

import numpy as np
import pytest
import scipy.signal
import torch

from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS
from ecg_lightning.transforms import Augment, Preprocess


@pytest.fixture
def signals() -> torch.Tensor:
    """Random walks of four recordings, as the store has them: the last two are padded."""
    torch.manual_seed(0)
    walks = torch.randint(-40, 41, (4, 1000, 12)).cumsum(1).clamp(-32768, 32767).to(torch.int16)
    walks[2, 600:], walks[3, 200:] = 0, 0
    return walks


LENGTHS = torch.tensor([1000, 1000, 600, 200])


def test_equals_scipy_and_numpy(signals: torch.Tensor) -> None:
    preprocess = Preprocess(low=0.5, high=40, leads=("II", "V1", "V5"))
    x = preprocess(signals, LENGTHS, 100).numpy()
    sections = scipy.signal.butter(4, (0.5, 40), "bandpass", output="sos", fs=100)
    for steps, result, n in zip(signals.numpy(), x, LENGTHS.tolist(), strict=True):
        filtered = scipy.signal.sosfiltfilt(sections, steps[:n, [1, 6, 10]].T / 1000)
        expected = (filtered - filtered.mean(1, keepdims=True)) / filtered.std(1, keepdims=True)
        np.testing.assert_allclose(result[:, :n], expected, atol=2e-4)
        assert not result[:, n:].any()


def test_all_filters_are_scipys_in_the_order_of_ecgfounder() -> None:
    # github.com/PKUDigitalHealth/ECGFounder, util.py and dataset.py: notch, band, median baseline, one z-score
    walks = (torch.randn(2, 2500, 12, generator=torch.Generator().manual_seed(1)).cumsum(1) * 20).to(torch.int16)
    preprocess = Preprocess("zscore_record", 0.67, 40, notch=50, baseline=0.4)
    x = preprocess(walks, torch.tensor([2500, 2500]), 500).numpy()
    for steps, result in zip(walks.double().numpy(), x, strict=True):
        y = scipy.signal.filtfilt(*scipy.signal.iirnotch(50, 30, 500), steps.T / 1000)
        y = scipy.signal.filtfilt(*scipy.signal.butter(4, [0.67, 40], "bandpass", fs=500), y)
        y -= [scipy.signal.medfilt(lead, 201) for lead in y]
        np.testing.assert_allclose(result, (y - y.mean()) / y.std(), atol=2e-3)


def test_a_recording_is_the_same_alone_and_in_a_batch(signals: torch.Tensor) -> None:
    preprocess = Preprocess(low=0.5)
    single = preprocess(signals[3:, :200], LENGTHS[3:], 100)
    torch.testing.assert_close(preprocess(signals, LENGTHS, 100)[3:, :, :200], single, atol=1e-5, rtol=0)


def test_default_is_twelve_leads_zscored(signals: torch.Tensor) -> None:
    x = Preprocess()(signals, LENGTHS, 100)
    assert x.shape == (4, 12, 1000)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x[:2].std(2, correction=0), torch.ones(2, 12))


@pytest.mark.parametrize(
    "preprocess", [Preprocess(), Preprocess("zscore_all", low=0.5), Preprocess("minmax", 1, 40, ("I", "II"), 50, 0.4)]
)
def test_survives_json(preprocess: Preprocess) -> None:
    assert Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict()))) == preprocess


def test_older_checkpoints_may_say_less_and_newer_ones_are_refused() -> None:
    assert Preprocess.from_dict({}) == Preprocess(leads=LEADS)
    with pytest.raises(UserError, match="names order, which this version"):
        Preprocess.from_dict({"order": 4})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalisation": "z-score"}, "no normalisation 'z-score'"),
        ({"leads": ("II", "V7")}, "no lead V7"),
        ({"leads": ("II", "V1", "II")}, "The lead II is named twice"),
        ({"low": 40, "high": 0.5}, "from 40 to 0.5 Hz is not between 0 and half the sampling rate"),
        ({"notch": 0}, "notch=0 must be above 0"),
        ({"baseline": -1}, "baseline=-1 must be above 0"),
    ],
)
def test_mistakes_are_told_at_once(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Preprocess(**options)


def test_augmentation_in_its_two_places(signals: torch.Tensor) -> None:
    torch.manual_seed(0)
    assert torch.equal(Preprocess()(signals, LENGTHS, 100, Augment()), Preprocess()(signals, LENGTHS, 100))
    noisy = Preprocess()(signals, LENGTHS, 100, Augment(noise=0.5, probability=1))
    torch.testing.assert_close(noisy[:2].std(2, correction=0), torch.ones(2, 12))  # noise is there before the z-score
    louder = Preprocess()(signals, LENGTHS, 100, Augment(gain=0.5))
    assert not torch.allclose(louder[:2].std(2), torch.ones(2, 12), atol=1e-2)  # the gain comes after it
    for x in (noisy, louder):
        assert not x[2, :, 600:].any() and not x[3, :, 200:].any()


@pytest.mark.parametrize("normalisation", ["zscore", "zscore_all", "none"])
@pytest.mark.parametrize("band", [(None, None), (0.5, 40)])
def test_a_masked_lead_is_what_a_recording_without_it_gives(
    signals: torch.Tensor, normalisation: str, band: tuple[float | None, float | None]
) -> None:
    preprocess = Preprocess(normalisation, *band, leads=("I", "II", "V1", "V5"))  # type: ignore[arg-type]
    torch.manual_seed(0)
    masked = preprocess(signals, LENGTHS, 100, Augment(lead_mask=1))
    shown = (masked != 0).any(2)
    assert shown.any(1).all() and not shown.all(1).any()
    without = signals.clone()
    for k, lead in enumerate(preprocess.leads):
        without[~shown[:, k], :, LEADS.index(lead)] = 0
    assert torch.equal(preprocess(without, LENGTHS, 100), masked)
