"""EcgLib's own networks, under the names that its files have."""

import pytest
import torch

from ecg_lightning.checkpoints.foreign.ecglib import EcgLibNetwork, convert
from ecg_lightning.errors import UserError
from ecg_lightning.models import DenseNet1d, ResNet1d
from ecglib_reference import ecglib_networks


@pytest.mark.parametrize("network", ["resnet1d18", "resnet1d50", "resnet1d101", "densenet1d121", "densenet1d201"])
def test_every_tensor_has_the_place_that_it_has_in_ecglib(network: EcgLibNetwork) -> None:
    # in their order the tensors of both networks are the same: with them, both compute the same (tests/models)
    file, depth = network.split("1d")
    builder = network if file == "resnet" else f"densenet{depth}_1d"
    with torch.device("meta"):
        tensors = getattr(ecglib_networks()[f"{file}1d"], builder)(input_channels=12, num_classes=1).state_dict()
        expected = (ResNet1d if file == "resnet" else DenseNet1d)(depth=int(depth), outputs=1).state_dict()
    converted = convert(tensors, network)
    assert converted.keys() == expected.keys()
    assert all(converted[name] is tensor for name, tensor in zip(expected, tensors.values(), strict=True))


def test_a_file_with_other_tensors_is_refused() -> None:
    reference = ecglib_networks()["resnet1d"].resnet1d18(input_channels=12, num_classes=1)
    tensors = reference.state_dict()
    with pytest.raises(UserError, match=r"EcgLib's resnet1d50: it lacks .* and \d+ more"):
        convert(tensors, "resnet1d50")
    with pytest.raises(
        UserError, match=r"resnet1d18: it lacks stem\.0\.weight, and it has the unexpected stem\.0\.conv\.weight\."
    ):
        convert({name.replace("stem.0.", "stem.0.conv."): tensor for name, tensor in tensors.items()}, "resnet1d18")


def test_the_later_resnet_of_the_same_name_is_refused() -> None:
    later = {
        "stem.0.conv.weight": torch.zeros(1),
        "backbone.BasicBlock1d_block0.BasicBlock1d_layer0.bn1.weight": torch.zeros(1),
    }
    with pytest.raises(UserError, match="later ResNet1d"):
        convert(later, "resnet1d18")
