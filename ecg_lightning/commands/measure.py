"""What `test` and `validate` share: they measure a checkpoint and print its numbers as a table."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecg_lightning.commands.console import console
from ecg_lightning.config.compose import experiment_name, new_run_dir, with_run_config
from ecg_lightning.config.experiment import experiment

METRICS = {
    "auroc": "AUROC", "ap": "AP", "sensitivity": "sensitivity", "specificity": "specificity", "f1": "F1",
}  # fmt: skip
"""What the table shows of the metrics, and its titles."""
BENCHMARK = {"macro_auroc": "macro AUROC", "fmax": "Fmax", "f_beta": "F-beta", "g_beta": "G-beta"}
SCORES = {
    "cinc2021": "CinC 2021", "cinc2020": "CinC 2020", "cpsc2018": "CPSC2018", "cinc2020_f_beta": "F-beta of CinC 2020",
    "cinc2020_g_beta": "G-beta of CinC 2020",
}  # fmt: skip

MOST_GROUPS = 6
"""Groups of one kind that are all printed; of more, those whose gap is clear."""


def measure(arguments: Sequence[str], split: str) -> int:
    """Measures on the `val` or `test` folds; heavy imports wait until the configuration is known to be right."""
    arguments = with_run_config(arguments)
    config = experiment(arguments, needed=("data",))
    if not config.get("run_dir") and config.get("checkpoint_path"):
        config.run_dir = new_run_dir(experiment_name(arguments))
    from lightning.pytorch.utilities import rank_zero_only

    from ecg_lightning.evaluation import evaluate
    from ecg_lightning.evaluation.predictions import FILES

    report, data = evaluate.measure(config, split)
    if getattr(rank_zero_only, "rank", 0) == 0:
        _print_report(report, f"{report['data']['source']} · {split} folds · {report['checkpoint']}")
        run_dir = Path(config.run_dir).expanduser()
        files = [FILES[split]]
        if split == "test":
            from ecg_lightning.report.run import TestedRun
            from ecg_lightning.report.write import write_report

            files.append(str(write_report(TestedRun(run_dir), config, data).relative_to(run_dir)))
        print(f"Written to {run_dir / f'{split}.json'}, with {' and '.join(files)}")
    return 0


def _print_report(report: Mapping[str, Any], title: str) -> None:
    from rich.table import Table

    table = Table(title=title)
    for column in ("", "positive", *METRICS.values(), "threshold"):
        table.add_column(column, justify="right" if column else "left")
    for row in report["terms"]:
        intervals = [_interval({"value": row[name]} | row["intervals"][name]) for name in METRICS]
        threshold = "not learnt" if row["threshold"] is None else _number(row["threshold"])
        table.add_row(row["term"], f"{row['positive']} of {row['annotated']}", *intervals, threshold)
    table.add_section()
    for average, metrics in report["averages"].items():
        table.add_row(average, "", *(_interval(metrics[name]) for name in METRICS))
    table.add_section()
    for name, values in report["sources"].items():
        table.add_row(f"{values['records']} of {name}", "", *(_number(values.get(metric)) for metric in METRICS))
    for leads, auroc in report.get("lead_sets", {}).items():
        table.add_row(f"only {leads}", "", _number(auroc))
    console().print(table)
    for line in _lines(report):
        console().print(line, soft_wrap=True)


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yields what stands below the table."""
    bootstrap, benchmark, scores = report["bootstrap"], report["benchmark"], report["scores"]
    if bootstrap["resamples"]:
        level, resamples = bootstrap["level"], bootstrap["resamples"]
        yield f"After each number its {level:.0%} interval: {resamples:,} resamples of {report['patients']:,} patients."
    numbers = ", ".join(
        f"{title} {_interval(benchmark[name])}" for name, title in BENCHMARK.items() if name in benchmark
    )
    yield f"As the PTB-XL benchmark counts ({benchmark['level']:.0%}, {benchmark['convention']}): {numbers}"
    challenges = (f"{title} {_interval(scores[name])}" for name, title in SCORES.items() if name in scores)
    yield f"As challenges count: {', '.join(challenges)}"
    if (decision := report["decision"]) is not None:
        before, after = report["calibration"]["before"], report["calibration"]["after"]
        changes = ", ".join(
            f"{title} {_number(before[name]['value'])} → {_number(after[name]['value'])}"
            for name, title in (("brier", "Brier score"), ("ece", "calibration error"))
        )
        yield (
            f"Chosen on {decision['chosen_on']}: thresholds by {decision['thresholds']}, calibration by {decision['calibration']}. "
            f"Here the calibration changes: {changes}."
        )
    yield from map(_of_groups, report["groups"])
    if few := [text for division in report["groups"] if (text := _few(division))]:
        yield f"Warning: in these groups fewer than 10 recordings are positive for some terms, and their numbers say little: {'; '.join(few)}."
    yield from (f"Note: {note}" for note in report["notes"])


def _of_groups(division: Mapping[str, Any]) -> str:
    """Writes the macro AUROC of each group with its gap to the largest one."""
    from ecg_lightning.evaluation.groups import FEWEST

    large = [group for group in division["groups"] if group["patients"] >= FEWEST]
    shown = [group for group in large[1:] if len(large) <= MOST_GROUPS or _is_clear(group["gaps"]["auroc"])]
    texts = [
        *map(_of_group, large[:1]),
        *(f"{_of_group(group)}, gap {_interval(group['gaps']['auroc'], '+')}" for group in shown),
    ]
    if hidden := len(large[1:]) - len(shown):
        texts.append(f"{hidden} more in test.json, without a clear gap")
    if small := len(division["groups"]) - len(large):
        texts.append(f"{small} of fewer than {FEWEST} patients, not measured")
    return f"AUROC by {division['by']}: {'; '.join(texts)}"


def _few(division: Mapping[str, Any]) -> str:
    """Names the groups in which some terms have few positives; empty where there are none."""
    measured = [group for group in division["groups"] if group["metrics"]["brier"]["value"] is not None]
    names = [group["name"] for group in measured if group["few"]]
    if len(names) == len(measured) > 1:
        return f"all by {division['by']}"
    return f"{division['by']} {', '.join(names)}" if names else ""


def _of_group(group: Mapping[str, Any]) -> str:
    return f"{group['name']} ({group['records']:,}) {_interval(group['metrics']['auroc'])}"


def _is_clear(gap: Mapping[str, Any]) -> bool:
    """Says whether 0 lies outside of the interval of a gap."""
    return gap["low"] is not None and not gap["low"] <= 0 <= gap["high"]


def _interval(value: Mapping[str, Any], sign: str = "") -> str:
    """Writes `.958 .931–.979`; the number alone where no resample gives another one, and a dash where there is none."""
    if value["low"] is None or value["low"] == value["high"]:
        return _number(value["value"], sign)
    between = " to " if sign else "–"
    return f"{_number(value['value'], sign)} {_number(value['low'], sign)}{between}{_number(value['high'], sign)}"


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.3f}".replace("0.", ".", 1)
