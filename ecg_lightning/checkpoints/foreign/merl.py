"""MERL's ResNet-18 encoder (github.com/cheliu-computation/MERL-ICML2024, `utils/resnet1d.py`) as weights of our ResNet1d.

The network is that of `conf/model/resnet1d18_merl.yaml`. The input is that of `finetune/finetune_dataset.py`: a recording
of 10 s at 500 Hz, its least value 0 and its greatest 1, and the leads in the order of MIMIC-IV-ECG, aVF before aVL.
"""

from collections.abc import Mapping

from torch import Tensor

from ecg_lightning.checkpoints.card import Input
from ecg_lightning.checkpoints.foreign.family import Family, Weights
from ecg_lightning.checkpoints.foreign.rename import AFFINE, BATCH_NORM, entries, mean_head, rename

WEIGHT = ("weight",)
MODEL = {
    "name": "ResNet1dModule", "block": "basic", "stem_kernel": 7, "stem_pool": False, "first_stride": 1, "pooling": "mean",
    "dropout": 0.0,
}  # fmt: skip
PREPROCESS = {
    "normalisation": "minmax", "low": None, "high": None,
    "leads": ["I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"],
    "notch": None, "baseline": None,
}  # fmt: skip


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the tensors of `res18_best_encoder.pth`, a plain state dict.

    Returns:
        The tensors of ResNet1d without its head: the encoder's `linear` layer was never trained, since MERL's forward
        pass ends before it.

    Raises:
        UserError: where a tensor is missing or unexpected.
    """
    return rename(state, names(), "MERL's ResNet-18 encoder")


def names() -> dict[str, str | None]:
    """Returns every tensor of a file, and its name in ResNet1d; None for those of no use."""
    table = entries("conv1", "stem.0", WEIGHT) | entries("bn1", "stem.1", BATCH_NORM)
    for i in range(4):
        for j in range(2):
            foreign, target = f"layer{i + 1}.{j}", f"stages.{i}.{j}"
            for k in (1, 2):
                table |= entries(f"{foreign}.conv{k}", f"{target}.body.{3 * (k - 1)}", WEIGHT)
                table |= entries(f"{foreign}.bn{k}", f"{target}.body.{3 * (k - 1) + 1}", BATCH_NORM)
            if i > 0 and j == 0:
                table |= entries(f"{foreign}.shortcut.0", f"{target}.shortcut.0", WEIGHT)
                table |= entries(f"{foreign}.shortcut.1", f"{target}.shortcut.1", BATCH_NORM)
    return table | entries("linear", None, AFFINE)


def weights(state: Mapping[str, Tensor], file: str) -> Weights:
    """Returns a file's tensors as weights of ResNet1d, with a head that is not learnt.

    Raises:
        UserError: where a tensor is missing or unexpected.
    """
    tensors = mean_head(convert(state), 512)
    return Weights(dict(MODEL), ["merl:no head"], Input(500, 10.0, dict(PREPROCESS)), tensors, 2, has_head=False)


FAMILY = Family(
    name="merl",
    title="MERL",
    address="https://github.com/cheliu-computation/MERL-ICML2024",
    licence="MIT",
    citation="Liu et al., Zero-Shot ECG Classification with Multimodal Learning and Test-time Clinical Knowledge Enhancement, "
    "ICML 2024, arXiv:2403.06659",
    archives=("mimic_iv_ecg",),
    marks=("layer1.0.conv1.weight", "linear.weight"),
    convert=weights,
)
