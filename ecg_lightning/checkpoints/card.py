"""A checkpoint's card: what it says of itself, as a frozen type that refuses what it does not know.

A card comes with a file from somebody else. So nothing of it is believed before `Card.from_dict` has compared every value
with the type of its field, and nothing of it is ever executed (see `checkpoint.py` for the name of the network).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.checkpoints.card_values import migrated, plain, typed
from ecg_lightning.errors import UserError
from ecg_lightning.metrics.calibration import Calibration

FORMAT = 4
"""Version of the layout; a reader refuses newer ones and migrates older ones."""
CLASS_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Input:
    """What a network sees: recordings of `seconds` at `sampling_rate` Hz, prepared as `transforms.Preprocess` says."""

    sampling_rate: int
    seconds: float
    preprocess: dict[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Makes the input that a datamodule specifies (`input_spec`)."""
        spec: Self = typed(cls, plain(values), "input")
        return spec

    def __post_init__(self) -> None:
        if not 0 < self.sampling_rate <= 100_000 or not 0 < self.seconds * self.sampling_rate <= 100_000_000:
            raise ValueError(f"an input of {self.seconds} s at {self.sampling_rate} Hz")

    @property
    def leads(self) -> list[str]:
        """The leads that the network sees, in order."""
        return list(self.preprocess["leads"])


@dataclass(frozen=True)
class Metadata:
    """The patient data that a network sees beside the signal.

    Attributes:
        columns: their names, in order.
        mean: of each column, over the recordings that trained the branch.
        scale: one standard deviation of each column there.
    """

    columns: list[str]
    mean: list[float]
    scale: list[float]

    def __post_init__(self) -> None:
        if not self.columns or not len(self.columns) == len(self.mean) == len(self.scale) or min(self.scale) <= 0:
            raise ValueError("metadata: not one mean and one scale above 0 for each column")


