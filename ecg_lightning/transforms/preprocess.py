"""Preprocess: from a batch of the store to a network's input; published with every checkpoint."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any

from torch import Tensor

from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS
from ecg_lightning.transforms.augment import Augment
from ecg_lightning.transforms.filters import bandpass, check_band
from ecg_lightning.transforms.signal import (
    Normalisation,
    check_normalisation,
    lead_rows,
    normalise,
    select_leads,
    to_millivolts,
    valid_mask,
)


@dataclass(frozen=True)
class Preprocess:
    """Millivolts, then a band-pass if there is one, then the chosen leads, then normalisation.

    Attributes:
        normalisation: "zscore", "zscore_all" or "none", see `normalise`.
        low: Lower cut-off in Hz, or None.
        high: Upper cut-off in Hz, or None.
        leads: Leads that the network sees, in this order.

    Raises:
        UserError: For a value that is none of these.
    """

    normalisation: Normalisation = "zscore"
    low: float | None = None
    high: float | None = None
    leads: tuple[str, ...] = LEADS

    def __post_init__(self) -> None:
        # checked here, before anything is packed or trained, and not at the first batch
        check_normalisation(self.normalisation)
        lead_rows(self.leads)
        check_band(self.low, self.high, inf)

    def __call__(self, signals: Tensor, lengths: Tensor, rate: float, augment: Augment | None = None) -> Tensor:
        """Computes the network's input, float32 (batch, leads, samples); its padding is exactly 0.

        Args:
            signals: int16 (batch, samples, 12) in microvolts.
            lengths: (batch,) samples of each recording without its padding.
            rate: Sampling rate, Hz.
            augment: variations for training.
        """
        x = to_millivolts(signals)
        mask = valid_mask(lengths, x.shape[2])
        if augment is not None:
            x = augment.recordings(x, mask, rate)
        x = bandpass(x, rate, self.low, self.high, mask=mask)
        x = select_leads(x, self.leads)
        if augment is not None:
            x = augment.hide_leads(x)
        x = normalise(x, self.normalisation, mask)
        return x if augment is None else augment.inputs(x, mask, rate)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, for JSON."""
        return asdict(self) | {"leads": list(self.leads)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocess":
        """Makes it again from the values of `to_dict`.

        Raises:
            UserError: For a key that this version does not know.
        """
        if unknown := set(values) - {field.name for field in fields(cls)}:
            raise UserError(
                f"The preprocessing names {', '.join(sorted(unknown))}, which this version of ecg_lightning does not know. "
                "It was written by a newer one: update."
            )
        try:
            return cls(**{**values, "leads": tuple(values.get("leads", LEADS))})
        except TypeError as error:
            raise UserError(f"The preprocessing {dict(values)} has a value of a wrong type ({error}).") from error
