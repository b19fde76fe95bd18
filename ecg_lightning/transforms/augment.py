"""Augment: random variations of training batches, different for every recording, that leave its labels true."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import pi, radians
from typing import Annotated

import torch
from torch import Tensor

from ecg_lightning.errors import UserError
from ecg_lightning.ranges import Between, Fraction, Misfit, check_fields
from ecg_lightning.records.leads import DOWER, FROM_ELECTRODES, FROM_INDEPENDENT

# What electrodes add goes through this matrix, so that it obeys Einthoven's law
ELECTRODES = torch.from_numpy(FROM_ELECTRODES)
# All leads from the heart's dipole (left, feet, back)
DIPOLE = torch.from_numpy(FROM_INDEPENDENT @ DOWER)


Millivolts = Annotated[float, Between(0, 1000)]


@dataclass(frozen=True)
class Augment:
    """Strengths of random variations; each is 0 by default, which is off and draws nothing.

    What an electrode picks up comes in millivolts before filter and normalisation, as in a real recording; the rest
    changes the network's input. Speed is not varied: heart rate and intervals are diagnoses. Draws come from torch's global
    generator of the batch's device.

    Attributes:
        gain: A recording is multiplied by 1 ± at most this number.
        shift: A recording is rotated in time by at most this many seconds in either direction; its end then comes first.
        noise: White noise of at most this standard deviation at each electrode, mV.
        wander: Baseline wander, two waves of 0.05–0.5 Hz, of at most about this amplitude at each electrode, mV.
        mains: Hum of 50 or 60 Hz, of at most about this amplitude at each electrode, mV; none where half the sampling
            rate is not above the frequency.
        rotation: The heart's dipole is turned by at most this many degrees about each axis. Few degrees: the
            electrical axis is a diagnosis too. The part that is not a dipole (by Dower's matrix) stays.
        lead_dropout: Probability that a lead is silent; if all leads would be silent, none is.
        lead_mask: Probability that a recording lacks leads: a random number of them, and at least one stays. They are zero
            before normalisation, as those of a recording that really lacks them.
        time_mask: A stretch of at most this many seconds, and half the recording, is silent in all leads.
        probability: The probability that a recording gets noise; the same for wander, mains, rotation and time_mask.

    Raises:
        UserError: For a strength or probability outside its range.
    """

    gain: Fraction = 0.0
    shift: Annotated[float, Between(0, 3600)] = 0.0
    noise: Millivolts = 0.0
    wander: Millivolts = 0.0
    mains: Millivolts = 0.0
    rotation: Annotated[float, Between(0, 180)] = 0.0
    lead_dropout: Fraction = 0.0
    lead_mask: Fraction = 0.0
    time_mask: Annotated[float, Between(0, 3600)] = 0.0
    probability: Fraction = 0.5

    def __post_init__(self) -> None:
        try:
            check_fields(self)
        except Misfit as error:
            raise UserError(f"augment.{error}") from error

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> "Augment":
        """Makes it from the strengths of a configuration.

        Raises:
            UserError: For a name that is not an augmentation.
        """
        names = [field.name for field in fields(cls)]
        if unknown := [name for name in values if name not in names]:
            raise UserError(f"There is no augmentation {', '.join(unknown)}. Choose from: {', '.join(names)}.")
        return cls(**values)

    def recordings(self, x: Tensor, mask: Tensor, rate: float) -> Tensor:
        """Varies what happens at the patient and the electrodes, before any processing.

        Args:
            x: (batch, 12, samples) recordings, mV.
            mask: (batch, 1, samples), True where a sample is valid; the rest stays 0.
            rate: Sampling rate, Hz.
        """
        if not any((self.noise, self.wander, self.mains, self.rotation)):
            return x
        signal = x.transpose(1, 2)  # (batch, samples, leads), the order in memory
        if self.rotation:
            signal = signal @ self._rotations(x).mT
        if self.wander or self.mains:
            waves, weights = self._waves(x, rate)
            signal = signal + waves @ (weights @ ELECTRODES.to(x).mT)
        if self.noise:
            white = torch.randn(*signal.shape[:2], ELECTRODES.shape[1], device=x.device)
            signal = signal + (white * self._strengths(x, self.noise)) @ ELECTRODES.to(x).mT
        return signal.transpose(1, 2) * mask

    def hide_leads(self, x: Tensor) -> Tensor:
        """Makes recordings lack leads, of those that the network sees, before normalisation.

        Args:
            x: (batch, leads, samples), mV. A lead that is zero throughout is not the one that stays.
        """
        batch, leads, _ = x.shape
        if not self.lead_mask or leads == 1:
            return x
        is_masked = torch.rand(batch, 1, device=x.device) < self.lead_mask
        visible_leads = torch.randint(1, leads, (batch, 1), device=x.device)
        order = torch.rand(batch, leads, device=x.device) + (x == 0).all(2)
        stays = (order.argsort(1).argsort(1) < visible_leads) | ~is_masked
        return x * stays[:, :, None]

    def inputs(self, x: Tensor, mask: Tensor, rate: float) -> Tensor:
        """Varies the network's input, after normalisation.

        Args:
            x: (batch, leads, samples) input, any leads.
            mask: (batch, 1, samples), True where a sample is valid; padding stays where it is.
            rate: Sampling rate, Hz.
        """
        batch, leads, samples = x.shape
        time = torch.arange(samples, device=x.device)
        length = mask.sum(2)
        if most := round(self.shift * rate):
            by = torch.randint(-most, most + 1, (batch, 1), device=x.device)
            source = torch.where(mask[:, 0], (time - by) % length.clamp(min=1), time)
            rows = (source + samples * torch.arange(batch, device=x.device)[:, None]).flatten()
            x = x.transpose(1, 2).reshape(-1, leads)[rows].view(batch, samples, leads).transpose(1, 2)
        if self.gain or self.lead_dropout:
            factor = 1 + self.gain * (2 * torch.rand(batch, 1, 1, device=x.device) - 1)
            audible = torch.rand(batch, leads, 1, device=x.device) >= self.lead_dropout
            x = x * (factor * (audible | ~audible.any(1, keepdim=True)))
        if self.time_mask:
            silent = self._strengths(x, self.time_mask * rate)[:, :, 0].minimum(length / 2)
            start = torch.rand(batch, 1, device=x.device) * (length - silent)
            x = x * ~((time >= start) & (time < start + silent))[:, None]
        return x

    def _strengths(self, x: Tensor, most: float) -> Tensor:
        """Draws (batch, 1, 1) strengths evenly from 0 to `most`; 0 for recordings that are not varied."""
        strength, chance = torch.rand(2, len(x), 1, 1, device=x.device)
        strengths: Tensor = most * strength * (chance < self.probability)
        return strengths

    def _waves(self, x: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """Draws sines (batch, samples, 3), two of wander and one of mains, and their weights (batch, 3, electrodes)."""
        batch, _, samples = x.shape
        frequency = torch.rand(batch, 3, device=x.device) * 0.45 + 0.05
        frequency[:, 2] = torch.where(frequency[:, 2] < 0.275, 50, 60)
        time = torch.arange(samples, device=x.device) / rate
        phase = 2 * pi * torch.rand(batch, 1, 3, device=x.device)
        waves = torch.sin(2 * pi * frequency[:, None] * time[:, None] + phase)
        wander, mains = self._strengths(x, self.wander), self._strengths(x, self.mains)
        below_limit = mains * (frequency[:, 2, None, None] < rate / 2)
        weights = torch.randn(batch, 3, ELECTRODES.shape[1], device=x.device)
        return waves, weights * torch.cat([wander, wander, below_limit], dim=1)

    def _rotations(self, x: Tensor) -> Tensor:
        """Draws matrices (batch, 12, 12) that rotate the dipole part of each recording, and leave the rest."""
        angles = radians(self.rotation) * (2 * torch.rand(len(x), 3, device=x.device) - 1)
        angles = angles * (torch.rand(len(x), 1, device=x.device) < self.probability)
        generator = torch.zeros(len(x), 3, 3, device=x.device)
        generator[:, [2, 0, 1], [1, 2, 0]] = angles
        turn = torch.linalg.matrix_exp(generator - generator.mT)
        eye, dipole = torch.eye(3, device=x.device), DIPOLE.to(x)
        turns: Tensor = torch.eye(12, device=x.device) + dipole @ (turn - eye) @ torch.linalg.pinv(dipole)
        return turns