@dataclass(frozen=True)
class Data:
    """The recordings that a network was trained on, in numbers.

    Attributes:
        source: the archive.
        fingerprint: of the store.
        label_space: the items that the configuration named.
        val_folds: held out for validation.
        test_folds: held out for the test.
        allow_leak: whether held-out recordings were allowed in training.
        records: recordings of each side.
        parts: of a mix, each source.
        temperature: of a mix, see `MixedDataModule`.
        weights: of a mix.
        leave_out: of a mix.
    """

    source: str
    fingerprint: str
    label_space: list[str]
    val_folds: list[int]
    test_folds: list[int]
    records: dict[str, int]
    allow_leak: bool = False
    parts: "dict[str, Data] | None" = None
    temperature: float | None = None
    weights: dict[str, float] | None = None
    leave_out: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Makes the data that a datamodule describes (`describe`)."""
        data: Self = typed(cls, plain(values), "data")
        return data


@dataclass(frozen=True)
class Parent:
    """The checkpoint whose weights a run began with."""

    name: str
    sha256: str
    data: Data
    parent: "Parent | None" = None


@dataclass(frozen=True)
class Provenance:
    """Versions and commit that a run is repeated with."""

    ecg_lightning: str = ""
    git_commit: str = ""
    python: str = ""
    torch: str = ""
    lightning: str = ""
    numpy: str = ""


@dataclass(frozen=True)
class Scaling:
    """Calibration, per term: probability = sigmoid(slope · logit + intercept)."""

    slope: list[float | None]
    intercept: list[float | None]


@dataclass(frozen=True)
class Test:
    """The report of this very checkpoint on its test folds.

    `terms` has a row of numbers a term; `lead_sets` the macro AUROC where only some leads were shown, by their names;
    `averages` the macro and other averages with their intervals, which `bootstrap` explains.
    """

    __test__ = False  # not one of pytest's

    checkpoint_sha256: str
    data: Data
    records: int
    metrics: dict[str, Any]
    terms: list[dict[str, Any]]
    sources: dict[str, Any] = field(default_factory=dict)
    lead_sets: dict[str, float | None] = field(default_factory=dict)
    averages: dict[str, Any] = field(default_factory=dict)
    patients: int | None = None
    bootstrap: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Card:
    """What a checkpoint says of itself.

    Attributes:
        model: `name` of the module and the arguments of its network, as configured.
        label_space: name or items of the label space.
        terms: the ordered terms, one a logit.
        input: what the network sees.
        data: what it was trained on.
        provenance: versions that a run is repeated with.
        allow_leak: whether a leak was allowed, here or in an ancestor.
        parent: where the weights came from; None from scratch.
        seen: the number of recordings, the ancestors' too, that its list of fingerprints has.
        ancestry_unknown: whether that list is not whole: recordings that neither it nor `archives` names trained it or an
            ancestor.
        archives: archives that trained an ancestor, of whose recordings there are no fingerprints, by the names of sources.
        family: the public family that the weights come from, themselves or an ancestor's; None for none.
        licence: of the weights, where whoever published them said so.
        citation: what its authors ask to be cited.
        thresholds: probabilities at and above which a term is positive; None for a term that was not learnt.
        calibration: from logits to probabilities.
        threshold_rule: by which the thresholds were chosen on validation, see `Decision.rule`; "" before any validation.
        calibration_method: by which the calibration was fitted there: platt, temperature or none; "" before any validation.
        metrics: of the validation of this epoch; None where a number is not defined.
        epoch: whose weights these are, counted from 0.
        name: under which it was published.
        test: what `test` measured on it.
        metadata: the patient data that it sees beside the signal; None for the signal alone.
        lead_mask: how often leads were hidden from it in training; 0 where it never saw a recording with masked leads.
        notes: sentences that whoever uses the network must know; `predict` prints them.
        reference: the logits for the recordings of `reference.py`, computed when it was published; None before that.
    """

    model: dict[str, Any]
    label_space: Any
    terms: list[str]
    input: Input
    data: Data
    provenance: Provenance = field(default_factory=Provenance)
    allow_leak: bool = False
    parent: Parent | None = None
    seen: int | None = None
    ancestry_unknown: bool = False
    archives: list[str] = field(default_factory=list)
    family: str | None = None
    licence: str = ""
    citation: str = ""
    thresholds: list[float | None] = field(default_factory=list)
    calibration: Scaling = field(default_factory=lambda: Scaling([], []))
    threshold_rule: str = ""
    calibration_method: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)
    epoch: int = 0
    name: str | None = None
    test: Test | None = None
    metadata: Metadata | None = None
    lead_mask: float = 0.0
    notes: list[str] = field(default_factory=list)
    reference: list[list[float]] | None = None

    def __post_init__(self) -> None:
        terms, leads = len(self.terms), self.input.preprocess.get("leads")
        if not terms or len(set(self.terms)) != terms:
            raise ValueError("terms: none, or one of them twice")
        if not isinstance(leads, list | tuple) or not leads or not all(isinstance(lead, str) for lead in leads):
            raise ValueError("input.preprocess.leads: no list of names")
        if not isinstance(self.model.get("name"), str) or not CLASS_NAME.fullmatch(self.model["name"]):
            raise ValueError("model.name: no name of a class")
        for key, values in (
            ("thresholds", self.thresholds), ("calibration.slope", self.calibration.slope),
            ("calibration.intercept", self.calibration.intercept),
        ):  # fmt: skip
            if values and len(values) != terms:
                raise ValueError(f"{key}: {len(values)} values for {terms} terms")
        if any(len(logits) != terms for logits in self.reference or []):
            raise ValueError(f"reference: not {terms} logits a recording")

    @property
    def decision_thresholds(self) -> NDArray[np.float64]:
        """(terms,) thresholds; 0.5 before any validation, NaN for a term that was not learnt, which is never positive."""
        return np.array(self.thresholds or [0.5] * len(self.terms), np.float64)

    @property
    def scaling(self) -> Calibration:
        """The calibration of logits; that which changes nothing before any validation."""
        slope, intercept = self.calibration.slope, self.calibration.intercept
        terms = len(self.terms)
        return Calibration(
            np.array(slope or [1.0] * terms, np.float64), np.array(intercept or [0.0] * terms, np.float64)
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, which JSON can hold: a number that is not finite is None."""
        values: dict[str, Any] = plain({"format": FORMAT} | asdict(self))
        return values

    def to_json(self) -> str:
        """Writes the card as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_dict(cls, values: Any, where: str) -> Self:
        """Makes the card that plain values describe.

        Args:
            values: what the file says.
            where: the file, for the message.

        Raises:
            UserError: where the format is newer than this version's, or a value is missing or of another type.
        """
        if not isinstance(values, Mapping):
            raise UserError(f"{where} has no card of ecg_lightning: it does not say what the network is.")
        number = values.get("format")
        if isinstance(number, int) and number > FORMAT:
            raise UserError(
                f"{where} has a card of format {number}, and this version of ecg_lightning reads formats up to {FORMAT}. "
                "Update ecg_lightning to use it."
            )
        try:
            card: Self = typed(cls, migrated(plain(values)), "")
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{where} has a card that ecg_lightning cannot use ({error}). It was damaged, or not written by a `fit` of "
                "ecg_lightning."
            ) from error
        return card

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """As `from_dict`, of JSON."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where} has a card that is not readable JSON ({error}).") from error
        return cls.from_dict(values, where)

    def with_test(self, report: Mapping[str, Any], where: str) -> Self:
        """Returns this card with a report of `test`.

        Raises:
            UserError: where the report is not one of `test`.
        """
        try:
            test = typed(Test, plain(report), "test")
        except (ValueError, TypeError) as error:
            raise UserError(f"{where} is not a report of `test` ({error}). Run `test` again.") from error
        if [row.get("term") for row in test.terms] != self.terms:
            raise UserError(
                f"{where} measured other terms than the network's. Run `test` with its data.label_space again."
            )
        return replace(self, test=test)
