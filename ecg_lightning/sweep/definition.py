"""A sweep file in W&B's format, read and checked: what is varied, how it is searched, and what each trial runs."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from ecg_lightning.errors import UserError, suggest
from ecg_lightning.sweep.parameters import Parameter, Sample, Value, parse_parameters

METHODS = ("grid", "random", "bayes")
KEYS = (
    *("method", "metric", "parameters", "early_terminate", "run_cap", "command", "program"),
    *("name", "description", "project", "entity", "settings", "controller", "prior_runs"),
)
"""The keys of W&B's format; those of the second line concern W&B's own service."""
STOPPING_KEYS = ("type", "min_iter", "max_iter", "s", "eta", "strict")
FIT_COMMAND = ("${env}", "${interpreter}", "-m", "ecg_lightning", "fit", "${args}")
PROGRAM_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")


@dataclass(frozen=True)
class Stopping:
    """When a trial that is behind the others is stopped early, in epochs."""

    kind: Literal["hyperband", "median"]
    first: int
    last: int | None
    factor: int


@dataclass(frozen=True)
class Sweep:
    """One sweep.

    Attributes:
        name: of the study, the W&B group and the folder.
        metric: the logged number that decides, a column of a run's ``metrics.csv``; a trial counts with its best epoch.
        target: no new trial is started once one has reached it.
        command: one trial's command line, with W&B's macros.
    """

    name: str
    method: Literal["grid", "random", "bayes"]
    metric: str
    goal: Literal["minimize", "maximize"]
    target: float | None
    parameters: tuple[Parameter, ...]
    run_cap: int | None
    stopping: Stopping | None
    command: tuple[str, ...]
    file: Path
    project: str | None = None
    entity: str | None = None

    @property
    def size(self) -> int | None:
        """The number of trials; None where the sweep goes on until it is stopped."""
        if self.method != "grid":
            return self.run_cap
        points = math.prod(len(parameter.grid()) for parameter in self.parameters)
        return points if self.run_cap is None else min(points, self.run_cap)

    def samples(self, index: int, seed: int) -> dict[str, Sample]:
        """What trial ``index`` must use: its point of the grid, its random draw, or nothing where bayes decides."""
        if self.method == "bayes":
            return {}
        if self.method == "random":
            draw = random.Random(f"{seed}/{index}")
            return {parameter.name: parameter.draw(draw.random()) for parameter in self.parameters}
        point = {}
        for parameter in reversed(self.parameters):  # the last parameter changes fastest
            grid = parameter.grid()
            index, place = divmod(index, len(grid))
            point[parameter.name] = grid[place]
        return point

    def values(self, samples: Mapping[str, Sample]) -> dict[str, Value]:
        """The values of a run for its samples; files and names come first, since they decide what other keys mean."""
        order = sorted(self.parameters, key=lambda p: (p.name != "config", not p.name.endswith(".name")))
        return {p.name: p.value(samples[p.name]) for p in order if p.name in samples}

    def best(self, values: Iterable[float]) -> float | None:
        """The best of the values that are numbers; None where there is none."""
        better = max if self.goal == "maximize" else min
        return better((value for value in values if not math.isnan(value)), default=None)

    def identity(self) -> dict[str, str]:
        """What makes trials comparable: two sweeps that differ here cannot share a study."""
        parts = {"method": self.method, "metric": f"{self.goal} {self.metric}", "command": " ".join(self.command)}
        return parts | {f"parameters.{p.name}": p.described() for p in self.parameters}


def load_sweep(path: Path, name: str | None = None, overrides: Sequence[str] = ()) -> Sweep:
    """Reads a sweep file.

    Args:
        path: the file, in W&B's sweep format.
        name: the study's name; by default the file's ``name:``, else its stem.
        overrides: further arguments of every trial, ``trainer.max_epochs=3``.

    Raises:
        UserError: for anything that is not of the format; the message names the file and the key.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    try:
        return _parse(path, entries, name, overrides)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _parse(path: Path, entries: Any, name: str | None, overrides: Sequence[str]) -> Sweep:
    if not isinstance(entries, dict):
        raise UserError("a sweep file is a mapping with method, metric, parameters and command.")
    _check_keys(entries, KEYS, "")
    method = entries.get("method")
    if method not in METHODS:
        raise UserError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
    metric = entries.get("metric")
    if not isinstance(metric, dict) or not isinstance(metric.get("name"), str):
        raise UserError("metric: say which logged number decides, for example {name: val/auroc, goal: maximize}.")
    _check_keys(metric, ("name", "goal", "target"), "metric.")
    goal, target = metric.get("goal", "minimize"), metric.get("target")
    if goal not in ("minimize", "maximize"):
        raise UserError(f"metric.goal must be minimize or maximize, not {goal!r}.")
    if target is not None and not isinstance(target, int | float):
        raise UserError(f"metric.target must be a number, not {target!r}.")
    parameters = parse_parameters(entries.get("parameters"))
    names = [parameter.name for parameter in parameters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"parameters: {', '.join(twice)} is given more than once.")
    for parameter in parameters:
        if method == "grid" and not parameter.grid():
            raise UserError(
                f"parameters.{parameter.name}: a grid needs a list of values (or whole numbers, or q_uniform)."
            )
    cap = entries.get("run_cap")
    return Sweep(
        name=name or str(entries.get("name") or path.stem),
        method=method,
        metric=metric["name"],
        goal=goal,
        target=None if target is None else float(target),
        parameters=tuple(parameters),
        run_cap=None if cap is None else _whole("run_cap", cap),
        stopping=_parse_stopping(entries.get("early_terminate")),
        command=(*_parse_command(entries), *overrides),
        file=path,
        project=entries.get("project"),
        entity=entries.get("entity"),
    )


