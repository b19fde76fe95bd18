"""`models [NAME]`: compares the networks that can be trained, or lists the arguments of one."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ecg_lightning.commands.words import split_options, split_words
from ecg_lightning.config.compose import NAMED, as_dict, conf_folder, load
from ecg_lightning.config.schema import build
from ecg_lightning.config.signatures import exports, signature_of
from ecg_lightning.errors import UserError, suggest
from ecg_lightning.ranges import describe

COLUMNS = ("parameters", "multiply-adds, 100 Hz", "500 Hz", "receptive field", "PTB-XL AUROC", "reference")
SECONDS = 10
"""Length of the recording whose multiply-adds are counted."""
TERMS = 71
"""Outputs of the networks that are compared: the statements of PTB-XL, on which scores are published."""


def models(arguments: Sequence[str]) -> int:
    """Prints a table of the networks of conf/model or, with a name, the arguments of one."""
    options, rest = split_options(arguments, flags=("--json",))
    words, _ = split_words(rest, "models [NAME] [--json]", 0, 1)
    files = {file.stem: file for file in sorted((conf_folder() / "model").glob("*.yaml"))}
    if words:
        _list_arguments(words[0], files, "json" in options)
    elif "json" in options:
        rows = [{"network": name} | dict(zip(COLUMNS, _row(name, file), strict=True)) for name, file in files.items()]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _compare(files)
    return 0


def _list_arguments(name: str, files: dict[str, Path], as_json: bool) -> None:
    """Prints the arguments of a network, which is named by its class or by a file of conf/model.

    Raises:
        UserError: where there is neither.
    """
    modules = exports(NAMED["model"])
    module = str(load(files[name]).model.name) if name in files else name
    if module not in modules:
        names = [*files, *modules]
        raise UserError(f"There is no network '{name}'. {suggest(name, names)}Choices: {', '.join(names)}.")
    signature = signature_of(modules[module], module)
    if as_json:
        rows = [
            {"name": each.name, "default": str(each.default), "kind": describe(each.hint), "purpose": each.doc}
            for each in signature.arguments.values()
        ]
        print(
            json.dumps({"name": module, "summary": signature.summary, "arguments": rows}, indent=2, ensure_ascii=False)
        )
        return
    print(f"{module}: {signature.summary}")
    for argument in signature.arguments.values():
        print(f"  {argument.name} = {argument.default}  ({describe(argument.hint)})")
        if argument.doc:
            print(f"      {argument.doc}")


def _compare(files: dict[str, Path]) -> None:
    """Prints the table, a row as soon as it is computed: a large network takes a second or two."""
    print(f"Networks of conf/model, with {TERMS} outputs; multiply-adds are those of one recording of {SECONDS} s.")
    print(
        "The receptive field is in seconds at 100 Hz. The AUROC is the published macro average over the 71 statements of"
    )
    print("PTB-XL, fold 10, for training from scratch.\n")
    width = max(map(len, files))
    print(f"{'network':{width}}  " + "  ".join(COLUMNS))
    for name, file in files.items():
        cells = zip(COLUMNS, _row(name, file), strict=True)
        print(f"{name:{width}}  " + "  ".join(f"{cell:>{len(column)}}" for column, cell in cells), flush=True)


def _row(name: str, file: Path) -> tuple[str, ...]:
    """The cells of one network, as COLUMNS."""
    from ecg_lightning.models import costs

    network = partial(build, "model", as_dict(load(file).model), leads=12, outputs=TERMS)
    instance = network()
    field = costs.receptive_field(instance)
    return (
        f"{costs.parameters(instance):,}",
        *(f"{costs.multiply_adds(network, rate * SECONDS) / 1e6:,.0f} M" for rate in (100, 500)),
        "whole" if field is None else f"{field / 100:.2f} s",
        f"{score:.3f}" if (score := instance.published.get(name)) is not None else "",
        instance.reference,
    )
