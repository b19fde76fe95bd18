"""The tables of a run's page, from its `test.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.labels import TERMS
from ecg_lightning.report.charts import forest
from ecg_lightning.report.tables import Cell, Column, Fact, Row, Table, bounds, estimate, fixed, whole

METRICS = {
    "auroc": (
        "AUROC",
        "area under the ROC curve: how often a recording with the term scores above one without it; 0.5 is chance",
    ),
    "ap": ("AP", "average precision: the area under the precision-recall curve; chance is the share of positives"),
    "sensitivity": ("Sensitivity", "share of the recordings with the term that are called positive"),
    "specificity": ("Specificity", "share of the recordings without the term that are called negative"),
    "ppv": ("PPV", "share of the positive calls that are right"),
    "npv": ("NPV", "share of the negative calls that are right"),
    "f1": ("F1", "harmonic mean of sensitivity and PPV"),
    "gmean": ("G-mean", "square root of sensitivity times specificity"),
    "f2": ("F2", "as F1; sensitivity weighs more"),
    "brier": ("Brier", "mean square of probability minus label; 0 is best"),
    "ece": ("ECE", "mean distance of probability and frequency; 0 is best"),
}
"""Names of metrics in `test.json`, their titles, and what they say."""
SCORES = {
    "macro_auroc": "Macro AUROC",
    "fmax": "Fmax",
    "f_beta": "F-beta (β = 2)",
    "g_beta": "G-beta (β = 2)",
    "cinc2020": "CinC 2020 score",
    "cinc2021": "CinC 2021 score",
    "cpsc2018": "CPSC2018 score (mean F1)",
    "cinc2020_f_beta": "F-beta as in CinC 2020",
    "cinc2020_g_beta": "G-beta as in CinC 2020",
}
OF_GROUPS, GAPS = ("auroc", "ap", "sensitivity", "specificity", "ece"), ("auroc", "sensitivity", "specificity")
"""Metrics that are shown of each group, and those whose gaps are."""
FEWEST = 10
"""Patients of a group that is measured, and positives of a term that is not rare in a group."""
AVERAGES = {
    "macro": "mean over the terms",
    "micro": "all recordings and terms together",
    "weighted": "mean over the terms, weighted by their positives",
}


def term_name(term: str) -> str:
    """Returns what a term's short name means; of a merged term, what each part means."""
    return " or ".join(TERMS[part].name for part in term.split("|") if part in TERMS)


def facts(report: Mapping[str, Any]) -> list[Fact]:
    """Returns the numbers on top of the page."""
    macro = report.get("averages", {}).get("macro", {})
    shown = [("Macro AUROC", macro.get("auroc")), ("Macro AP", macro.get("ap"))]
    shown += [("Fmax", (report.get("benchmark") or {}).get("fmax")), ("Macro sensitivity", macro.get("sensitivity"))]
    shown += [("Macro specificity", macro.get("specificity")), ("Calibration error", macro.get("ece"))]
    return [
        Fact(label, fixed(values["value"]), bounds(values))
        for label, values in shown
        if values and values.get("value") is not None
    ]


def term_table(report: Mapping[str, Any]) -> Table:
    """Returns the sortable table with a row for each term, and the macro averages below."""
    columns = [Column("Term"), Column("Positive", "recordings with the term, of those that say whether it is there")]
    columns += [Column(title, text) for title, text in METRICS.values()]
    columns.append(Column("Threshold", "probability from which a recording is called positive; chosen on validation"))
    rows = []
    for row in report["terms"]:
        cells = [Cell(f"{row['positive']:,}", f"of {row['annotated']:,}", row["positive"])]
        for metric in METRICS:
            value = row.get(metric)
            interval = bounds({"value": value} | ((row.get("intervals") or {}).get(metric) or {}))
            cells.append(Cell(fixed(value), interval, value, forest(row, metric) if metric == "auroc" else None))
        threshold = row.get("threshold")
        cells.append(Cell(fixed(threshold) if threshold is not None else "not learnt", value=threshold))
        rows.append(Row(Cell(row["term"], term_name(row["term"])), cells, link=anchor(row["term"])))
    macro = report.get("averages", {}).get("macro", {})
    averages = [Cell(""), *(estimate(macro.get(metric)) for metric in METRICS), Cell("")]
    rows.append(Row(Cell("macro", AVERAGES["macro"]), averages, is_whole=True))
    return Table("Each term with its 95 % intervals", columns, rows, sortable=True)


def average_table(report: Mapping[str, Any]) -> Table:
    """Returns the table of macro, micro and weighted averages."""
    averages = report.get("averages", {})
    rows = [
        Row(Cell(name, text), [estimate(averages[name].get(metric)) for metric in METRICS])
        for name, text in AVERAGES.items()
        if name in averages
    ]
    return Table(
        "Averages with their 95 % intervals", [Column("Average"), *(Column(*texts) for texts in METRICS.values())], rows
    )


def score_table(report: Mapping[str, Any]) -> Table | None:
    """Returns the table of the numbers that benchmarks and challenges publish; None where there are none."""
    benchmark = report.get("benchmark") or {}
    rows = [
        Row(
            Cell(SCORES[name]),
            [
                estimate(benchmark[name]),
                Cell(f"PTB-XL benchmark, {100 * benchmark.get('level', 0.9):g} % interval, by recording"),
            ],
        )
        for name in SCORES
        if benchmark.get(name)
    ]
    rows += [
        Row(Cell(SCORES[name]), [estimate(values), Cell("challenge, 95 % interval, by patient")])
        for name, values in (report.get("scores") or {}).items()
        if values and name in SCORES
    ]
    return (
        Table(
            "As benchmarks and challenges count",
            [Column("Score"), Column("Value"), Column("Whose", is_text=True)],
            rows,
        )
        if rows
        else None
    )


