"""The results of a sweep: the best configuration, the table, and a page that opens offline."""

import glob
import html
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from ecg_lightning.config import compose as config
from ecg_lightning.files import write_whole
from ecg_lightning.sweep.command import fit_arguments, fixed_arguments
from ecg_lightning.sweep.figures import course, importance_bars, parallel_coordinates
from ecg_lightning.sweep.parameters import as_text
from ecg_lightning.sweep.process import duration
from ecg_lightning.sweep.table import Row, as_csv, best_first, count_states, rows
from ecg_lightning.sweep.trials import Trials, index_of

UNFINISHED = 60.0
"""Seconds after which an unfinished file must be that of a killed process."""
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222; }
svg { max-width: 100%; height: auto; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: 13px; } th, td { padding: 0.25rem 0.7rem; text-align: right; }
th { border-bottom: 1px solid #888; } tr:nth-child(even) { background: #f4f4f4; } tr.best { font-weight: bold; }
pre { background: #f4f4f4; padding: 1rem; overflow-x: auto; } .scroll { overflow-x: auto; }
"""


def write_results(trials: Trials, folder: Path, experiment: Path) -> list[Path]:
    """Writes `trials.csv`, `report.html` and the best configuration; a later call replaces them.

    Args:
        trials: the trials of the sweep.
        folder: the folder of the sweep.
        experiment: the file of the best configuration; it is written once a trial has finished.

    Returns:
        The files that were written.
    """
    best = best_configuration(trials, experiment)
    texts = {folder / "trials.csv": as_csv(trials)} | ({experiment: best} if best is not None else {})
    texts[folder / "report.html"] = page(trials, best)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)  # several workers may end at the same time
    return list(texts)


def best_configuration(trials: Trials, file: Path) -> str | None:
    """Returns the best trial as an experiment for `fit --config`; None where no trial has finished.

    Its `defaults:` are the files of the sweep's trials, and its keys are those that the trial changed. For a sweep of another
    program, it has the parameters alone.
    """
    best = trials.best()
    if best is None:
        return None
    sweep = trials.sweep
    words = [f"{key}={as_text(value)}" for key, value in sweep.values(best.params).items()]
    pairs = config.split_arguments([*fixed_arguments(sweep.command), *words])
    names = [name for key, name in pairs if key == "config"]
    if not names and fit_arguments(sweep.command) is not None:
        names = ["default"]
    content: dict[str, Any] = {"defaults": [_reference(name, file) for name in names]} if names else {}
    content |= config.as_dict(OmegaConf.from_dotlist([f"{key}={value}" for key, value in pairs if key != "config"]))
    goal = "highest" if sweep.goal == "maximize" else "lowest"
    size = len(trials.results())
    head = f"# The {goal} {sweep.metric} ({best.value:.4f}) of the {size} finished trials of the sweep {sweep.name}: trial {index_of(best)}.\n"
    body: str = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    return head + body


def _reference(name: str, file: Path) -> str:
    """Returns how a file names another in its `defaults:`: by the name of a shipped one, else by the relative path."""
    path, shipped = config.find_config(name).resolve(), config.conf_folder().resolve()
    if path.is_relative_to(shipped):
        return path.relative_to(shipped).with_suffix("").as_posix()
    return os.path.relpath(path, file.resolve().parent)


def page(trials: Trials, best: str | None) -> str:
    """Returns the report: figures and table in one HTML file that needs no other file."""
    sweep, table_rows, title = trials.sweep, rows(trials), html.escape(f"Sweep {trials.sweep.name}")
    states = count_states(table_rows) or "no trial yet"
    total = duration(sum(row.seconds or 0.0 for row in table_rows))
    summary = f"{sweep.method} search, {sweep.goal} {sweep.metric}: {states}. {total} of computing in all."
    parts = [f"<h1>{title}</h1>", f"<p>{html.escape(summary)}</p>"]
    if best is not None:
        parts += ["<h2>Best configuration</h2>", f"<pre>{html.escape(best)}</pre>"]
    if trials.results():
        parts += [
            "<h2>Parallel coordinates</h2>",
            parallel_coordinates(trials) or "<p>No parameter was varied.</p>",
            "<h2>Importance</h2>",
            importance_bars(trials) or "<p>It needs four finished trials that differ.</p>",
            "<h2>Course of the search</h2>",
            course(trials),
        ]
    parts += ["<h2>Trials</h2>", _html_table(trials, table_rows)]
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'


def _html_table(trials: Trials, table_rows: list[Row]) -> str:
    names = [parameter.name for parameter in trials.sweep.parameters]
    best = trials.best()
    headings = ("trial", "state", trials.sweep.metric, *names, "epochs", "time", "error")
    lines = [f"<tr>{''.join(f'<th>{html.escape(heading)}</th>' for heading in headings)}</tr>"]
    for row in best_first(table_rows, trials.sweep, ("done",)):
        cells = (row.trial, row.state, row.score(), *row.texts(names), row.epochs, row.time(), row.error)
        mark = ' class="best"' if best is not None and row.trial == index_of(best) else ""
        lines.append(f"<tr{mark}>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in cells)}</tr>")
    return '<div class="scroll"><table>' + "\n".join(lines) + "</table></div>"


def remove_leftovers(folder: Path, experiment: Path) -> None:
    """Removes the unfinished files, and the half-released locks, of processes that were killed while they wrote."""
    unfinished = [*folder.rglob("*.part"), *folder.glob("*.lock*.rename")]
    for path in (*unfinished, *experiment.parent.glob(f"{glob.escape(experiment.name)}.*.part")):
        with suppress(OSError):  # another worker has removed it
            if time.time() - path.lstat().st_mtime > UNFINISHED:
                path.unlink()
