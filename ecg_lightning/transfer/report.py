"""The report of a transfer study: table, paired differences and figure."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from ecg_lightning.files import write_json, write_whole
from ecg_lightning.transfer.figure import figure
from ecg_lightning.transfer.results import Estimate, Results
from ecg_lightning.transfer.study import ARMS, Study

NAMES = {"small": "alone", "tuned": "tuned", "both": "both"}
"""Names of the arms in the heading of the table by term."""


def report(study: Study) -> None:
    """Prints the table and writes results.json, table.md, figure.png and figure.svg to the study's folder."""
    results = Results(study)
    rows, folder = results.rows(), Path(study.run_dir)
    large = results.macro("large")
    text = table(study, rows, large) + "\n\n" + by_term(results)
    write_whole(folder / "table.md", text + "\n")
    content = {"large": large, "terms": results.terms, "sizes": rows}
    write_json(folder / "results.json", {key: _plain(value) for key, value in content.items()})
    chart = figure(results, rows, large)
    for end in ("png", "svg"):
        chart.savefig(folder / f"figure.{end}", dpi=150, metadata={"Date": None} if end == "svg" else None)
    print(f"\n{text}\n\nWritten to {folder}: table.md, results.json, figure.png and figure.svg", flush=True)


def table(study: Study, rows: list[dict[str, object]], large: Estimate) -> str:
    """Returns a table in Markdown, with a row for each size."""
    arms = [arm for arm in ARMS if arm in rows[0] and arm != "large"]
    forgets = "forgotten" in rows[0]
    head = ["recordings", "seeds", *(ARMS[arm] for arm in arms), "gain of pretraining"]
    head += ["on the large archive afterwards", "forgotten"] if forgets else []
    lines = [head, ["---:" for _ in head]]
    for row in rows:
        cells = [row["size"], row["seeds"], *(row[arm] for arm in arms), _signed(row["tuned - small"])]
        cells += [row["tuned on large"], _signed(row["forgotten"])] if forgets else []
        lines.append([str(cell) for cell in cells])
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    note = (
        "Macro AUROC on the small archive's test folds, mean over seeds, with 95 % intervals of a bootstrap over patients and, "
        "where there are several, over seeds: they say how the mean would differ with other patients and other trainings. A row "
        "of one seed, and the large archive's network, stand for this one training. The gain is the paired difference of "
        "`large, then small` and `small alone`."
    )
    return f"{note}\n\nThe large archive's network as it is: {large}.\n\n{body}"


def by_term(results: Results) -> str:
    """Returns a table in Markdown with the AUROC of each term, of the large archive's network and of every arm at every size."""
    columns = {"large alone": results.intervals("large").terms}
    for size in results.study.sizes:
        columns |= {f"{size} {NAMES[arm]}": results.intervals(arm, size).terms for arm in results.arms}
    lines = [["term", *columns], ["---", *("---:" for _ in columns)]]
    lines += [
        [term, *(f"{intervals[k].estimate:.3f}" for intervals in columns.values())]
        for k, term in enumerate(results.terms)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _signed(value: object) -> str:
    assert isinstance(value, Estimate)
    return value.signed


def _plain(value: object) -> object:
    """Returns a value as JSON can hold it: estimates as mappings, and None for NaN."""
    if isinstance(value, Estimate):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
