"""What a composed configuration says in its own words: values that are still missing, and texts that no file can hold."""

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ecg_lightning.errors import UserError


def as_written(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain dicts and lists, in which ``${oc.env:NAME}`` stays what it is: for all that is kept.

    A secret that comes from the environment is so never copied to a file, a checkpoint, or a server.
    """
    written = OmegaConf.to_container(config, resolve=False)
    assert isinstance(written, dict)
    return {str(key): value for key, value in written.items()}


def check_written(config: DictConfig) -> None:
    """Asks that every value is given, and that its text can be written to a file.

    Raises:
        UserError: naming the first key that is wrong.
    """
    for key, value in leaves(as_written(config)):
        if value == "???":
            raise UserError(f"{key} is ???, which means that you have to give a value: {key}=…")
        if isinstance(value, str) and (strange := next((c for c in value if not _writable(c)), "")):
            raise UserError(f"{key} holds the character {strange!a}, which cannot be part of a path or a name.")
        if key.startswith("model.") and isinstance(value, str) and "${" in value:
            raise UserError(
                f"{key}={value}: a network must not depend on the environment, since its checkpoint is used elsewhere. "
                "Write the value itself."
            )


def _writable(character: str) -> bool:
    """Neither a control character nor a half of a pair, which stands for a byte that is not UTF-8."""
    return (character >= " " or character in "\t\n") and not "\ud800" <= character <= "\udfff"


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value with its dotted key; the keys of mappings are values too."""
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
