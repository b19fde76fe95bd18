"""The report of a run's test in the W&B run that its training was logged to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from scipy.special import expit

from ecg_lightning.config.schema import build
from ecg_lightning.evaluation.wandb_figures import figures_of
from ecg_lightning.metrics.epoch import RecordOutputs
from ecg_lightning.training.logger import Logging
from ecg_lightning.training.wandb_server import failures_to, print_line


def log_test(
    config: DictConfig, run_dir: Path, checkpoint: str, report: Mapping[str, Any], outputs: RecordOutputs
) -> None:
    """Logs the numbers, the table and the figures of a test to the W&B run of the network's training.

    It does nothing where the training was not logged, or where the checkpoint is not of this run. A failure of W&B is one
    line, and never ends the test.

    Args:
        config: the composed configuration, with the group `logger`.
        run_dir: the run's folder.
        checkpoint: the file that was measured.
        report: as `evaluate` returns it.
        outputs: of each recording.
    """
    if Path(checkpoint).expanduser().resolve().parent != (run_dir / "checkpoints").resolve():
        return
    with failures_to(lambda reason: print_line(f"the test is not logged ({reason}).")):
        logging: Logging = build("logger", config.get("logger") or {})
        log = logging.resume(run_dir)
        if log is None:
            return
        try:
            log.log_summary(summary_of(report))
            log.log_rows("test/terms", rows_of(report))
            terms = [row["term"] for row in report["terms"]]
            figures = figures_of(expit(outputs.logits), outputs.targets, terms)
            log.log_figures({f"test/{name}": figure for name, figure in figures.items()})
        finally:
            logging.finish()


def rows_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns a row for each term, with the bounds of each interval beside its number, and one for each average over terms."""
    rows = [_with_bounds(row, row.get("intervals") or {}) for row in report["terms"]]
    for name, intervals in (report.get("averages") or {}).items():
        values = {metric: interval["value"] for metric, interval in intervals.items() if interval}
        rows.append(_with_bounds({"term": name} | values, intervals))
    return rows


def _with_bounds(row: Mapping[str, Any], intervals: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the plain values of a row, each followed by `NAME low` and `NAME high` where it has an interval."""
    cells: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping | list):
            continue
        cells[name] = value
        if bounds := intervals.get(name):
            cells |= {f"{name} low": bounds["low"], f"{name} high": bounds["high"]}
    return cells


def summary_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the numbers of a report by their names at W&B: `test/auroc`, `test/auroc/AFIB`, `test/records` ….

    A number that is not defined is left out.
    """
    numbers: dict[str, Any] = {
        "test/source": report["data"]["source"], "test/records": report["records"],
        "test/checkpoint_sha256": report["checkpoint_sha256"],
    }  # fmt: skip
    numbers |= _numbers(report["metrics"])
    for name, metrics in (report.get("averages") or {}).items():
        for metric, interval in metrics.items():
            numbers |= _with_interval(f"{metric}/{name}", interval)
    for group in ("benchmark", "scores"):
        for metric, interval in (report.get(group) or {}).items():
            numbers |= _with_interval(f"{group}/{metric}", interval)
    for row in report["terms"]:
        metrics = {name: row.get(name) for name in report["metrics"]}  # its counts are in the table
        numbers |= {f"{name}/{row['term']}": value for name, value in _numbers(metrics).items()}
    for source, values in report["sources"].items():
        numbers |= {f"{name}@{source}": value for name, value in _numbers(values).items()}
    for leads, auroc in (report.get("lead_sets") or {}).items():
        numbers |= _numbers({f"auroc with {leads}": auroc})
    return numbers


def _with_interval(name: str, interval: Any) -> dict[str, float]:
    """Returns a number with an interval as `test/NAME`, `test/NAME low` and `test/NAME high`; empty for anything else."""
    if not isinstance(interval, Mapping):
        return {}
    return _numbers({name: interval["value"], f"{name} low": interval["low"], f"{name} high": interval["high"]})


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Returns the numbers among values by their names at W&B."""
    return {
        f"test/{name}": value
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
