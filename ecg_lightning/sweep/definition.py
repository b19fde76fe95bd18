"""A sweep file in W&B's format, read and checked: what is varied, how it is searched, and what each trial runs."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml

from ecg_lightning.errors import UserError, one_line, suggest
from ecg_lightning.ranges import Between, Misfit, fit
from ecg_lightning.sweep.parameters import Parameter, Sample, Value, parse_parameters

Method = Literal["grid", "random", "bayes"]
Goal = Literal["minimize", "maximize"]
Count = Annotated[int, Between(1, 10**9)]
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
    """When a trial with worse values than the others is stopped early.

    Attributes:
        kind: the rule.
        first: epoch of the first check.
        last: epoch in which a trial ends at the latest; None where it is not known.
        factor: one in this number of trials goes on after a check.
    """

    kind: Literal["hyperband", "median"]
    first: int
    last: int | None
    factor: int


@dataclass(frozen=True)
class Sweep:
    """One sweep.

    Attributes:
        name: name of the study, of the W&B group and of the folder.
        metric: the logged number that decides, a column of a run's `metrics.csv`; a trial counts with its best epoch.
        target: no new trial is started once a trial has reached it.
        command: one trial's command line, with W&B's macros.
    """

    name: str
    method: Method
    metric: str
    goal: Goal
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
        """The number of trials; None where the sweep runs until it is stopped."""
        if self.method != "grid":
            return self.run_cap
        points = math.prod(len(parameter.grid()) for parameter in self.parameters)
        return points if self.run_cap is None else min(points, self.run_cap)

    def samples(self, index: int, seed: int) -> dict[str, Sample]:
        """Returns the samples of one trial: its point of the grid, its random draw, or nothing where bayes decides."""
        if self.method == "bayes":
            return {}
        if self.method == "random":
            draw = random.Random(f"{seed}/{index}")
            return {parameter.name: parameter.draw(draw.random()) for parameter in self.parameters}
        point = {}
        for parameter in reversed(self.parameters):  # the last parameter changes fastest
            grid = parameter.grid()
            index, position = divmod(index, len(grid))
            point[parameter.name] = grid[position]
        return point

    def values(self, samples: Mapping[str, Sample]) -> dict[str, Value]:
        """Returns the values of a run for its samples; files and names come first, since they decide what other keys mean."""
        order = sorted(self.parameters, key=lambda p: (p.name != "config", not p.name.endswith(".name")))
        return {p.name: p.value(samples[p.name]) for p in order if p.name in samples}

    def best(self, values: Iterable[float]) -> float | None:
        """Returns the best of the values that are not NaN; None where all are."""
        better = max if self.goal == "maximize" else min
        return better((value for value in values if not math.isnan(value)), default=None)

    def identity(self) -> dict[str, str]:
        """Returns what makes trials comparable: two sweeps that differ here cannot share a study."""
        parts = {"method": self.method, "metric": f"{self.goal} {self.metric}", "command": " ".join(self.command)}
        return parts | {f"parameters.{p.name}": p.text() for p in self.parameters}


def load_sweep(path: Path, name: str | None = None, overrides: Sequence[str] = ()) -> Sweep:
    """Reads a sweep file.

    Args:
        path: the file, in W&B's sweep format.
        name: the study's name; by default the `name:` in the file, else the name of the file.
        overrides: further arguments of every trial, such as `trainer.max_epochs=3`.

    Raises:
        UserError: for anything that is not of the format; the message names the file and the key.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML: {one_line(error)}.") from error
    try:
        return _parse(path, entries, name, overrides)
    except (UserError, Misfit) as error:
        raise UserError(f"{path}: {error}") from error


def _parse(path: Path, entries: Any, name: str | None, overrides: Sequence[str]) -> Sweep:
    if not isinstance(entries, dict):
        raise UserError("a sweep file is a mapping with method, metric, parameters and command.")
    _check_keys(entries, KEYS, "")
    method: Method = fit(entries.get("method"), Method, "method")
    metric = entries.get("metric")
    if not isinstance(metric, dict) or not isinstance(metric.get("name"), str):
        raise UserError("metric: name the logged number that decides, for example {name: val/auroc, goal: maximize}.")
    _check_keys(metric, ("name", "goal", "target"), "metric.")
    parameters = parse_parameters(entries.get("parameters"))
    names = [parameter.name for parameter in parameters]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"parameters: {', '.join(repeated)} is in the file more than once.")
    for parameter in parameters:
        if method == "grid" and not parameter.grid():
            raise UserError(f"parameters.{parameter.name}: a grid needs a list of values, whole numbers, or q_uniform.")
    return Sweep(
        name=name or str(entries.get("name") or path.stem),
        method=method,
        metric=metric["name"],
        goal=fit(metric.get("goal", "minimize"), Goal, "metric.goal"),
        target=fit(metric.get("target"), float | None, "metric.target"),
        parameters=tuple(parameters),
        run_cap=fit(entries.get("run_cap"), Count | None, "run_cap"),
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
    keys = [key for key in ("min_iter", "max_iter", "s", "eta") if key in entry]
    numbers: dict[str, int] = {key: fit(entry[key], Count, f"early_terminate.{key}") for key in keys}
    factor, last = numbers.get("eta", 3), numbers.get("max_iter")
    if factor < 2:
        raise UserError("early_terminate.eta must be at least 2: one of eta trials goes on after a check.")
    if "min_iter" not in numbers and (last is None or "s" not in numbers):
        raise UserError(
            "early_terminate: give min_iter, or max_iter and s. min_iter and max_iter are numbers of epochs."
        )
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
        raise UserError("command uses ${program}, but the file has no key program.")
    return words


def _check_keys(entry: Mapping[str, Any], choices: tuple[str, ...], prefix: str) -> None:
    for key in entry:
        if key not in choices:
            hint = suggest(str(key), choices)
            raise UserError(f"there is no key '{prefix}{key}' in a sweep file. {hint}Keys: {', '.join(choices)}.")
