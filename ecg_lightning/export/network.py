"""A network with all that lies between a recording and its probabilities, as one module that torch can export."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.export.state_space import with_fixed_kernels
from ecg_lightning.records import LEADS
from ecg_lightning.transforms import Preprocess

MOST_MICROVOLTS = 32767
"""Values beyond are clipped, as the store does it."""


class Deployed(nn.Module):
    """Cuts recordings into windows, prepares each, asks the network, and averages: what `Predictor.probabilities` does.

    Its outputs are calibrated probabilities of the terms that the network has learnt.

    Args:
        predictor: the network, and how its input is prepared.
        millivolts: whether it takes float32 millivolts; int16 microvolts otherwise.
    """

    learnt: Tensor
    slope: Tensor
    intercept: Tensor

    def __init__(self, predictor: Predictor, millivolts: bool = False) -> None:
        super().__init__()
        inputs = [torch.zeros(1, len(predictor.preprocess.leads), predictor.window)]
        if predictor.metadata:
            inputs.append(torch.zeros(1, len(predictor.metadata)))
        self.network = with_fixed_kernels(predictor.network, tuple(inputs))
        self.preprocess: Preprocess = predictor.preprocess
        self.rate, self.window, self.millivolts = predictor.sampling_rate, predictor.window, millivolts
        scaling = predictor.calibration
        self.register_buffer("learnt", torch.from_numpy(predictor.learnt.nonzero()[0]))
        self.register_buffer("slope", torch.from_numpy(scaling.slope).float())
        self.register_buffer("intercept", torch.from_numpy(scaling.intercept).float())

    def forward(self, signals: Tensor, lengths: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Computes (batch, terms) calibrated probabilities.

        Args:
            signals: (batch, samples, 12) recordings at the network's rate, in the order of the standard leads: int16 in
                microvolts, or float32 in millivolts.
            lengths: (batch,) int64, samples of each recording without its padding, at least one.
            metadata: (batch, columns) float32 patient data, NaN where unknown, for a network that sees them.
        """
        batch, samples = signals.shape[:2]
        counts = ((lengths + self.window - 1) // self.window).clamp(min=1)
        # one more than the longest recording has, so that there are two at least and 1 is no special number
        most = (samples + self.window - 1) // self.window + 1
        rows, number = (torch.arange(most) < counts[:, None]).nonzero(as_tuple=True)
        torch._check(rows.shape[0] >= 1)  # type: ignore[no-untyped-call]
        length = lengths[rows]
        last = (length - self.window).clamp(min=0)
        # as `store.windows.windows_of` places them; a float32 would round long recordings otherwise
        starts = torch.round(number * last / (counts[rows] - 1).clamp(min=1).double()).long()
        position = starts[:, None] + torch.arange(self.window)
        inside = position < length[:, None]
        flat = rows[:, None] * samples + position.minimum(length[:, None] - 1)
        windows = self._microvolts(signals.flatten(0, 1)[flat]) * inside[:, :, None]
        x = self.preprocess(windows, inside.sum(1), self.rate)
        beside = () if metadata is None else (metadata[rows],)
        logits = self.network(x, *beside)[:, self.learnt]
        belongs = (rows == torch.arange(batch)[:, None]).to(logits.dtype)
        return torch.sigmoid(self.slope * (belongs @ logits / counts[:, None]) + self.intercept)

    def _microvolts(self, signals: Tensor) -> Tensor:
        """Returns whole microvolts: a network has never seen anything between."""
        if not self.millivolts:
            return signals.float()
        return (signals * 1000).round().clamp(-MOST_MICROVOLTS, MOST_MICROVOLTS)


def example_inputs(
    predictor: Predictor, millivolts: bool = False, seconds: Sequence[float] = (1.7, 0.6)
) -> tuple[Tensor, ...]:
    """Makes inputs with which an export is traced and tried: a wave with noise, of several windows and of less than one.

    Args:
        predictor: the network.
        millivolts: whether in float32 millivolts; int16 microvolts otherwise.
        seconds: length of each recording, in windows.
    """
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([max(1, round(length * predictor.window)) for length in seconds])
    time = torch.arange(int(lengths.max()))[None, :, None] / predictor.sampling_rate
    noise = torch.randn(len(lengths), time.shape[1], len(LEADS), generator=generator)
    wave = 600 * torch.sin(2 * torch.pi * 1.2 * time + torch.arange(len(LEADS))) + 150 * noise
    wave = wave * (torch.arange(time.shape[1]) < lengths[:, None])[:, :, None]
    signals = wave.round() / 1000 if millivolts else wave.round().to(torch.int16)
    columns = len(predictor.metadata)
    beside = torch.rand(len(lengths), columns, generator=generator) * 50
    if columns:
        beside[-1, 0] = torch.nan
    return (signals, lengths, *((beside,) if columns else ()))
