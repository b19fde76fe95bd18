"""A published network applied to recordings of any format, rate, lead order and length."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ecg_lightning import checkpoints
from ecg_lightning.datamodules.metadata import value_of
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.fewer_leads import missing_leads
from ecg_lightning.metrics import Calibration
from ecg_lightning.metrics.windows import average_windows
from ecg_lightning.records import LEADS, Record, RecordError, repair
from ecg_lightning.records.leads import standard_leads
from ecg_lightning.store.microvolts import to_microvolts
from ecg_lightning.store.windows import cuts_of
from ecg_lightning.transforms import Preprocess


class Predictor:
    """A network with the input that it expects: from recordings to probabilities.

    Args:
        checkpoint: a published name, a file, or a URL.
        device: where the network runs; a GPU where there is one.
        trusted: a class outside of ecg_lightning that the checkpoint may name, see `Checkpoint.network`.
        batch_size: windows that the network sees at once.
        allow_missing_leads: go on with recordings that lack leads which the network sees, although it was not trained for it.

    Attributes:
        card: what the checkpoint says of itself.
        terms: the ordered terms that it has learnt; the outputs for all other terms mean nothing and are left out.
        not_learnt: the terms that its training recordings could not teach.
        thresholds: (terms,) probabilities from which a term is positive; chosen on validation.
    """

    def __init__(
        self,
        checkpoint: str,
        device: str | None = None,
        trusted: str | None = None,
        batch_size: int = 64,
        allow_missing_leads: bool = False,
    ) -> None:
        checkpoint_read = checkpoints.read(checkpoint)
        self.card = card = checkpoint_read.card
        self.allow_missing_leads = allow_missing_leads
        self.batch_size = batch_size
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = checkpoint_read.network(trusted).to(self.device)
        self.learnt = ~np.isnan(card.decision_thresholds)
        terms = np.array(checkpoint_read.terms, object)
        self.terms, self.not_learnt = terms[self.learnt].tolist(), terms[~self.learnt].tolist()
        if not self.terms:
            raise UserError(
                f"{checkpoint} has learnt none of its terms ({', '.join(checkpoint_read.terms)}): it cannot predict anything. "
                "Train it on recordings that are annotated with these terms."
            )
        self.thresholds = card.decision_thresholds[self.learnt]
        scaling = card.scaling
        self.calibration = Calibration(scaling.slope[self.learnt], scaling.intercept[self.learnt])
        spec = card.input
        self.sampling_rate = spec.sampling_rate
        self.window = round(spec.seconds * spec.sampling_rate)
        self.preprocess = Preprocess.from_dict(spec.preprocess)
        self.metadata: list[str] = card.metadata.columns if card.metadata is not None else []

    def missing_leads(self, record: Record) -> tuple[str, ...]:
        """The leads that the network sees and a recording lacks.

        Raises:
            RecordError: where there are any, the network was not trained with masked leads, and they are not allowed.
        """
        missing = missing_leads(record, self.preprocess.leads)
        if missing and self.card.lead_mask == 0 and not self.allow_missing_leads:
            raise RecordError(
                f"missing leads: {', '.join(missing)}, which the network sees. It was trained without augment.lead_mask, so "
                "that its output for such a recording was never measured. Predict with all leads, or allow it by "
                "--allow-missing-leads"
            )
        return missing

    def unknown_metadata(self, record: Record) -> tuple[str, ...]:
        """The columns of patient data that the network sees and a recording does not state."""
        return tuple(column for column in self.metadata if np.isnan(value_of(record, column)))

    def logits(self, records: Sequence[Record]) -> NDArray[np.float64]:
        """(records, terms) logits, averaged over the windows of recordings longer than the network's input.

        Raises:
            RecordError: where a recording lacks leads, see `missing_leads`.
        """
        for record in records:
            self.missing_leads(record)
        values = [[value_of(record, column) for column in self.metadata] for record in records]
        metadata = np.array(values, np.float32).reshape(len(records), len(self.metadata))
        signals = [to_microvolts(record.signal, record.sampling_rate, self.sampling_rate)[0] for record in records]
        cuts = cuts_of(map(len, signals), self.window)
        logits = np.empty((len(cuts), len(self.learnt)))
        for first in range(0, len(cuts), self.batch_size):
            batch = slice(first, first + self.batch_size)
            logits[batch] = self._logits_of_windows(signals, cuts[batch], metadata)
        return average_windows(logits, cuts[:, 0])[:, self.learnt]

    def _logits_of_windows(
        self, signals: Sequence[NDArray[np.int16]], cuts: NDArray[np.int64], metadata: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """(windows, outputs of the network) its logits for some windows.

        Args:
            signals: (samples, 12) microvolts of each recording.
            cuts: (windows, 2) a recording and a first sample, see `cuts_of`.
            metadata: (records, columns) patient data of each recording.
        """
        windows = np.zeros((len(cuts), self.window, len(LEADS)), np.int16)
        valid = np.empty(len(cuts), np.int64)
        for number, (record, start) in enumerate(cuts.tolist()):
            window = signals[record][start : start + self.window]
            windows[number, : len(window)], valid[number] = window, len(window)
        microvolts, samples = (torch.from_numpy(values).to(self.device) for values in (windows, valid))
        with torch.inference_mode():
            x = self.preprocess(microvolts, samples, self.sampling_rate)
            beside = (torch.from_numpy(metadata[cuts[:, 0]]).to(self.device),) if self.metadata else ()
            outputs = self.network(x, *beside)
        return np.asarray(outputs.double().cpu().numpy())

    def probabilities(self, records: Sequence[Record], calibrated: bool = False) -> NDArray[np.float64]:
        """(records, terms) probabilities; `calibrated` by the scaling that validation chose."""
        return self.from_logits(self.logits(records), calibrated)

    def from_logits(self, logits: NDArray[np.float64], calibrated: bool = False) -> NDArray[np.float64]:
        """Probabilities of logits, as `probabilities` has them."""
        return self.calibration.apply(logits) if calibrated else np.asarray(expit(logits), np.float64)

    def positive(self, probabilities: NDArray[np.float64]) -> list[str]:
        """The terms of one recording whose (uncalibrated) probability reaches the threshold."""
        return [term for term, positive in zip(self.terms, probabilities >= self.thresholds, strict=True) if positive]

    def predict(
        self,
        signal: ArrayLike,
        sampling_rate: float,
        leads: Sequence[str] = LEADS,
        calibrated: bool = False,
        age: float = np.nan,
        sex: str = "",
    ) -> dict[str, float]:
        """The probability of each term in one recording.

        Args:
            signal: (leads, samples) in millivolts.
            sampling_rate: Hz.
            leads: the names of the rows; missing limb leads are derived from two of I, II and III.
            calibrated: by the scaling that validation chose.
            age: years, for a network that sees patient data; NaN where unknown.
            sex: F, M, or "" where unknown.

        Raises:
            RecordError: where the recording cannot be used.
        """
        standard, flags = standard_leads(np.asarray(signal, np.float32), leads, incomplete=True)
        record = repair(Record(standard, sampling_rate, age=age, sex=sex, quality=flags), incomplete=True)
        return dict(zip(self.terms, map(float, self.probabilities([record], calibrated)[0]), strict=True))


def load(
    checkpoint: str,
    device: str | None = None,
    trusted: str | None = None,
    batch_size: int = 64,
    allow_missing_leads: bool = False,
) -> Predictor:
    """A published network, or a run's: a name, a file, a run's `.ckpt` or a URL; arguments as of `Predictor`."""
    return Predictor(checkpoint, device, trusted, batch_size, allow_missing_leads)
