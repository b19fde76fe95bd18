"""How a network measures up in groups of recordings: by sex, age, source, site, device and quality."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.metrics import (
    Interval,
    Meter,
    Outputs,
    Resampled,
    interval,
    intervals_of,
    joined,
    mean_of_existing,
    with_all_records,
    without_single_patients,
)
from ecg_lightning.metrics.pairs import Booleans, Floats

METRICS = ("auroc", "ap", "brier", "ece", "sensitivity", "specificity", "ppv", "npv", "gmean", "f1", "f2")
OF_TERMS = ("auroc", "sensitivity", "specificity")
"""What is measured of each term in each group."""
FEWEST = 10
"""Patients of a group that is measured, and positives of a term, below which its numbers in a group say little."""
NOT_MEASURED = Interval(np.nan, np.nan, np.nan, 0)
"""What stands for the numbers of a smaller group: in resamples of three patients they would hardly vary, and look certain."""
MOST = 12
"""Groups of one kind; smaller ones are put together."""
REST = "all others"
AGES = {"0-17": (0, 18), "18-39": (18, 40), "40-64": (40, 65), "65-79": (65, 80), "80+": (80, np.inf)}
SEXES = {"F": "F", "M": "M"}
NO_FLAG = "no flag"


@dataclass(frozen=True)
class Division:
    """The groups of one kind.

    Attributes:
        by: the kind.
        groups: by name, (recordings,) which belong to it. Only those of `quality` share recordings.
        unknown: the number of recordings of which it is not known.
    """

    by: str
    groups: dict[str, Booleans]
    unknown: int

    @property
    def reference(self) -> str:
        """The largest group, with which the others are compared."""
        return max(self.groups, key=lambda name: int(self.groups[name].sum()))


def divisions(index: pd.DataFrame, sources: Mapping[str, Booleans]) -> list[Division]:
    """Returns the groups of each kind in which the recordings differ.

    Args:
        index: the store's rows of the recordings.
        sources: by source of a mix, (recordings,) which it has; empty where there is one source.
    """
    source = np.full(len(index), "", object)
    for name, rows in sources.items():
        source[rows] = name
    of_source = np.where(source == "", "", source + ": ")
    kinds = {
        "sex": index["sex"].map(SEXES).fillna("").to_numpy(object),
        "age": _age_bands(index["age"].to_numpy(np.float64)),
        "source": source,
        "site": _texts(index, "site", of_source),
        "device": _texts(index, "device", of_source),
    }
    divided = [_divided(by, values) for by, values in kinds.items()]
    return [division for division in (*divided, _by_quality(index)) if len(division.groups) > 1]


def measure_groups(
    outputs: Outputs, patients: NDArray[np.int64], of_kind: list[Division], terms: tuple[str, ...], resamples: int
) -> list[dict[str, Any]]:
    """Measures each group, and its gap to the largest group of its kind, in the same resamples of the patients.

    Groups of fewer than `FEWEST` patients are counted and not measured.

    Args:
        outputs: for all recordings.
        patients: (recordings,) a number for each patient.
        of_kind: the groups.
        terms: the names of the terms.
        resamples: the number of resamples.

    Returns:
        A mapping for each kind, as evaluation/README.md says it.
    """
    meters = [
        {
            name: (Meter(replace(outputs.at(rows), calibrated=None), ("macro",)), rows)
            for name, rows in division.groups.items()
            if np.unique(patients[rows]).size >= FEWEST
        }
        for division in of_kind
    ]
    parts: list[dict[str, list[Resampled]]] = [{name: [] for name in of_groups} for of_groups in meters]
    for weights in with_all_records(len(outputs), patients, resamples, 0) if of_kind else ():
        for of_groups, measured in zip(meters, parts, strict=True):
            for name, (meter, rows) in of_groups.items():
                measured[name].append(meter.measure(weights[rows]))
    return [
        {
            "by": division.by,
            "unknown": division.unknown,
            "reference": division.reference,
            "groups": list(
                _rows(division, {name: joined(chunks) for name, chunks in measured.items()}, outputs, patients, terms)
            ),
        }
        for division, measured in zip(of_kind, parts, strict=True)
    ]


def _rows(
    division: Division,
    measured: Mapping[str, Resampled],
    outputs: Outputs,
    patients: NDArray[np.int64],
    terms: tuple[str, ...],
) -> Iterator[dict[str, Any]]:
    """Yields what is said of each group, the largest one first."""
    reference = measured.get(division.reference)
    for name in sorted(division.groups, key=lambda name: (-int(division.groups[name].sum()), name)):
        rows, of_group = division.groups[name], measured.get(name)
        targets = outputs.targets[rows]
        positive, negative = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
        metrics, gaps = dict.fromkeys(METRICS, NOT_MEASURED), dict.fromkeys(METRICS, NOT_MEASURED)
        of_terms = {metric: [NOT_MEASURED] * len(terms) for metric in OF_TERMS}
        if of_group is not None:
            metrics = {metric: interval(of_group.averages["macro"][metric]) for metric in METRICS}
            of_each = without_single_patients(of_group, targets, patients[rows]).terms
            of_terms = {metric: intervals_of(of_each[metric]) for metric in OF_TERMS}
        if of_group is not None and reference is not None:
            gaps = {metric: interval(values) for metric, values in _gaps(of_group, reference).items()}
        yield {
            "name": name,
            "records": int(rows.sum()),
            "patients": int(np.unique(patients[rows]).size),
            "metrics": metrics,
            "gaps": {} if name == division.reference else gaps,
            "few": [term for term, count in zip(terms, positive, strict=True) if count < FEWEST],
            "terms": [
                {"term": term, "positive": int(positive[k]), "negative": int(negative[k])}
                | {metric: of_metric[k] for metric, of_metric in of_terms.items()}
                for k, term in enumerate(terms)
            ],
        }


def _gaps(group: Resampled, reference: Resampled) -> dict[str, Floats]:
    """Computes the macro averages of the differences, over the terms that exist in both on all records."""
    gaps = {}
    for metric in METRICS:
        differences = group.terms[metric] - reference.terms[metric]
        gaps[metric] = mean_of_existing(differences[:, ~np.isnan(differences[0])], axis=1)
    return gaps


def _divided(by: str, values: NDArray[np.object_]) -> Division:
    """Makes a group of each value; "" is unknown."""
    names, counts = np.unique(values[values != ""].astype(str), return_counts=True)
    largest = [str(names[k]) for k in np.argsort(-counts, kind="stable")[: MOST if len(names) <= MOST else MOST - 1]]
    groups = {name: np.asarray(values == name, np.bool_) for name in largest}
    others = (values != "") & ~np.isin(values.astype(str), largest)
    if others.any():
        groups[REST] = np.asarray(others, np.bool_)
    return Division(by, groups, int((values == "").sum()))


def _by_quality(index: pd.DataFrame) -> Division:
    """Makes a group of the recordings without a flag of quality, and one of each kind of flag."""
    flags = [{flag.partition(":")[0] for flag in str(text).split("|") if flag} for text in index["quality"]]
    kinds = sorted({flag for of_record in flags for flag in of_record})
    groups = {NO_FLAG: np.array([not of_record for of_record in flags], np.bool_)}
    groups |= {kind: np.array([kind in of_record for of_record in flags], np.bool_) for kind in kinds}
    return Division("quality", {name: rows for name, rows in groups.items() if rows.any()}, 0)


def _age_bands(ages: Floats) -> NDArray[np.object_]:
    bands = np.full(len(ages), "", object)
    for name, (low, high) in AGES.items():
        bands[(ages >= low) & (ages < high)] = name
    return bands


def _texts(index: pd.DataFrame, column: str, prefix: NDArray[np.object_]) -> NDArray[np.object_]:
    """Returns the texts of a column, after the source of a mix, in which equal names mean different places."""
    if column not in index:
        return np.full(len(index), "", object)
    texts = index[column].fillna("").astype(str).to_numpy(object)
    return np.where(texts == "", "", prefix + texts)
