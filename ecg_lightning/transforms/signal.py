"""Units, masks, leads and normalisation of whole batches, on the batch's device.

A batch is float32 (batch, leads, samples); a mask is bool (batch, 1, samples), False where a recording is padded on
the right. In memory a batch is time-major, as the store is: later layers read and write it in that order.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS

Normalisation = Literal["zscore", "zscore_all", "zscore_record", "minmax", "none"]

FLAT = 1e-4
"""Standard deviation, in mV, up to which a lead is flat: a tenth of a microvolt, the store's resolution."""


def to_millivolts(signals: Tensor) -> Tensor:
    """Converts the store's int16 (batch, samples, leads) in microvolts to float32 (batch, leads, samples) in mV."""
    return (signals.to(torch.float32) / 1000).transpose(1, 2)


def valid_mask(lengths: Tensor, samples: int) -> Tensor:
    """Returns bool (batch, 1, samples), True for the first `lengths` (batch,) samples of each recording."""
    return (torch.arange(samples, device=lengths.device) < lengths[:, None])[:, None]


def lead_rows(leads: Sequence[str]) -> list[int]:
    """Returns the positions of these leads among the twelve.

    Raises:
        UserError: For no lead at all, a name that is no standard lead, or one that is named twice.
    """
    unknown = list(dict.fromkeys(lead for lead in leads if lead not in LEADS))
    if unknown or not leads:
        raise UserError(f"There is no lead {', '.join(unknown) or 'to see'}. Choose from: {', '.join(LEADS)}.")
    if repeated := [lead for lead in LEADS if leads.count(lead) > 1]:
        raise UserError(f"The lead {' and '.join(repeated)} is named twice. Name each lead once.")
    return [LEADS.index(lead) for lead in leads]


def select_leads(x: Tensor, leads: Sequence[str]) -> Tensor:
    """Returns the named leads in this order, (batch, leads, samples), of a batch (batch, 12, samples)."""
    return x if tuple(leads) == LEADS else x[:, lead_rows(leads)]


def check_normalisation(method: str) -> None:
    """Checks the name of a normalisation.

    Raises:
        UserError: for an unknown name.
    """
    if method not in get_args(Normalisation):
        raise UserError(f"There is no normalisation '{method}'. Choose from: {', '.join(get_args(Normalisation))}.")


def normalise(x: Tensor, method: Normalisation = "zscore", mask: Tensor | None = None) -> Tensor:
    """Brings every recording to the same scale; statistics are over valid samples, and padding becomes exactly 0.

    "zscore" gives each lead mean 0 and standard deviation 1; "zscore_all" centres each lead and divides a recording by
    one standard deviation over all its leads, so that their relative amplitudes stay; "zscore_record" takes both mean and
    standard deviation over all leads together; "minmax" brings a recording's least value to 0 and its greatest to 1; "none"
    keeps millivolts. What is flat (see `FLAT`) becomes 0.

    Args:
        x: (batch, leads, samples), mV.
        method: One of the five.
        mask: (batch, 1, samples), True where a sample is valid; None where all are.

    Raises:
        UserError: For another method.
    """
    check_normalisation(method)
    if method == "none":
        return x if mask is None else x * mask
    if method == "minmax":
        return _minmax(x, mask)
    if method == "zscore_record":
        return _zscore_record(x, mask)
    if mask is None:
        x = x - x.mean(2, keepdim=True)
        mean_square = x.square().mean(2, keepdim=True)
    else:
        count = mask.sum(2, keepdim=True).clamp(min=1)
        x = (x - (x * mask).sum(2, keepdim=True) / count) * mask
        mean_square = x.square().sum(2, keepdim=True) / count
    if method == "zscore_all":
        mean_square = mean_square.mean(1, keepdim=True)
    deviation = mean_square.sqrt()
    return x * torch.where(deviation > FLAT, 1 / deviation, 0)


def _minmax(x: Tensor, mask: Tensor | None) -> Tensor:
    valid = torch.ones_like(x, dtype=torch.bool) if mask is None else mask.expand_as(x)
    least = x.masked_fill(~valid, torch.inf).amin((1, 2), keepdim=True)
    width = x.masked_fill(~valid, -torch.inf).amax((1, 2), keepdim=True) - least
    return torch.where(valid & (width > FLAT), (x - least) / width, 0)


def _zscore_record(x: Tensor, mask: Tensor | None) -> Tensor:
    valid = torch.ones_like(x) if mask is None else mask.expand_as(x).to(x.dtype)
    count = valid.sum((1, 2), keepdim=True).clamp(min=1)
    x = (x - (x * valid).sum((1, 2), keepdim=True) / count) * valid
    deviation = (x.square().sum((1, 2), keepdim=True) / count).sqrt()
    return x * torch.where(deviation > FLAT, 1 / deviation, 0)
