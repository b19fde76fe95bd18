"""What test.json says: the numbers of an evaluation with their intervals (README.md beside it lists the keys)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.evaluation.groups import FEWEST, divisions, measure_groups
from ecg_lightning.evaluation.predictions import Predictions
from ecg_lightning.labels import LabelSpace
from ecg_lightning.metrics import (
    Interval,
    Outputs,
    interval,
    intervals,
    intervals_of,
    joined,
    summarise,
    table,
    with_all_records,
    without_single_patients,
)
from ecg_lightning.metrics.bootstrap import LEVEL, RESAMPLES
from ecg_lightning.metrics.challenges import CINC2020, CINC2021, CPSC, CPSC2018, Betas, CinC, FMax, columns_of
from ecg_lightning.metrics.pairs import Floats
from ecg_lightning.metrics.ranks import Ranks
from ecg_lightning.metrics.resampled import Meter, Resampled, mean_of_existing
from ecg_lightning.metrics.resampling import resample_with_every_class
from ecg_lightning.metrics.significance import delong
from ecg_lightning.modules.base import ECGModule

FORMAT = 2
"""Version of the keys; before, a report had no intervals, and no version."""
BENCHMARK_LEVEL = 0.9
SEED = 0


def report_of(
    predictions: Predictions, module: ECGModule, data: PackedDataModule, checkpoint: Checkpoint, split: str
) -> dict[str, Any]:
    """Measures predictions.

    Args:
        predictions: for the recordings of the split.
        module: the network that made them, with its thresholds and its calibration.
        data: of which the recordings are.
        checkpoint: the file.
        split: `test` or `val`.

    Returns:
        The report as plain values; None where a number is not defined.
    """
    outputs, terms = predictions.outputs, predictions.terms
    patients = int(np.unique(predictions.patients).size)
    resamples = RESAMPLES if patients > 1 else 0
    meter, scores = Meter(outputs), _scores(outputs, data.space)
    chunks: list[Resampled] = []
    of_scores: dict[str, list[Floats]] = {}
    for weights in with_all_records(len(outputs), predictions.patients, resamples, SEED):
        chunks.append(meter.measure(weights))
        for name, values in _measured(scores, weights).items():
            of_scores.setdefault(name, []).append(values)
    resampled = without_single_patients(joined(chunks), outputs.targets, predictions.patients)
    index = data.store.index.iloc[predictions.records]
    sources = data.by_source(predictions.records)
    macro = intervals(resampled.averages["macro"])
    groups = measure_groups(outputs, predictions.patients, divisions(index, sources), terms, resamples)
    report = {
        "format": FORMAT,
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": checkpoint.sha256,
        "split": split,
        "data": data.describe(),
        "records": len(predictions),
        "patients": patients,
        "bootstrap": {"unit": "patient", "level": LEVEL, "resamples": resamples, "seed": SEED},
        "metrics": {
            key: value
            for key, value in summarise(outputs.probabilities, outputs.targets, terms, module.thresholds).items()
            if "/" not in key
        },
        "terms": _terms(predictions, module, resampled),
        "averages": {average: intervals(values) for average, values in resampled.averages.items()},
        "benchmark": _benchmark(outputs, resamples),
        "scores": {name: interval(np.concatenate(values)) for name, values in of_scores.items()},
        "decision": _decision(checkpoint, str(data.source)),
        "calibration": {
            when: {metric: macro[f"{metric}{ending}"] for metric in ("brier", "ece")}
            for when, ending in (("before", ""), ("after", "_calibrated"))
        },
        "groups": groups,
        "sources": {name: _of_source(outputs.at(rows), predictions.terms, module) for name, rows in sources.items()},
        "notes": _notes(outputs, terms, patients),
    }
    plain: dict[str, Any] = as_plain(report)
    return plain


def as_plain(value: Any) -> Any:
    """Returns a value as JSON can hold it: intervals as mappings, and None for a number that is not defined."""
    if isinstance(value, Interval):
        low, high = as_plain(value.low), as_plain(value.high)
        return {"value": as_plain(value.estimate), "low": low, "high": high, "resamples": value.resamples}
    if isinstance(value, Mapping):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _terms(predictions: Predictions, module: ECGModule, resampled: Resampled) -> list[dict[str, Any]]:
    """Returns a row for each term: the numbers, then their intervals."""
    outputs, terms = predictions.outputs, predictions.terms
    plain = table(outputs.probabilities, outputs.targets, terms, module.thresholds)
    rows: list[dict[str, Any]] = [dict(row) for row in plain]
    calibration, bounds = module.calibration, delong(outputs.probabilities, outputs.targets, LEVEL)
    of_metric = {metric: intervals_of(values) for metric, values in resampled.terms.items()}
    for k, row in enumerate(rows):
        of_term = {metric: of_terms[k] for metric, of_terms in of_metric.items()}
        row |= {name: of_term[name].estimate for name in ("brier_calibrated", "ece_calibrated")}
        row |= {"slope": float(calibration.slope[k]), "intercept": float(calibration.intercept[k])}
        row["intervals"] = {
            metric: {"low": values.low, "high": values.high, "resamples": values.resamples}
            for metric, values in of_term.items()
        }
        row["delong"] = {"low": bounds[k, 0], "high": bounds[k, 1]}
    return rows


def _benchmark(outputs: Outputs, resamples: int) -> dict[str, Any]:
    """Measures as the PTB-XL benchmark does, whose intervals are the 5th and the 95th percentile over its own kind of resamples.

    F-beta and G-beta are left out where recordings have no label at all: they divide by the number of labels, and without
    those recordings they would count hardly any false alarm.
    """
    weights, draws = resample_with_every_class(outputs.targets, resamples, SEED)
    ranks, betas, fmax = (
        Ranks.of_terms(outputs.probabilities, outputs.targets),
        Betas.of_benchmark(outputs),
        FMax.of(outputs),
    )
    values: dict[str, list[Floats]] = {}
    width = 256  # resamples at once
    all_labelled = bool((outputs.targets == 1).any(axis=1).all())
    everything = [np.ones((len(outputs), 1)), *(weights[:, k : k + width] for k in range(0, weights.shape[1], width))]
    for some in everything:
        f_beta, g_beta = betas.measure(some)
        measured = {
            "macro_auroc": mean_of_existing(ranks.areas(some)[0]),
            "fmax": fmax.measure(some),
            **({"f_beta": f_beta, "g_beta": g_beta} if all_labelled else {}),
        }
        for name, of_metric in measured.items():
            values.setdefault(name, []).append(of_metric)
    numbers = {name: interval(np.concatenate(parts), BENCHMARK_LEVEL) for name, parts in values.items()}
    return {
        "name": "PTB-XL benchmark (Strodthoff et al. 2021)",
        "level": BENCHMARK_LEVEL,
        "unit": "record",
        "convention": "every class in each resample",
        "resamples": weights.shape[1],
        "draws": draws,
    } | numbers


def _scores(outputs: Outputs, space: LabelSpace) -> dict[str, CinC | CPSC | Betas]:
    """Returns the scores of challenges whose classes the label space has."""
    scores: dict[str, CinC | CPSC | Betas] = {"cinc2020": Betas.of_cinc2020(outputs)}
    labels, annotated = outputs.targets == 1, outputs.is_annotated
    for name, classes in (("cinc2020", CINC2020), ("cinc2021", CINC2021)):
        if (columns := columns_of(classes, space.members)) is not None:
            called = outputs.is_called[:, columns]
            scores[f"{name}_score"] = CinC.of(labels[:, columns], called, annotated[:, columns], classes)
    if (columns := columns_of(CPSC2018, space.members)) is not None:
        scores["cpsc2018"] = CPSC.of(outputs.probabilities[:, columns], outputs.targets[:, columns])
    return scores


def _measured(scores: Mapping[str, CinC | CPSC | Betas], weights: Floats) -> dict[str, Floats]:
    """Measures the scores in some resamples, each (resamples,)."""
    values: dict[str, Floats] = {}
    for name, score in scores.items():
        if isinstance(score, Betas):
            values[f"{name}_f_beta"], values[f"{name}_g_beta"] = score.measure(weights)
        else:
            values[name.removesuffix("_score")] = score.measure(weights)
    return values


def _decision(checkpoint: Checkpoint, source: str) -> dict[str, str] | None:
    """Says how the thresholds and the calibration were chosen, and on which source if not on the measured one.

    None where the checkpoint does not say it.
    """
    card = checkpoint.card
    if not card.threshold_rule:
        return None
    recordings = "validation" if card.data.source == source else f"validation recordings of {card.data.source}"
    return {"thresholds": card.threshold_rule, "calibration": card.calibration_method, "chosen_on": recordings}


def _of_source(outputs: Outputs, terms: tuple[str, ...], module: ECGModule) -> dict[str, Any]:
    """Returns the numbers of one source of a mix."""
    values = summarise(outputs.probabilities, outputs.targets, terms, module.thresholds)
    return {key: value for key, value in values.items() if "/" not in key or key.startswith("auroc/")} | {
        "records": len(outputs)
    }


def _notes(outputs: Outputs, terms: tuple[str, ...], patients: int) -> list[str]:
    """Returns the sentences that a reader of the numbers must know."""
    notes = []
    if patients == 1:
        notes.append("All recordings are of one patient: there are no intervals.")
    positive, negative = ((outputs.targets == value).sum(axis=0) for value in (1, 0))
    for kind, counts in (("positive", positive), ("negative", negative)):
        if lacking := [term for term, count in zip(terms, counts, strict=True) if not count]:
            notes.append(
                f"No recording is {kind} for {', '.join(lacking)}: there is no AUROC, and no average counts it."
            )
    if few := [term for term, count in zip(terms, positive, strict=True) if 0 < count < FEWEST]:
        notes.append(f"Fewer than {FEWEST} recordings are positive for {', '.join(few)}: these numbers say little.")
    return notes
