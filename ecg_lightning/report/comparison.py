"""Runs side by side: paired differences on the same recordings, learning curves, and what differs in their configurations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecg_lightning.files import write_whole
from ecg_lightning.metrics.bootstrap import Comparison, Difference, auroc_differences, compare
from ecg_lightning.metrics.significance import holm
from ecg_lightning.report.arms import SEED, Arm, arms_of, check_comparable, short_names
from ecg_lightning.report.charts import Drawing, Line, training_chart
from ecg_lightning.report.numbers import AVERAGES, METRICS, term_name
from ecg_lightning.report.page import COURSES
from ecg_lightning.report.render import Section, render
from ecg_lightning.report.run import TestedRun
from ecg_lightning.report.tables import (
    NOTHING,
    Cell,
    Column,
    Row,
    Table,
    bounds,
    estimate,
    fixed,
    p_value,
    signed,
    whole,
)

COMPARED = ("auroc", "ap", "sensitivity", "specificity", "f1", "brier", "ece")
"""Metrics whose differences are shown."""
PER_TERM = 100
"""Resamples for each term at least: 1,000 for 71 terms could make no p-value smaller than 2 / 1,001, which Holm multiplies by 71."""


@dataclass(frozen=True)
class ArmDifference:
    """The paired differences of an arm and the baseline."""

    name: str
    averages: Table
    terms: Table


def write_comparison(runs: Sequence[TestedRun], path: Path, resamples: int = 1000) -> None:
    """Writes the page that compares runs.

    Args:
        runs: two or more; the first, and the runs that differ from it in nothing but their seeds, are the baseline.
        path: the file.
        resamples: of the bootstrap.

    Raises:
        UserError: where the runs cannot be compared.
    """
    check_comparable(runs)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page(arms_of(runs), resamples))


def page(arms: Sequence[Arm], resamples: int = 1000) -> str:
    """Returns the text of the page; the first arm is the baseline."""
    baseline, *other_arms = arms
    runs = [run for arm in arms for run in arm.runs]
    differences = [_difference(arm, baseline, resamples) for arm in other_arms]
    charts, lines = learning_curves(arms)
    configurations = configuration_table(runs)
    report = baseline.runs[0].report
    sections = [Section("numbers", "Numbers")]
    sections += [Section("differences", "Differences")] if differences else []
    sections += [Section("curves", "Learning curves")] if charts else []
    sections += [Section("configuration", "Configurations"), Section("methods", "How to read this page")]
    return render(
        "comparison.html.j2",
        title=f"{len(runs)} runs on {report['data'].get('source', '')}",
        subtitle=f"{report['records']:,} recordings of {report['patients']:,} patients; {len(report['terms'])} terms; baseline {baseline.name}",
        sections=sections,
        notes=_notes(arms),
        baseline=baseline.name,
        numbers=arm_table(arms),
        seeds=seed_table(arms),
        differences=differences,
        charts=charts,
        lines=lines,
        configurations=configurations,
        resamples=resamples,
        enough=max(resamples, PER_TERM * len(report["terms"])),
    )


def _notes(arms: Sequence[Arm]) -> list[str]:
    """Returns the sentences that a reader of the comparison must know."""
    sentences = [str(note) for note in arms[0].runs[0].report["notes"]]  # of the recordings, which all runs share
    if len(arms) == 1:
        sentences.append(
            "These runs differ in nothing but their seeds: there is no difference to test, only their spread."
        )
    single = [arm.name for arm in arms if len(arm.runs) == 1]
    if single and len(arms) > 1:
        sentences.append(
            f"One run only of {', '.join(single)}: its intervals do not include how a training with another seed would turn out."
        )
    for run in (run for arm in arms for run in arm.runs):
        if run.report["data"].get("allow_leak"):
            sentences.append(
                f"{run.name}: held-out recordings were allowed in training, and its numbers may be too good."
            )
    return sentences


def arm_table(arms: Sequence[Arm]) -> Table:
    """Returns the macro averages of each arm; of several seeds the mean, with the lowest and the highest."""
    rows = []
    for arm in arms:
        cells = []
        for metric in METRICS:
            values = [(run.report.get("averages", {}).get("macro") or {}).get(metric) for run in arm.runs]
            cells.append(estimate(values[0]) if len(values) == 1 else _spread(values))
        rows.append(Row(Cell(arm.name), [whole(len(arm.runs)), *cells]))
    columns = [Column("Run"), Column("Seeds"), *(Column(*texts) for texts in METRICS.values())]
    return Table("Macro averages, with 95 % intervals of one run, or the range of several seeds", columns, rows)


def _spread(values: Sequence[Any]) -> Cell:
    """Returns the cell of the mean of several seeds, with the lowest and the highest below it."""
    existing = [value["value"] for value in values if value and value.get("value") is not None]
    if not existing:
        return Cell(NOTHING)
    mean = float(np.mean(existing))
    return Cell(fixed(mean), f"{fixed(min(existing))} … {fixed(max(existing))}", mean)


def seed_table(arms: Sequence[Arm]) -> Table | None:
    """Returns the macro AUROC of each run, where an arm has several; None where none has."""
    if all(len(arm.runs) == 1 for arm in arms):
        return None
    rows = [
        Row(
            Cell(run.name),
            [
                Cell(arm.name),
                Cell(str(run.configuration.get(SEED, NOTHING))),
                estimate((run.report.get("averages", {}).get("macro") or {}).get("auroc")),
            ],
        )
        for arm in arms
        for run in arm.runs
    ]
    return Table(
        "Each run",
        [Column("Run"), Column("Arm", is_text=True), Column("Seed"), Column("AUROC", METRICS["auroc"][1])],
        rows,
    )


def _difference(arm: Arm, baseline: Arm, resamples: int) -> ArmDifference:
    """Computes the paired differences of an arm and the baseline."""
    first = baseline.runs[0]
    models = [[run.predictions.outputs for run in one.runs] for one in (arm, baseline)]
    comparison = compare(models[0], models[1], first.predictions.patients, resamples=resamples)
    if (enough := PER_TERM * len(first.terms)) > resamples:
        scores = [np.stack([outputs.probabilities for outputs in model]) for model in models]
        targets, patients = first.predictions.targets, first.predictions.patients
        areas = auroc_differences(scores[0], scores[1], targets, patients, resamples=enough).terms
        comparison = replace(comparison, terms=comparison.terms | {"auroc": areas})
    return ArmDifference(arm.name, average_table(comparison), term_table(comparison, first))


def average_table(comparison: Comparison) -> Table:
    """Returns the differences of the averages, with intervals and p-values."""
    rows = [
        Row(Cell(average, text), [_cell(comparison.averages[average].get(metric)) for metric in COMPARED])
        for average, text in AVERAGES.items()
        if average in comparison.averages
    ]
    columns = [Column("Average"), *(Column(*METRICS[metric]) for metric in COMPARED)]
    return Table("Differences of the averages, with 95 % intervals and p-values", columns, rows)


def term_table(comparison: Comparison, run: TestedRun) -> Table:
    """Returns the differences of each term; the p-values of AUROC are also adjusted for the number of terms."""
    areas = comparison.terms["auroc"]
    adjusted = holm([area.p for area in areas])
    rows = []
    for number, row in enumerate(run.report["terms"]):
        p_values = [_p_cell(areas[number].p), _p_cell(adjusted[number])]
        of_metrics = [
            _cell(comparison.terms[metric][number], with_p=False)
            for metric in COMPARED[1:]
            if metric in comparison.terms
        ]
        cells = [whole(row["positive"]), _cell(areas[number], with_p=False), *p_values, *of_metrics]
        rows.append(Row(Cell(row["term"], term_name(row["term"])), cells))
    columns = [
        Column("Term"),
        Column("Positive"),
        Column(*METRICS["auroc"]),
        Column("p", "of the difference in AUROC, by the bootstrap"),
    ]
    columns.append(Column("p (Holm)", "adjusted for the number of terms that are compared"))
    columns += [Column(*METRICS[metric]) for metric in COMPARED[1:] if metric in comparison.terms]
    return Table("Differences of each term, with 95 % intervals", columns, rows, sortable=True)


def _cell(difference: Difference | None, with_p: bool = True) -> Cell:
    """Returns the cell of a paired difference."""
    if difference is None or np.isnan(difference.estimate):
        return Cell(NOTHING)
    interval = bounds({"low": difference.low, "high": difference.high}, with_sign=True) if difference.resamples else ""
    chance = f"p {_p_text(difference.p)}" if with_p and difference.resamples else ""
    return Cell(signed(difference.estimate), ", ".join(filter(None, (interval, chance))), difference.estimate)


def _p_text(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def _p_cell(value: float) -> Cell:
    return Cell(NOTHING) if np.isnan(value) else Cell(p_value(value), value=value)


def learning_curves(arms: Sequence[Arm]) -> tuple[list[Drawing], list[Line]]:
    """Returns the course of each run's training in one chart for each number, and the legend of the runs."""
    runs = [(number, run) for number, arm in enumerate(arms) for run in arm.runs]
    lines = [Line.number(number, arm.name) for number, arm in enumerate(arms)]
    charts = []
    for label, columns in COURSES.items():
        for text, _, column in columns:
            title = label if len(columns) == 1 else f"{label} ({text})"
            drawing = training_chart(title, [(lines[number], run.epochs, column) for number, run in runs])
            if drawing is not None:
                charts.append(drawing)
    return charts, lines


def configuration_table(runs: Sequence[TestedRun]) -> Table | None:
    """Returns the keys in which the runs' configurations and versions differ, their own folders apart; None for none."""
    values = [
        run.configuration | {f"version of {name}": text for name, text in run.versions.items() if name != "data"}
        for run in runs
    ]
    keys = dict.fromkeys(
        key for configuration in values for key in configuration if key not in ("run_dir", "checkpoint_path")
    )
    rows = [
        Row(Cell(key), [Cell(_value_text(configuration, key)) for configuration in values])
        for key in sorted(keys)
        if len({_value_text(configuration, key) for configuration in values}) > 1
    ]
    names = short_names(runs)
    columns = [Column("Key"), *(Column(names[run.folder], is_text=True) for run in runs)]
    return Table("What differs in the configurations", columns, rows) if rows else None


def _value_text(configuration: dict[str, Any], key: str) -> str:
    if key not in configuration:
        return "(default)"
    value = configuration[key]
    return "null" if value is None else str(value)
