"""A composed configuration as it is kept: values that are still missing, and texts that must not be kept."""

import re
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ecg_lightning.errors import UNPRINTABLE, UserError


def as_written(config: DictConfig) -> dict[str, Any]:
    """Returns the configuration as plain dicts and lists, in which `${oc.env:NAME}` stays as it is written.

    All that is kept of a run is made from it, so a secret of the environment is never copied to a file, a checkpoint, or
    a server.
    """
    written = OmegaConf.to_container(config, resolve=False)
    assert isinstance(written, dict)
    return {str(key): value for key, value in written.items()}


def check_written(config: DictConfig) -> None:
    """Checks that every value is there, and that its text can be kept.

    Raises:
        UserError: naming the first key that is wrong.
    """
    for key, value in leaves(as_written(config)):
        if value == "???":
            raise UserError(f"{key} is ???, which means that you have to give a value: {key}=…")
        if isinstance(value, str) and (character := UNPRINTABLE.search(value)):
            raise UserError(f"{key} holds the character {character[0]!a}, which cannot be part of a path or a name.")
        if isinstance(value, str) and re.search(r"://[^/@:]*:[^/@$]+@", value):
            raise UserError(
                f"{key} holds a password, which would be kept in config.yaml, in checkpoints and at W&B. Put the address into "
                f"a variable of the environment, and write {key}='${{oc.env:NAME}}'."
            )
        if key.startswith("model.") and isinstance(value, str) and "${" in value:
            raise UserError(
                f"{key}={value}: a network must not depend on the environment, since its checkpoint is used elsewhere. "
                "Write the value itself."
            )


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every single value with its dotted key; the keys of mappings are values too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            where = f"{place}.{key}" if place else str(key)
            yield f"A key of {place or 'the configuration'}", key
            yield from leaves(inner, where)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{place}[{number}]")
    else:
        yield place, value
