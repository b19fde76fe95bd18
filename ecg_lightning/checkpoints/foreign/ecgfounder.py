"""ECGFounder's files (github.com/PKUDigitalHealth/ECGFounder, commit 04edac7) as weights of our Net1D.

The architecture is that of `net1d.py` and `finetune_model.py`, the 150 statements are those of `tasks.txt`, and the input
is that of `dataset.py` and `util.py`, which its README asks to be followed strictly: a notch at 50 Hz, a band from 0.67 to
40 Hz, a median baseline of 0.4 s, and one mean and one standard deviation for the whole recording. (Its `ptbxl_eval.py`
leaves the filters out.)
"""

import csv
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ecg_lightning.checkpoints.card import Input
from ecg_lightning.checkpoints.foreign.family import Family, Weights
from ecg_lightning.checkpoints.foreign.rename import AFFINE, BATCH_NORM, entries, rename
from ecg_lightning.records import LEADS

BLOCKS = (2, 2, 2, 3, 3, 4, 4)
"""Blocks of each stage."""


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the 509 tensors of `12_lead_ECGFounder.pth` or `1_lead_ECGFounder.pth`, its entry `state_dict`.

    Returns:
        The 204 tensors of Net1D. The others are batch normalisations that ECGFounder's forward pass never uses.

    Raises:
        UserError: where a tensor is missing or unexpected.
    """
    return rename(state, names(), "ECGFounder (Net1D)")


def names() -> dict[str, str | None]:
    """Returns every tensor of a file, and its name in Net1D; None for those of no use."""
    table = entries("first_conv.conv", "stem.0", AFFINE) | entries("first_bn", None, BATCH_NORM)
    for i, blocks in enumerate(BLOCKS):
        for j in range(blocks):
            foreign, target = f"stage_list.{i}.block_list.{j}", f"stages.{i}.{j}"
            for k in (1, 2, 3):
                table |= entries(f"{foreign}.bn{k}", None, BATCH_NORM)
                table |= entries(f"{foreign}.conv{k}.conv", f"{target}.body.{2 * k - 1}", AFFINE)
            table |= entries(f"{foreign}.se_fc1", f"{target}.excitation.0", AFFINE)
            table |= entries(f"{foreign}.se_fc2", f"{target}.excitation.2", AFFINE)
    return table | entries("dense", "head", AFFINE)


def terms() -> list[str]:
    """Returns the 150 outputs in their order: terms of our vocabulary, or `ecgfounder:STATEMENT`.

    A statement has a term where both mean the same; of two statements with the same meaning, one has the term.
    """
    with Path(__file__).with_name("ecgfounder.csv").open(encoding="utf-8", newline="") as file:
        return [row["term"] or f"ecgfounder:{row['name']}" for row in csv.DictReader(file)]


def weights(state: Mapping[str, Tensor], file: str) -> Weights:
    """Returns a file's tensors as weights of Net1D; the file for one lead sees lead I.

    Raises:
        UserError: where a tensor is missing or unexpected.
    """
    tensors = convert(state)
    one_lead = tensors["stem.0.weight"].shape[1:2] == (1,)
    preprocess = {
        "normalisation": "zscore_record",
        "low": 0.67,
        "high": 40.0,
        "leads": ["I"] if one_lead else list(LEADS),
        "notch": 50.0,
        "baseline": 0.4,
    }
    return Weights({"name": "Net1DModule"}, terms(), Input(500, 10.0, preprocess), tensors, len(state) - len(tensors))


FAMILY = Family(
    name="ecgfounder",
    title="ECGFounder",
    address="https://huggingface.co/PKUDigitalHealth/ECGFounder",
    licence="MIT (that of its repository; its authors name no other one for the weights)",
    citation="Li et al., An Electrocardiogram Foundation Model Built on over 10 Million Recordings, NEJM AI 2(7), 2025, "
    "arXiv:2410.04133",
    archives=("heedb",),
    marks=("first_conv.conv.weight",),
    convert=weights,
    entry="state_dict",
)
