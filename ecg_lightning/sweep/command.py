"""One trial's command line: W&B's macros filled in, and its parameters checked against the experiment they change."""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from ecg_lightning.config import compose as config
from ecg_lightning.config import schema
from ecg_lightning.errors import UserError
from ecg_lightning.sweep.definition import Sweep
from ecg_lightning.sweep.parameters import Range, Value, as_text

ARGUMENT_MACROS: dict[str, Callable[[str, str], list[str]]] = {
    "${args}": lambda key, text: [f"--{key}={text}"],
    "${args_no_hyphens}": lambda key, text: [f"{key}={text}"],
    "${args_no_equals}": lambda key, text: [f"--{key}", text],
    "${args_append_hydra}": lambda key, text: [f"+{key}={text}"],
    "${args_override_hydra}": lambda key, text: [f"++{key}={text}"],
    "${args_no_boolean_flags}": lambda key, text: {"true": [f"--{key}"], "false": []}.get(text, [f"--{key}={text}"]),
}
OTHER_MACROS = ("${args_json}", "${args_json_file}")


def fill_command(command: Sequence[str], values: Mapping[str, Value], folder: Path) -> list[str]:
    """Returns the words that start a trial.

    W&B has functions for this, but they write Python's text of a value (`True`, `None`), which is not YAML's.

    Args:
        command: a sweep's command with W&B's macros.
        values: the trial's values, and its other arguments, by dotted key.
        folder: where the file of `${args_json_file}` is written.

    Raises:
        UserError: where the command has no place for the arguments, or a macro that W&B does not have.
    """
    if not any(word in ARGUMENT_MACROS or word in OTHER_MACROS for word in command):
        raise UserError("command has no ${args}; without it a trial does not receive its parameters.")
    words: list[str] = []
    for word in command:
        if word in ARGUMENT_MACROS:
            for key, value in values.items():
                words += ARGUMENT_MACROS[word](key, as_text(value))
        elif word == "${env}":
            words += ["/usr/bin/env"] if os.name == "posix" else []
        elif word == "${interpreter}":
            words.append(sys.executable)
        elif word == "${args_json}":
            words.append(json.dumps(dict(values)))
        elif word == "${args_json_file}":
            file = folder / "arguments.json"
            file.write_text(json.dumps(dict(values)), encoding="utf-8")
            words.append(str(file))
        elif re.search(r"\$\{(?!envvar:)", word):
            raise UserError(
                f"command: W&B has no macro {word}. It has ${{args}}, ${{interpreter}}, ${{envvar:NAME}} and more."
            )
        else:
            words.append(re.sub(r"\$\{envvar:(\w+)\}", lambda match: os.environ.get(match[1], match[1]), word))
    return words


def fit_arguments(command: Sequence[str]) -> list[str] | None:
    """Returns the words after `-m ecg_lightning fit` in a command; None where it runs another program."""
    for i, pair in enumerate(pairwise(command)):
        if pair == ("ecg_lightning", "fit") or (pair[0].endswith("ecg-lightning") and pair[1] == "fit"):
            return list(command[i + 2 :])
    return None


def fixed_arguments(command: Sequence[str]) -> list[str]:
    """Returns the arguments of `fit` that are the same for every trial."""
    return [word for word in fit_arguments(command) or () if word not in ARGUMENT_MACROS and word not in OTHER_MACROS]


def check_parameters(sweep: Sweep) -> None:
    """Compares every parameter, with every value it may take, with the experiment, before anything runs.

    A sweep of another program than `fit` is not checked, since the arguments of that program are not known.

    Raises:
        UserError: for a parameter that is no key of the experiment (with a suggestion), or a value of a wrong type.
    """
    fill_command(sweep.command, {}, Path())  # checks the macros
    if fit_arguments(sweep.command) is None:
        return
    _check([], sweep, "the command, before any parameter")
    first = {parameter.name: parameter.draw(0.0) for parameter in sweep.parameters}
    for parameter in sweep.parameters:
        samples = [parameter.draw(0.0), parameter.draw(0.999999)] if isinstance(parameter, Range) else parameter.grid()
        for sample in samples or [parameter.draw(0.5)]:
            values = sweep.values(first | {parameter.name: sample})
            words = [f"{key}={as_text(value)}" for key, value in values.items()]
            _check(words, sweep, f"parameters.{parameter.name} = {as_text(values[parameter.name])}")


def _check(words: list[str], sweep: Sweep, subject: str) -> None:
    try:
        schema.check(config.compose([*fixed_arguments(sweep.command), *words]))
    except UserError as error:
        raise UserError(f"{sweep.file}: {subject} does not fit the experiment. {error}") from error
