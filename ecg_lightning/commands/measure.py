"""What `test` and `validate` share: they measure a checkpoint and print its numbers as a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecg_lightning.commands.console import console
from ecg_lightning.config.compose import experiment_name, new_run_dir, with_run_config
from ecg_lightning.config.experiment import experiment

COLUMNS = (
    *("positive", "negative", "missing", "auroc", "ap"),
    *("threshold", "sensitivity", "specificity", "gmean", "f1"),
)


def measure(arguments: Sequence[str], split: str) -> int:
    """Measures on the `val` or `test` folds; heavy imports wait until the configuration is known to be right."""
    arguments = with_run_config(arguments)
    config = experiment(arguments, needed=("data",))
    if not config.get("run_dir") and config.get("checkpoint_path"):
        config.run_dir = new_run_dir(experiment_name(arguments))
    from lightning.pytorch.utilities import rank_zero_only

    from ecg_lightning.evaluation.evaluate import evaluate

    report = evaluate(config, split)
    if getattr(rank_zero_only, "rank", 0) == 0:
        _print_report(report, f"{report['data']['source']} · {split} folds · {report['checkpoint']}")
        print(f"Written to {Path(config.run_dir) / f'{split}.json'}")
    return 0


def _print_report(report: Mapping[str, Any], title: str) -> None:
    from rich.table import Table

    table = Table(title=title)
    table.add_column("term")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    macro = {"term": "macro", "positive": None, "negative": None} | report["metrics"]
    sources = [{"term": f"{values['records']} of {name}"} | values for name, values in report["sources"].items()]
    with_fewer_leads = [
        {"term": f"only {leads}", "auroc": auroc} for leads, auroc in report.get("lead_sets", {}).items()
    ]
    for row in (*report["terms"], macro, *sources, *with_fewer_leads):
        numbers = {column: row.get(column) for column in COLUMNS}
        if row in report["terms"] and numbers["threshold"] is None:
            numbers["threshold"] = "not learnt"
        table.add_row(row["term"], *map(_as_text, numbers.values()))
    console().print(table)


def _as_text(value: float | str | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
