"""The training module: the masked loss, and the contract of every exported module."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from ecg_lightning import modules
from ecg_lightning.models import ResNet1d
from ecg_lightning.modules import ResNet1dModule
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.modules.optim import Optim
from ecg_lightning.training.build import positive_weights

TERMS = ["AFIB", "1AVB", "STACH"]


@pytest.fixture
def module() -> ECGModule:
    return ResNet1dModule(ResNet1d(outputs=3, widths=[4, 4, 4, 4], block="basic", pooling="mean"), TERMS)


def test_what_is_not_annotated_counts_for_nothing(module: ECGModule) -> None:
    logits, nan = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.0, -3.0]]), float("nan")
    targets = torch.tensor([[1.0, nan, 0.0], [nan, nan, 1.0]])
    annotated = torch.tensor([[0, 0], [0, 2], [1, 2]])
    expected = binary_cross_entropy_with_logits(logits[annotated[:, 0], annotated[:, 1]], torch.tensor([1.0, 0.0, 1.0]))
    torch.testing.assert_close(module.loss(logits, targets), expected)
    logits.requires_grad_()
    module.loss(logits, targets).backward()
    assert logits.grad is not None
    assert (logits.grad == 0).tolist() == torch.isnan(targets).tolist()


def test_a_positive_weighs_what_it_is_given(module: ECGModule) -> None:
    # ln 2 at logit 0: one positive of weight 3 and one negative, of two annotated
    loss = module.loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), torch.tensor([3.0, 1.0]))
    assert loss.item() == pytest.approx((3 + 1) * np.log(2) / 2)


def test_nothing_annotated_is_a_loss_of_zero_not_nan(module: ECGModule) -> None:
    assert module.loss(torch.zeros(2, 3), torch.full((2, 3), float("nan"))).item() == 0


def test_positive_weights_are_negatives_over_positives_bounded() -> None:
    nan = np.nan
    targets = np.array([[1, 0, nan, 0], [0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, nan, nan, 0]], np.float32)
    assert positive_weights(targets, Optim(positive_weight="balanced")).tolist() == [4, 3, 0.5, 1]
    np.testing.assert_allclose(
        positive_weights(targets, Optim(positive_weight="sqrt")), np.sqrt([4, 3, 0.5, 1]), rtol=1e-6
    )
    assert positive_weights(targets, Optim(positive_weight="none")).tolist() == [1, 1, 1, 1]
    assert positive_weights(targets, Optim(positive_weight="balanced", max_positive_weight=2)).tolist() == [
        2,
        2,
        0.5,
        1,
    ]
    # Recordings drawn three times as often count three times: 3 of 7 positives of the first term.
    weights = positive_weights(targets, Optim(positive_weight="balanced"), np.array([0.3, 0.1, 0.1, 0.1, 0.1]))
    np.testing.assert_allclose(weights, [4 / 3, 5, 0.5, 1], rtol=1e-6)


@pytest.mark.parametrize("name", modules.__all__)
def test_every_module_predicts_its_terms_and_speaks_of_its_groups(name: str) -> None:
    cls: type[ECGModule] = getattr(modules, name)
    module = cls(cls.architecture(outputs=len(TERMS)), TERMS)
    with torch.no_grad():
        assert module.eval()(torch.randn(2, 12, 500)).shape == (2, 3)
    groups = module.layer_groups()
    assert next(iter(groups)) == "stem"
    assert list(groups)[-1] == "head"
    owned = [id(p) for group in groups.values() for p in group.parameters()]
    assert sorted(owned) == sorted(id(p) for p in module.parameters())
