"""What a page reads of `test.json`, with its types: a file that somebody damaged is refused by name before anything is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecg_lightning.checkpoints.card_values import plain, typed


@dataclass(frozen=True)
class Bounds:
    """An interval; None where it is not defined."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Estimate(Bounds):
    """A number with its interval."""

    value: float | None = None


@dataclass(frozen=True)
class Term:
    """A row of the table of terms; metrics without a value are None."""

    term: str
    positive: int
    negative: int
    annotated: int
    threshold: float | None = None
    auroc: float | None = None
    ap: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    ppv: float | None = None
    npv: float | None = None
    f1: float | None = None
    gmean: float | None = None
    f2: float | None = None
    brier: float | None = None
    ece: float | None = None
    intervals: dict[str, Bounds] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A source: its recordings and folds of each side."""

    records: dict[str, int] = field(default_factory=dict)
    val_folds: list[int] = field(default_factory=list)
    test_folds: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Data(Part):
    """The data of the test; the label space is a name, or a list of terms."""

    source: str
    fingerprint: str
    label_space: Any
    allow_leak: bool = False
    parts: dict[str, Part] | None = None


@dataclass(frozen=True)
class GroupTerm:
    """One term in a group."""

    term: str
    positive: int | None = None
    auroc: Estimate | None = None


@dataclass(frozen=True)
class Group:
    """A group of recordings."""

    name: Any
    records: int
    patients: int
    metrics: dict[str, Estimate | None] | None = None
    gaps: dict[str, Estimate | None] | None = None
    terms: list[GroupTerm] | None = None
    few: list[str] | None = None


@dataclass(frozen=True)
class Division:
    """Groups of one kind."""

    by: str
    reference: Any
    groups: list[Group]
    unknown: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """The numbers as the PTB-XL benchmark counts."""

    level: float = 0.9
    macro_auroc: Estimate | None = None
    fmax: Estimate | None = None
    f_beta: Estimate | None = None
    g_beta: Estimate | None = None


@dataclass(frozen=True)
class Bootstrap:
    """How the intervals were made."""

    resamples: int


@dataclass(frozen=True)
class Decision:
    """The rules of thresholds and calibration."""

    thresholds: str
    calibration: str
    chosen_on: str


@dataclass(frozen=True)
class Shape:
    """The whole file."""

    checkpoint: str
    checkpoint_sha256: str
    data: Data
    records: int
    patients: int
    terms: list[Term]
    bootstrap: Bootstrap
    decision: Decision | None = None
    averages: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    benchmark: Benchmark = field(default_factory=Benchmark)
    scores: dict[str, Estimate | None] | None = None
    groups: list[Division] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lead_sets: dict[str, float | None] | None = None


def check(report: Mapping[str, Any]) -> None:
    """Refuses a report whose values are not those that `test` writes.

    Args:
        report: the content of `test.json`.

    Raises:
        ValueError: that names the first value that is missing or of another type.
    """
    label_space = typed(Shape, plain(report), "").data.label_space
    is_known_form = isinstance(label_space, str | list)
    if not is_known_form:
        raise ValueError(f"data.label_space: {type(label_space).__name__} instead of a name or a list")
    if not report["terms"]:
        raise ValueError("terms: there are none")
