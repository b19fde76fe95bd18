"""EcgLib's files (github.com/ispras/EcgLib, release 1.1.0) as weights of our ResNet1d and DenseNet1d.

EcgLib has had two ResNet1d under the same names. The one of release 1.1.0 and of the package 1.1.1 is equal to ours. The
one that its repository has had since 27 June 2023 pads the recording otherwise and has no ReLU behind the addition: its
files are refused, since our network would compute something else from them.
"""

import re
from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from ecg_lightning.checkpoints.card import Input
from ecg_lightning.checkpoints.foreign.family import Family, Weights
from ecg_lightning.checkpoints.foreign.rename import AFFINE, BATCH_NORM, entries, rename
from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS

EcgLibNetwork = Literal["resnet1d18", "resnet1d50", "resnet1d101", "densenet1d121", "densenet1d201"]
RESNET_BLOCKS = {"resnet1d18": (1, 2, 2, 1), "resnet1d50": (3, 4, 6, 3), "resnet1d101": (3, 4, 23, 3)}
DENSENET_LAYERS = {"densenet1d121": (6, 12, 24, 16), "densenet1d201": (6, 12, 48, 32)}
WEIGHT = ("weight",)
FILE = re.compile(
    r"12_leads_(?P<network>resnet1d18|resnet1d50|resnet1d101|densenet1d121)_"
    r"(?P<term>AFIB|1AVB|STACH|SBRAD|IRBBB|CRBBB|PVC)(_1_1_0)?\.pt"
)
"""The 28 files of release 1.1.0; EcgLib itself stores a downloaded one with `_1_1_0` behind its name."""


def convert(state: Mapping[str, Tensor], network: EcgLibNetwork) -> dict[str, Tensor]:
    """Renames the tensors of a file such as `12_leads_resnet1d18_AFIB.pt`, a plain state dict.

    Args:
        state: the file's tensors.
        network: the network that the file's name says.

    Returns:
        The tensors of our network, the head with its single row included.

    Raises:
        UserError: where a tensor is missing or unexpected, or the file is of EcgLib's later ResNet1d.
    """
    if any(key.startswith(("backbone.BasicBlock1d_", "backbone.BottleneckBlock1d_")) for key in state):
        raise UserError(
            f"The file holds EcgLib's later ResNet1d (June 2023), whose layers compute something else than the {network} "
            "of EcgLib 1.1.1, so it cannot be loaded. Take a file of a densenet1d121, or one that EcgLib 1.1.1 loads."
        )
    return rename(state, names(network), f"EcgLib's {network}")


def names(network: EcgLibNetwork) -> dict[str, str | None]:
    """Returns every tensor of a file, and its name in our network."""
    if network in RESNET_BLOCKS:
        return _resnet(RESNET_BLOCKS[network])
    return _densenet(DENSENET_LAYERS[network])


def _resnet(stages: tuple[int, ...]) -> dict[str, str | None]:
    table = entries("stem.0", "stem.0", WEIGHT) | entries("stem.1", "stem.1", BATCH_NORM)
    for i, blocks in enumerate(stages):
        for j in range(blocks):
            foreign, target = f"backbone.hidden_block{i}.ResidualBlock1d_layer{j}", f"stages.{i}.{j}"
            for k in (1, 2, 3):
                table |= entries(f"{foreign}.conv{k}", f"{target}.body.{3 * (k - 1)}", WEIGHT)
                table |= entries(f"{foreign}.bn{k}", f"{target}.body.{3 * (k - 1) + 1}", BATCH_NORM)
            if j == 0:
                shortcut = f"{foreign}.downsample.ResidualBlock1d"
                table |= entries(f"{shortcut}_downsample", f"{target}.shortcut.0", WEIGHT)
                table |= entries(f"{shortcut}_normalize", f"{target}.shortcut.1", BATCH_NORM)
    return table | entries("head.lin_bn_drop.0", "norm", BATCH_NORM) | entries("head.lin_bn_drop.2", "head", WEIGHT)


def _densenet(stages: tuple[int, ...]) -> dict[str, str | None]:
    table = entries("stem.0", "stem.0", AFFINE) | entries("stem.1", "stem.1", BATCH_NORM)
    for i, layers in enumerate(stages):
        for j in range(layers):
            foreign, target = f"backbone.denseblock{i}.denselayer{j}", f"stages.{i}.0.layers.{j}"
            # EcgLib numbers a layer's two convolutions from the second to the first
            table |= entries(f"{foreign}.bn2", f"{target}.0", BATCH_NORM) | entries(
                f"{foreign}.conv2", f"{target}.2", AFFINE
            )
            table |= entries(f"{foreign}.bn1", f"{target}.3", BATCH_NORM) | entries(
                f"{foreign}.conv1", f"{target}.5", AFFINE
            )
        if i + 1 < len(stages):
            foreign, target = f"backbone.transition{i}", f"stages.{i}.1"
            table |= entries(f"{foreign}.bn", f"{target}.0", BATCH_NORM) | entries(
                f"{foreign}.conv", f"{target}.3", AFFINE
            )
    last = f"stages.{len(stages) - 1}.1"
    return table | entries("final_bn", last, BATCH_NORM) | entries("classifier", "head", AFFINE)


def weights(state: Mapping[str, Tensor], file: str) -> Weights:
    """Returns a file's tensors as weights of our ResNet1d or DenseNet1d; network and term are in the file's name.

    Raises:
        UserError: where the name is none of the release's, or a tensor is missing or unexpected.
    """
    name = FILE.fullmatch(file)
    if name is None:
        raise UserError(
            "The names of EcgLib's files say the network and the term, such as 12_leads_densenet1d121_AFIB.pt, and this one "
            "does not. Give the file the name that it had in EcgLib's release."
        )
    network, term = name["network"], name["term"]
    tensors = convert(state, network)  # type: ignore[arg-type]
    kind, depth = network.split("1d")
    model = {"name": "ResNet1dModule" if kind == "resnet" else "DenseNet1dModule", "depth": int(depth)}
    preprocess = {
        "normalisation": "zscore", "low": None, "high": None, "leads": list(LEADS), "notch": None, "baseline": None,
    }  # fmt: skip
    return Weights(model, [term], Input(500, 10.0, preprocess), tensors)


FAMILY = Family(
    name="ecglib",
    title="EcgLib",
    address="https://github.com/ispras/EcgLib/releases/tag/v1.1.0",
    licence="Apache-2.0",
    citation="Avetisyan et al., Deep Neural Networks Generalization and Fine-Tuning for 12-lead ECG Classification, 2023, "
    "arXiv:2305.18592",
    archives=("tis",),
    marks=("stem.0.weight", "stem.1.running_mean"),
    convert=weights,
)
