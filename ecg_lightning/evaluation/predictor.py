"""A published network applied to recordings of any format, rate, lead order and length."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ecg_lightning import checkpoints
from ecg_lightning.errors import UserError
from ecg_lightning.metrics import Calibration
from ecg_lightning.records import LEADS, Record, repair
from ecg_lightning.records.leads import standard_leads
from ecg_lightning.store.microvolts import to_microvolts
from ecg_lightning.store.windows import windows_of
from ecg_lightning.transforms import Preprocess


class Predictor:
    """A network with the input that it expects: from recordings to probabilities.

    Args:
        checkpoint: a published name, a file, or a URL.
        device: where the network runs; a GPU where there is one.
        trusted: a class outside of ecg_lightning that the checkpoint may name, see ``Checkpoint.network``.

    Attributes:
        terms: the ordered terms that it has learnt; outputs for others say nothing, and are left out.
        not_learnt: the terms that its training recordings could not teach.
        thresholds: (terms,) probabilities at and above which a term is positive; chosen on validation.
    """

    def __init__(self, checkpoint: str, device: str | None = None, trusted: str | None = None) -> None:
        found = checkpoints.read(checkpoint)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = found.network(trusted).to(self.device)
        self.learnt = ~np.isnan(found.card.decision_thresholds)
        self.terms, self.not_learnt = (
            [term for term, learnt in zip(found.terms, self.learnt, strict=True) if learnt == wanted]
            for wanted in (True, False)
        )
        if not self.terms:
            raise UserError(
                f"{checkpoint} has learnt none of its terms ({', '.join(found.terms)}): it predicts nothing."
            )
        self.thresholds = found.card.decision_thresholds[self.learnt]
        scaling = found.card.scaling
        self.calibration = Calibration(scaling.slope[self.learnt], scaling.intercept[self.learnt])
        spec = found.card.input
        self.sampling_rate = spec.sampling_rate
        self.window = round(spec.seconds * spec.sampling_rate)
        self.preprocess = Preprocess.from_dict(spec.preprocess)

    def logits(self, records: Sequence[Record]) -> NDArray[np.float64]:
        """(records, terms) logits, averaged over the windows of recordings longer than the network's input."""
        pieces, valid, owner = [], [], []
        for number, record in enumerate(records):
            microvolts, _ = to_microvolts(record.signal, record.sampling_rate, self.sampling_rate)
            for start in windows_of(len(microvolts), self.window):
                piece = microvolts[start : start + self.window]
                pieces.append(np.pad(piece, ((0, self.window - len(piece)), (0, 0))))
                valid.append(len(piece))
                owner.append(number)
        sums = np.zeros((len(records), len(self.learnt)))
        counts = np.bincount(owner, minlength=len(records))[:, None]
        for first in range(0, len(pieces), 64):
            cut = slice(first, first + 64)
            signals = torch.from_numpy(np.stack(pieces[cut])).to(self.device)
            x = self.preprocess(signals, torch.tensor(valid[cut], device=self.device), self.sampling_rate)
            with torch.inference_mode():
                np.add.at(sums, owner[cut], self.network(x).double().cpu().numpy())
        return (sums / counts)[:, self.learnt]

    def probabilities(self, records: Sequence[Record], calibrated: bool = False) -> NDArray[np.float64]:
        """(records, terms) probabilities; ``calibrated`` by the scaling that validation chose."""
        return self.from_logits(self.logits(records), calibrated)

    def from_logits(self, logits: NDArray[np.float64], calibrated: bool = False) -> NDArray[np.float64]:
        """Probabilities of logits, as `probabilities` has them."""
        return self.calibration.apply(logits) if calibrated else np.asarray(expit(logits), np.float64)

    def positive(self, probabilities: NDArray[np.float64]) -> list[str]:
        """The terms of one recording whose (uncalibrated) probability reaches the threshold."""
        return [term for term, hit in zip(self.terms, probabilities >= self.thresholds, strict=True) if hit]

    def predict(
        self, signal: ArrayLike, sampling_rate: float, leads: Sequence[str] = LEADS, calibrated: bool = False
    ) -> dict[str, float]:
        """The probability of each term in one recording.

        Args:
            signal: (leads, samples) in millivolts.
            sampling_rate: Hz.
            leads: the names of the rows; missing limb leads are derived from I and II.
            calibrated: by the scaling that validation chose.

        Raises:
            RecordError: where the recording cannot be used.
        """
        standard, _ = standard_leads(np.asarray(signal, np.float32), leads)
        record = repair(Record(standard, sampling_rate))
        return dict(zip(self.terms, map(float, self.probabilities([record], calibrated)[0]), strict=True))


def load(checkpoint: str, device: str | None = None, trusted: str | None = None) -> Predictor:
    """A published network, or a run's: a name, a file, a run's ``.ckpt`` or a URL; arguments as of `Predictor`."""
    return Predictor(checkpoint, device, trusted)
