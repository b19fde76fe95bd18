"""MERL's ResNet-18 encoder (github.com/cheliu-computation/MERL-ICML2024, `utils/resnet1d.py`) as weights of our ResNet1d.

The network is that of `conf/model/resnet1d18_merl.yaml`.
"""

from collections.abc import Mapping

from torch import Tensor

from ecg_lightning.checkpoints.foreign.rename import AFFINE, BATCH_NORM, entries, rename

WEIGHT = ("weight",)


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the tensors of `res18_best_encoder.pth`, a plain state dict.

    Returns:
        The tensors of ResNet1d without its head: the encoder's `linear` layer was never trained, since MERL's forward
        pass ends before it.

    Raises:
        UserError: Where a tensor is missing or unexpected.
    """
    return rename(state, names(), "MERL's ResNet-18 encoder")


def names() -> dict[str, str | None]:
    """Every tensor of a file, and its name in ResNet1d; None for those of no use."""
    table = entries("conv1", "stem.0", WEIGHT) | entries("bn1", "stem.1", BATCH_NORM)
    for i in range(4):
        for j in range(2):
            foreign, ours = f"layer{i + 1}.{j}", f"stages.{i}.{j}"
            for k in (1, 2):
                table |= entries(f"{foreign}.conv{k}", f"{ours}.body.{3 * (k - 1)}", WEIGHT)
                table |= entries(f"{foreign}.bn{k}", f"{ours}.body.{3 * (k - 1) + 1}", BATCH_NORM)
            if i > 0 and j == 0:
                table |= entries(f"{foreign}.shortcut.0", f"{ours}.shortcut.0", WEIGHT)
                table |= entries(f"{foreign}.shortcut.1", f"{ours}.shortcut.1", BATCH_NORM)
    return table | entries("linear", None, AFFINE)
