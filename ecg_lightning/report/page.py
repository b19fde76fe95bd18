"""The page of one run: everything that its test says, in one file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ecg_lightning.files import write_whole
from ecg_lightning.metrics.curves import confusion_between, reliability, term_curves
from ecg_lightning.report import numbers
from ecg_lightning.report.charts import (
    Drawing,
    Line,
    precision_recall_chart,
    reliability_chart,
    roc_chart,
    training_chart,
)
from ecg_lightning.report.confusion import MOST_CELLS, heat_map, heat_table
from ecg_lightning.report.mistakes import DrawnMistake
from ecg_lightning.report.render import Section, render
from ecg_lightning.report.run import Epoch, TestedRun

RESAMPLES = 200
"""Resamples behind the bands of curves; those of the numbers in tables have more."""
COURSES = {
    "loss": [("training", 1, "train/loss"), ("validation", 2, "val/loss")],
    "AUROC (macro, validation)": [("validation", 2, "val/auroc")],
    "average precision (macro, validation)": [("validation", 2, "val/ap")],
    "learning rate": [("training", 1, "train/lr")],
}
"""Charts of a training by the labels of their vertical axes: text, colour and column of `metrics.csv` of each line."""


@dataclass(frozen=True)
class TermCharts:
    """The charts of one term, or the sentence why it has none."""

    term: str
    name: str
    anchor: str
    summary: str
    charts: Sequence[Drawing]


def write_page(run: TestedRun, mistakes: Sequence[DrawnMistake] = (), note: str = "") -> Path:
    """Writes `report/index.html` in the run's folder.

    Args:
        run: the tested run.
        mistakes: the ECGs on which its network was most confidently wrong, drawn.
        note: why there are none, where there should be some.

    Returns:
        The file.
    """
    path = run.folder / "report" / "index.html"
    path.parent.mkdir(exist_ok=True)
    write_whole(path, page(run, mistakes, note))
    return path


def page(run: TestedRun, mistakes: Sequence[DrawnMistake] = (), note: str = "") -> str:
    """Returns the text of the page; arguments as of `write_page`."""
    report = run.report
    confusion, pairs, matrix = _confusion(run)
    training, best = training_charts(run.epochs), best_epoch(run.epochs)
    groups = [
        (table, sentences, numbers.group_term_table(kind))
        for (table, sentences), kind in zip(numbers.group_tables(report), report.get("groups", []), strict=True)
    ]
    sections = [Section("terms", "Terms"), Section("curves", "Curves"), Section("confusion", "Confusion")]
    sections += [Section("groups", "Groups")] if groups else []
    sections += [Section("ecgs", "ECGs")] if mistakes or note else []
    sections += [Section("training", "Training")] if training else []
    sections += [Section("data", "Data and configuration"), Section("methods", "How to read this page")]
    source = str(report["data"].get("source", ""))
    return render(
        "run.html.j2",
        title=f"{run.name}: test on {source}",
        subtitle=_subtitle(run),
        sections=sections,
        notes=notes(run),
        facts=numbers.facts(report),
        terms=numbers.term_table(report),
        averages=numbers.average_table(report),
        scores=numbers.score_table(report),
        fewer_leads=sorted((report.get("lead_sets") or {}).items()),
        curves=term_charts(run),
        confusion=confusion,
        matrix=matrix,
        pairs=pairs,
        groups=groups,
        mistakes=mistakes,
        mistakes_note=note,
        training=training,
        best=best,
        data=numbers.data_table(report),
        configuration=sorted(run.configuration.items()),
        versions=run.versions,
        report=report,
        resamples=RESAMPLES,
    )


def _subtitle(run: TestedRun) -> str:
    report, network = run.report, run.configuration.get("model.name")
    parts = [f"{network}, " if network else "", f"{report['records']:,} recordings of {report['patients']:,} patients"]
    return f"{''.join(parts)}; {len(run.terms)} terms; checkpoint {report.get('checkpoint', '')}"


def notes(run: TestedRun) -> list[str]:
    """Returns the sentences that a reader of the numbers must know."""
    report, sentences = run.report, [str(note) for note in run.report.get("notes", [])]
    if report["data"].get("allow_leak"):
        sentences.append(
            "Held-out recordings were allowed in training (data.allow_leak=true): the numbers may be too good."
        )
    unlearnt = [row["term"] for row in report["terms"] if row.get("threshold") is None]
    if unlearnt:
        sentences.append(f"Not learnt, and never called positive: {_listed(unlearnt)}.")
    return sentences


def _listed(terms: Sequence[str], most: int = 15) -> str:
    return ", ".join(terms[:most]) + (f" and {len(terms) - most} more" if len(terms) > most else "")


def term_charts(run: TestedRun) -> list[TermCharts]:
    """Returns the curves of every term, with bands by patient."""
    outputs, report = run.predictions, run.report
    curves = term_curves(outputs.logits, outputs.targets, outputs.patients, resamples=RESAMPLES)
    before = reliability(outputs.probabilities, outputs.targets)
    is_calibrated = not np.allclose(outputs.calibrated, outputs.probabilities, equal_nan=True)
    after = reliability(outputs.calibrated, outputs.targets) if is_calibrated else [None] * len(run.terms)
    charts = []
    for row, of_term, raw, calibrated in zip(report["terms"], curves, before, after, strict=True):
        term, name = row["term"], numbers.term_name(row["term"])
        drawings: list[Drawing] = []
        if of_term is not None and raw is not None:
            drawings = [
                roc_chart(term, of_term.roc, row),
                precision_recall_chart(term, of_term.precision_recall, row),
                reliability_chart(term, raw, calibrated, row),
            ]
        summary = f"{row['positive']:,} positive of {row['annotated']:,}"
        charts.append(TermCharts(term, name, numbers.anchor(term), summary, drawings))
    return charts


def _confusion(run: TestedRun) -> tuple[Any, Any, Markup | None]:
    """Returns the confusion between terms as a table, the pairs that are confused most, and a drawing for many terms."""
    outputs, terms = run.predictions, run.terms
    shares, counts = confusion_between(outputs.positive, outputs.targets)
    pairs = numbers.confused_pairs(terms, shares, counts)
    if len(terms) <= MOST_CELLS:
        return heat_table(terms, shares), pairs, None
    shown = np.flatnonzero((outputs.targets == 1).any(axis=0) | (outputs.positive == 1).any(axis=0))
    return None, pairs, heat_map([terms[term] for term in shown], shares[np.ix_(shown, shown)])


def training_charts(epochs: Sequence[Epoch]) -> list[tuple[Drawing, list[Line]]]:
    """Returns the course of the loss and of the validation metrics, each chart with its legend."""
    best = best_epoch(epochs)
    marks = {} if best is None else {best: "best"}
    charts = []
    for label, columns in COURSES.items():
        lines = [(Line(text, series, 0), epochs, column) for text, series, column in columns]
        drawing = training_chart(label, lines, marks)
        if drawing is not None:
            charts.append((drawing, [line for line, _, _ in lines] if len(lines) > 1 else []))
    return charts


def best_epoch(epochs: Sequence[Epoch]) -> int | None:
    """Returns the epoch with the best macro AUROC on validation, the first of equals; None where none was validated."""
    scores = [(epoch.values["val/auroc"], -epoch.epoch) for epoch in epochs if "val/auroc" in epoch.values]
    return -max(scores)[1] if scores else None
