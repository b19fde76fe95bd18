"""A published network applied to recordings of any format, rate, lead order and length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from torch import Tensor, nn

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.fewer_leads import missing_leads
from ecg_lightning.metrics import Calibration
from ecg_lightning.metrics.windows import average_windows
from ecg_lightning.models.network import Network
from ecg_lightning.records import LEADS, Record, RecordError, repair
from ecg_lightning.records.leads import standard_leads
from ecg_lightning.records.metadata import value_of
from ecg_lightning.store.microvolts import to_microvolts
from ecg_lightning.store.windows import cuts_of
from ecg_lightning.transforms import Preprocess


class SideBySide(nn.Module):
    """Networks with one input, each with outputs of its own.

    Args:
        networks: each maps (batch, leads, samples) to (batch, its terms).
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.feature_size = sum(network.feature_size for network in networks)

    def forward(self, x: Tensor, *beside: Tensor) -> Tensor:
        """Computes the logits of all networks, (batch, terms of all), of recordings (batch, leads, samples)."""
        return torch.cat([network(x, *beside) for network in self.networks], dim=1)

    def features(self, x: Tensor, *beside: Tensor) -> Tensor:
        """Computes the features of all networks, (batch, feature_size)."""
        return torch.cat([cast(Network, network).features(x, *beside) for network in self.networks], dim=1)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of recordings as a network sees them.

    Attributes:
        signals: (windows, leads, samples) preprocessed.
        beside: the patient data, (windows, columns), or nothing.
        starts: (windows,) first sample of each in its recording.
        lengths: (windows,) samples of each without its padding.
    """

    signals: Tensor
    beside: tuple[Tensor, ...]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


class Predictor:
    """A network with the input that it expects: from recordings to probabilities.

    Args:
        checkpoint: a published name, a file, a URL, or another project's `family:FILE`; several files of EcgLib, each with
            a term of its own, predict side by side.
        device: where the network runs; a GPU where there is one.
        trusted: a class outside of ecg_lightning that the checkpoint may name, see `Checkpoint.network`.
        batch_size: windows that the network sees at once.
        allow_missing_leads: go on with recordings that lack leads which the network sees, although it was not trained for it.

    Attributes:
        card: what the checkpoint says of itself.
        terms: the ordered terms that it has learnt; the outputs for all other terms mean nothing and are left out.
        name: its published name; else its path, or its URL without secrets.
        not_learnt: the terms that its training recordings could not teach.
        thresholds: (terms,) probabilities from which a term is positive; chosen on validation.
        notes: sentences of the card that whoever uses the network must know.
    """

    def __init__(
        self,
        checkpoint: str,
        device: str | None = None,
        trusted: str | None = None,
        batch_size: int = 64,
        allow_missing_leads: bool = False,
    ) -> None:
        members = checkpoints.read_all(checkpoint)
        cards = [member.card for member in members]
        _check_members(members)
        self.card = cards[0]
        self.lead_mask = min(card.lead_mask for card in cards)
        self.allow_missing_leads = allow_missing_leads
        self.notes = list(dict.fromkeys(note for card in cards for note in card.notes))
        self.batch_size = batch_size
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        networks = [member.network(trusted) for member in members]
        self.network = (networks[0] if len(networks) == 1 else SideBySide(networks)).to(self.device)
        thresholds = np.concatenate([card.decision_thresholds for card in cards])
        self.learnt = ~np.isnan(thresholds)
        terms = np.array([term for card in cards for term in card.terms], object)
        self.terms, self.not_learnt = terms[self.learnt].tolist(), terms[~self.learnt].tolist()
        self.name = cards[0].name or members[0].name
        self.thresholds = thresholds[self.learnt]
        slope, intercept = (
            np.concatenate([getattr(card.scaling, name) for card in cards])[self.learnt]
            for name in ("slope", "intercept")
        )
        self.calibration = Calibration(slope, intercept)
        spec = cards[0].input
        self.sampling_rate = spec.sampling_rate
        self.window = round(spec.seconds * spec.sampling_rate)
        self.preprocess = Preprocess.from_dict(spec.preprocess)
        self.metadata: list[str] = self.card.metadata.columns if self.card.metadata is not None else []

    def check_terms(self) -> None:
        """Asks that the network has a term to predict: an encoder without a head has features alone.

        Raises:
            UserError: where it has learnt none.
        """
        if not self.terms:
            raise UserError(
                f"{self.name} has learnt none of its terms ({', '.join(self.not_learnt)}): it cannot predict anything. "
                "Train it on recordings that are annotated with these terms (finetune.checkpoint=…), or take its features."
            )

    def missing_leads(self, record: Record) -> tuple[str, ...]:
        """The leads that the network sees and a recording lacks.

        Raises:
            RecordError: where there are any, the network was not trained with masked leads, and they are not allowed.
        """
        missing = missing_leads(record, self.preprocess.leads)
        if missing and self.lead_mask == 0 and not self.allow_missing_leads:
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
            UserError: where the network has learnt no term.
        """
        self.check_terms()
        return self._averaged(records, self.network, len(self.learnt))[:, self.learnt]

    def features(self, records: Sequence[Record]) -> NDArray[np.float32]:
        """(records, features) what the head of the network sees, averaged over windows as the logits are: an embedding.

        Raises:
            RecordError: where a recording lacks leads, see `missing_leads`.
        """
        return self._averaged(records, self.network.features, self.network.feature_size).astype(np.float32)

    def _averaged(self, records: Sequence[Record], function: Callable[..., Tensor], size: int) -> NDArray[np.float64]:
        """(records, size) what a function of the network puts out, averaged over the windows of each recording.

        Args:
            records: the recordings.
            function: from signals (and patient data) to (windows, size).
            size: number of its outputs.
        """
        signals, metadata = self._signals(records)
        cuts = cuts_of(map(len, signals), self.window)
        outputs = np.empty((len(cuts), size))
        for first in range(0, len(cuts), self.batch_size):
            batch = slice(first, first + self.batch_size)
            with torch.inference_mode():
                windows = self._windows(signals, cuts[batch], metadata)
                outputs[batch] = function(windows.signals, *windows.beside).double().cpu().numpy()
        return average_windows(outputs, cuts[:, 0])

    def windows(self, record: Record) -> Windows:
        """Returns the windows of one recording as the network sees them.

        Raises:
            RecordError: where the recording lacks leads, see `missing_leads`.
        """
        signals, metadata = self._signals([record])
        with torch.no_grad():
            return self._windows(signals, cuts_of(map(len, signals), self.window), metadata)

    def _signals(self, records: Sequence[Record]) -> tuple[list[NDArray[np.int16]], NDArray[np.float32]]:
        """Returns (samples, 12) microvolts at the network's rate of each recording, and (records, columns) patient data.

        Raises:
            RecordError: where a recording lacks leads, see `missing_leads`.
        """
        for record in records:
            self.missing_leads(record)
        values = [[value_of(record, column) for column in self.metadata] for record in records]
        metadata = np.array(values, np.float32).reshape(len(records), len(self.metadata))
        signals = [to_microvolts(record.signal, record.sampling_rate, self.sampling_rate)[0] for record in records]
        return signals, metadata

    def _windows(
        self, signals: Sequence[NDArray[np.int16]], cuts: NDArray[np.int64], metadata: NDArray[np.float32]
    ) -> Windows:
        """Returns some windows as the network sees them.

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
        x = self.preprocess(microvolts, samples, self.sampling_rate)
        beside = (torch.from_numpy(metadata[cuts[:, 0]]).to(self.device),) if self.metadata else ()
        return Windows(x, beside, cuts[:, 1], valid)

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


def _check_members(members: Sequence[Checkpoint]) -> None:
    """Refuses networks that cannot predict side by side: with another input, or with a term in common."""
    first, *rest = members
    terms = list(first.terms)
    for member in rest:
        if (member.card.input, member.card.metadata) != (first.card.input, first.card.metadata):
            raise UserError(f"{first.name} and {member.name} expect different inputs. Predict with each by itself.")
        if common := sorted(set(terms) & set(member.terms)):
            more = f" and {len(common) - 5} more" if len(common) > 5 else ""
            raise UserError(
                f"{member.name} predicts {', '.join(common[:5])}{more}, as another of these files does. Name one of them."
            )
        terms += member.terms


def load(
    checkpoint: str,
    device: str | None = None,
    trusted: str | None = None,
    batch_size: int = 64,
    allow_missing_leads: bool = False,
) -> Predictor:
    """A published network, or a run's: a name, a file, a run's `.ckpt` or a URL; arguments as of `Predictor`."""
    return Predictor(checkpoint, device, trusted, batch_size, allow_missing_leads)
