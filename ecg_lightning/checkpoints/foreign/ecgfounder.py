"""ECGFounder's files (github.com/PKUDigitalHealth/ECGFounder, `net1d.py`) as weights of our Net1D."""

from collections.abc import Mapping

from torch import Tensor

from ecg_lightning.checkpoints.foreign.rename import AFFINE, BATCH_NORM, entries, rename

BLOCKS = (2, 2, 2, 3, 3, 4, 4)
"""Blocks of each stage."""


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the 509 tensors of `12_lead_ECGFounder.pth` or `1_lead_ECGFounder.pth`, its entry `state_dict`.

    Returns:
        The 204 tensors of Net1D. The others are batch normalisations that ECGFounder's forward pass never uses.

    Raises:
        UserError: Where a tensor is missing or unexpected.
    """
    return rename(state, names(), "ECGFounder (Net1D)")


def names() -> dict[str, str | None]:
    """Every tensor of a file, and its name in Net1D; None for those of no use."""
    table = entries("first_conv.conv", "stem.0", AFFINE) | entries("first_bn", None, BATCH_NORM)
    for i, blocks in enumerate(BLOCKS):
        for j in range(blocks):
            foreign, ours = f"stage_list.{i}.block_list.{j}", f"stages.{i}.{j}"
            for k in (1, 2, 3):
                table |= entries(f"{foreign}.bn{k}", None, BATCH_NORM)
                table |= entries(f"{foreign}.conv{k}.conv", f"{ours}.body.{2 * k - 1}", AFFINE)
            table |= entries(f"{foreign}.se_fc1", f"{ours}.excitation.0", AFFINE)
            table |= entries(f"{foreign}.se_fc2", f"{ours}.excitation.2", AFFINE)
    return table | entries("dense", "head", AFFINE)