def group_tables(report: Mapping[str, Any]) -> list[tuple[Table, list[str]]]:
    """Returns a table for each kind of group, with sentences about what is too small to say much."""
    tables = []
    for kind in report.get("groups", []):
        columns = [Column(str(kind["by"]).capitalize()), Column("Recordings"), Column("Patients")]
        columns += [Column(*METRICS[metric]) for metric in OF_GROUPS]
        gap = f"minus {kind['reference']}"
        columns += [
            Column(f"{METRICS[metric][0]} {gap}", "the difference to the largest group, over terms that both have")
            for metric in GAPS
        ]
        columns.append(Column("Rare terms", f"terms with fewer than {FEWEST} positive recordings in this group"))
        rows = [_group_row(group, len(report["terms"])) for group in kind["groups"]]
        sentences = []
        if any(group.get("few") for group in kind["groups"]):
            sentences.append(
                f"Rare terms have fewer than {FEWEST} positive recordings in a group: averages over them say little there."
            )
        if any(group["patients"] < FEWEST for group in kind["groups"]):
            sentences.append(f"Groups of fewer than {FEWEST} patients are counted and not measured.")
        if kind.get("unknown"):
            sentences.append(f"Recordings that do not say it, and are in no group: {kind['unknown']:,}.")
        tables.append((Table(f"By {kind['by']}: macro averages with 95 % intervals", columns, rows), sentences))
    return tables


def _group_row(group: Mapping[str, Any], terms: int) -> Row:
    metrics, gaps = group.get("metrics") or {}, group.get("gaps") or {}
    cells = [whole(group["records"]), whole(group["patients"])]
    cells += [estimate(metrics.get(metric)) for metric in OF_GROUPS]
    cells += [estimate(gaps.get(metric), with_sign=True) for metric in GAPS]
    few = group.get("few") or []
    return Row(Cell(str(group["name"])), [*cells, Cell(f"{len(few)} of {terms}")])


def group_term_table(kind: Mapping[str, Any]) -> Table:
    """Returns the table of AUROC with a row for each term and a column for each group."""
    groups = kind["groups"]
    by_term = [{row["term"]: row for row in group.get("terms") or []} for group in groups]
    terms = list(dict.fromkeys(term for rows in by_term for term in rows))
    rows = []
    for term in terms:
        cells = []
        for of_group in by_term:
            row = of_group.get(term, {})
            auroc = row.get("auroc") or {}
            interval = bounds(auroc)
            positives = f"{row['positive']:,} positive" if row.get("positive") is not None else ""
            cells.append(
                Cell(fixed(auroc.get("value")), ", ".join(filter(None, (interval, positives))), auroc.get("value"))
            )
        rows.append(Row(Cell(term, term_name(term)), cells))
    return Table(
        f"AUROC of each term by {kind['by']}",
        [Column("Term"), *(Column(str(group["name"])) for group in groups)],
        rows,
        sortable=True,
    )


def data_table(report: Mapping[str, Any]) -> Table:
    """Returns the numbers of recordings for training, validation and test, of all data and of each source."""
    data = report["data"]
    parts: dict[str, Any] = data.get("parts") or {}
    rows = [_data_row(name, part) for name, part in parts.items()]
    rows.append(_data_row(str(data.get("source", "")), data, is_whole=bool(parts)))
    columns = [
        Column("Source"),
        Column("Training"),
        Column("Validation"),
        Column("Test"),
        Column("Validation folds"),
        Column("Test folds"),
    ]
    return Table("Recordings", columns, rows)


def _data_row(name: str, data: Mapping[str, Any], is_whole: bool = False) -> Row:
    records = data.get("records") or {}
    folds = [Cell(", ".join(map(str, data.get(f"{split}_folds") or [])) or "none") for split in ("val", "test")]
    return Row(
        Cell(name), [*(whole(records.get(split)) for split in ("train", "val", "test")), *folds], is_whole=is_whole
    )


def anchor(term: str) -> str:
    """Returns the name of the place of a term's charts."""
    return "term-" + "".join(character if character.isalnum() else "-" for character in term)


def confused_pairs(
    terms: Sequence[str], shares: NDArray[np.float64], counts: NDArray[np.int64], most: int = 12
) -> Table | None:
    """Returns the table of the pairs of terms that are confused most often; None where none is."""
    pairs = [
        (int(counts[row, column]), float(shares[row, column]), terms[row], terms[column])
        for row in range(len(terms))
        for column in range(len(terms))
        if row != column and counts[row, column]
    ]
    pairs.sort(key=lambda pair: (-pair[0], -pair[1], pair[2], pair[3]))
    rows = [
        Row(
            Cell(there, term_name(there)),
            [Cell(called, term_name(called)), whole(count), Cell(f"{100 * share:.0f} %", value=share)],
        )
        for count, share, there, called in pairs[:most]
    ]
    columns = [
        Column("Has"),
        Column("and is called", is_text=True),
        Column("Recordings"),
        Column("Share", "of the recordings that have the first term and lack the second"),
    ]
    return Table("The most frequent confusions", columns, rows) if rows else None
