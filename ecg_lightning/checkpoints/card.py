"""A checkpoint's card: what it says of itself, as a frozen type that refuses what it does not know.

A card comes with a file from somebody else. So nothing of it is believed before `Card.from_dict` has compared every value
with the type of its field, and nothing of it is ever executed (see `checkpoint.py` for the name of the network).
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.errors import UNPRINTABLE, UserError
from ecg_lightning.metrics.calibration import Calibration

FORMAT = 2
"""Version of the layout; a reader refuses newer ones and migrates older ones."""
CLASS_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
DEEPEST = 100
"""Mappings and lists within each other; each ancestor of a network adds one, and its data a few."""
LARGEST_INTEGER = 2**63
"""Whole numbers of a card are smaller: what counts recordings fits in 64 bits, and larger ones do not become floats."""


@dataclass(frozen=True)
class Input:
    """What a network sees: recordings of `seconds` at `sampling_rate` Hz, prepared as `transforms.Preprocess` says."""

    sampling_rate: int
    seconds: float
    preprocess: dict[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Makes the input that a datamodule specifies (`input_spec`)."""
        spec: Self = _typed(cls, _plain(values), "input")
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
        data: Self = _typed(cls, _plain(values), "data")
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

    `terms` has a row of numbers a term; `lead_sets` the macro AUROC where only some leads were shown, by their names.
    """

    __test__ = False  # not one of pytest's

    checkpoint_sha256: str
    data: Data
    records: int
    metrics: dict[str, Any]
    terms: list[dict[str, Any]]
    sources: dict[str, Any] = field(default_factory=dict)
    lead_sets: dict[str, float | None] = field(default_factory=dict)


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
        ancestry_unknown: whether that list is not whole: recordings that it does not name trained it or an ancestor.
        thresholds: probabilities at and above which a term is positive; None for a term that was not learnt.
        calibration: from logits to probabilities.
        metrics: of the validation of this epoch; None where a number is not defined.
        epoch: whose weights these are, counted from 0.
        name: under which it was published.
        test: what `test` measured on it.
        metadata: the patient data that it sees beside the signal; None for the signal alone.
        lead_mask: how often leads were hidden from it in training; 0 where it never saw a recording with masked leads.
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
    thresholds: list[float | None] = field(default_factory=list)
    calibration: Scaling = field(default_factory=lambda: Scaling([], []))
    metrics: dict[str, float | None] = field(default_factory=dict)
    epoch: int = 0
    name: str | None = None
    test: Test | None = None
    metadata: Metadata | None = None
    lead_mask: float = 0.0

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
        values: dict[str, Any] = _plain({"format": FORMAT} | asdict(self))
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
            card: Self = _typed(cls, _migrated(_plain(values)), "")
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
            return replace(self, test=_typed(Test, _plain(report), "test"))
        except (ValueError, TypeError) as error:
            raise UserError(f"{where} is not a report of `test` ({error}). Run `test` again.") from error


def _migrated(values: dict[str, Any]) -> dict[str, Any]:
    """Turns the values of an older format's card into those of today's."""
    number = values.pop("format", None)
    if not isinstance(number, int) or number < 1:
        raise ValueError("format: no number")
    if number == 1:  # it had the package's version beside the provenance, too
        version = values.pop("version", "")
        if isinstance(version, str):
            values["provenance"] = {"ecg_lightning": version} | dict(values.get("provenance") or {})
    return values


def _plain(value: Any, depth: int = 0) -> Any:
    """Returns a value as JSON can hold it: tuples are lists, and None stands for a number that is not finite.

    Raises:
        ValueError: for an object that JSON cannot hold, a text with control characters, a number that is too large, or
            mappings and lists that are nested too deeply.
    """
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} mappings and lists within each other")
    if isinstance(value, Mapping):
        return {_plain(key, depth): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, str) and UNPRINTABLE.search(value):
        raise ValueError(f"the text {value[:80]!a} has a control character")
    if isinstance(value, int) and not -LARGEST_INTEGER <= value < LARGEST_INTEGER:
        raise ValueError("a whole number of more than 64 bits")
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError(f"a value of the type {type(value).__name__}")
    return None if isinstance(value, float) and not math.isfinite(value) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(kind: Any, value: Any, where: str) -> Any:
    """Returns the value as its field's type has it; raises a ValueError that names the field otherwise."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        options = [option for option in inner if option is not NoneType]
        return None if value is None and NoneType in inner else _typed(options[0], value, where)
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where or 'card'}: no mapping")
        hints, arguments = _hints(kind), {}  # type: ignore[arg-type]
        for each in fields(kind):
            path = f"{where}.{each.name}" if where else each.name
            if each.name in value:
                arguments[each.name] = _typed(hints[each.name], value[each.name], path)
            elif each.default is MISSING and each.default_factory is MISSING:
                raise ValueError(f"{path} is missing")
        return kind(**arguments)  # type: ignore[operator]
    if origin is list and isinstance(value, list):
        return [_typed(inner[0], each, f"{where}[{k}]") for k, each in enumerate(value)]
    if origin is dict and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _typed(inner[1], each, f"{where}.{key}") for key, each in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{where}: {type(value).__name__} instead of {getattr(kind, '__name__', kind)}")
