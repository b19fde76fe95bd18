"""What the service says of a recording: the JSON of `POST /predict`, from which the page is made, too."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, Field

from ecg_lightning.evaluation.pages import bars_of, shadings_of
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.evaluation.saliency import STEPS
from ecg_lightning.figures import Shading, ecg_figure, encode
from ecg_lightning.figures.flags import flags_text
from ecg_lightning.records import LEADS, Record, RecordError
from ecg_lightning.service.limits import Limits, Refused

_COMPUTING = threading.Lock()
"""One recording is computed at a time: each computation uses all cores, and its memory is needed once."""


class Term(BaseModel):
    """One term of a prediction."""

    term: str
    name: str = Field(description="what the term means; empty where the vocabulary does not say it")
    probability: float = Field(description="calibrated on validation recordings")
    threshold: float = Field(description="probability from which the term is positive")
    positive: bool


class TermSaliency(BaseModel):
    """What in a recording speaks for a term."""

    term: str
    sampling_rate: float = Field(description="Hz of the values")
    leads: list[str]
    values: list[list[float]] = Field(
        description="(leads, samples) contribution of each sample to the term's logit, by integrated gradients"
    )


class Answer(BaseModel):
    """What a network says of a recording. Nothing in it names the recording, its files or the patient."""

    network: str
    positive: list[str]
    terms: list[Term] = Field(description="the positive ones first, each group by its distance from the threshold")
    seconds: float = Field(description="length of the recording")
    sampling_rate: float = Field(description="Hz of the recording")
    flags: list[str] = Field(description="what was repaired or is doubtful")
    missing_leads: list[str] = Field(description="leads that the network sees and the recording lacks")
    unknown_metadata: list[str] = Field(
        description="patient data that the network sees and the recording does not state"
    )
    not_learnt: list[str] = Field(description="terms that the network has not learnt and does not predict")
    notes: list[str] = Field(description="what whoever uses the network must know")
    saliency: list[TermSaliency] | None = Field(None, description="where it was asked for")
    picture: str | None = Field(None, description="the ECG on paper, shaded, as SVG; where it was asked for")


@dataclass(frozen=True, eq=False)
class Service:
    """A network that answers.

    Attributes:
        predictor: the network.
        name: of the network, for people.
        limits: of the service.
    """

    predictor: Predictor
    name: str
    limits: Limits

    def warm_up(self) -> None:
        """Answers for a made-up recording: the first answer imports packages for seconds, and no client should wait for it."""
        time = np.arange(round(10 * self.predictor.sampling_rate), dtype=np.float32) / self.predictor.sampling_rate
        wave = np.sin(2 * np.pi * time + np.arange(len(LEADS), dtype=np.float32)[:, None])
        self.answer(Record(wave.astype(np.float32), self.predictor.sampling_rate), saliency=True, picture=True)

    def answer(self, record: Record, *, saliency: bool = False, picture: bool = False) -> Answer:
        """Computes what the network says of a recording.

        Args:
            record: the recording.
            saliency: with what speaks for the positive terms, or for the first where none is positive.
            picture: with the ECG on paper, shaded by the same.

        Raises:
            Refused: for a recording that is too long, lacks leads, or has no finite output.
        """
        predictor, seconds = self.predictor, record.signal.shape[1] / record.sampling_rate
        if seconds > self.limits.recording_seconds:
            raise Refused(
                422,
                f"The recording has {seconds:,.0f} s; at most {self.limits.recording_seconds:g} s are predicted here. "
                "Use `predict` on the command line.",
            )
        with _COMPUTING:
            try:
                missing = predictor.missing_leads(record)
                logits = predictor.logits([record])[0]
            except RecordError as error:
                raise Refused(422, f"The recording cannot be used: {error}.") from None
            if not np.isfinite(logits).all():
                raise Refused(500, "The network gives no finite number for this recording.")
            bars = bars_of(predictor, logits, calibrated=True)
            shadings = shadings_of(predictor, record, bars, STEPS) if saliency or picture else []
            drawing = _drawing(record, shadings) if picture else None
        return Answer(
            network=self.name,
            positive=[bar.term for bar in bars if bar.positive],
            terms=[Term(**vars(bar)) for bar in bars],
            seconds=seconds,
            sampling_rate=record.sampling_rate,
            flags=list(record.quality),
            missing_leads=list(missing),
            unknown_metadata=list(predictor.unknown_metadata(record)),
            not_learnt=predictor.not_learnt,
            notes=predictor.notes,
            saliency=[_saliency(term, shading) for term, shading in shadings] if saliency else None,
            picture=drawing,
        )


def _saliency(term: str, shading: Shading) -> TermSaliency:
    values: list[list[float]] = shading.values.round(6).tolist()
    return TermSaliency(term=term, sampling_rate=shading.sampling_rate, leads=list(LEADS), values=values)


def _drawing(record: Record, shadings: Sequence[tuple[str, Shading]]) -> str:
    """Returns the ECG on paper as SVG, without a name."""
    flags = flags_text(record.quality, without="missing")
    return encode(ecg_figure(record, notes=[flags] if flags else [], shadings=shadings), "svg").decode()