def _parse_stopping(entry: Any) -> Stopping | None:
    if entry is None:
        return None
    if not isinstance(entry, dict) or entry.get("type") not in ("hyperband", "median"):
        raise UserError("early_terminate: write {type: hyperband, min_iter: 3}; type may also be median.")
    _check_keys(entry, STOPPING_KEYS, "early_terminate.")
    numbers = {
        key: _whole(f"early_terminate.{key}", entry[key])
        for key in ("min_iter", "max_iter", "s", "eta")
        if key in entry
    }
    factor, last = numbers.get("eta", 3), numbers.get("max_iter")
    if factor < 2:
        raise UserError("early_terminate.eta must be at least 2: one in eta trials goes on.")
    if "min_iter" not in numbers and (last is None or "s" not in numbers):
        raise UserError("early_terminate: give min_iter, or max_iter and s; both count epochs.")
    first = numbers.get("min_iter") or max(1, int((last or 1) / factor ** numbers["s"]))
    if last is not None and last < first:
        raise UserError(f"early_terminate: max_iter {last} is before the first check, at epoch {first}.")
    return Stopping(entry["type"], first, last, factor)


def _parse_command(entries: Mapping[str, Any]) -> tuple[str, ...]:
    command = entries.get("command")
    if command is None:
        if "program" not in entries:
            return FIT_COMMAND
        return tuple(part.replace("${program}", str(entries["program"])) for part in PROGRAM_COMMAND)
    if not isinstance(command, list) or not command:
        raise UserError(
            "command must be a list of words, for example [${env}, ${interpreter}, -m, ecg_lightning, fit, ${args}]."
        )
    words = tuple(str(word).replace("${program}", str(entries.get("program", "${program}"))) for word in command)
    if "${program}" in " ".join(words):
        raise UserError("command uses ${program}: give program too.")
    return words


def _check_keys(entry: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in entry:
        if key not in known:
            hint = suggest(str(key), known)
            raise UserError(f"there is no key '{where}{key}' in a sweep file. {hint}Keys: {', '.join(known)}.")


def _whole(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{key} must be a whole number of at least 1, not {value!r}.")
    return value
