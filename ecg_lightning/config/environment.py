"""Interpolations: references between keys are resolved when a configuration is composed, the environment when it is read.

So what is kept of a run (config.yaml, the log at W&B, a checkpoint's card) says `${oc.env:NAME}` and holds no secret.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException

from ecg_lightning.errors import UserError, first_line

MOST_REFERENCES = 1_000
"""References to follow in one configuration: a few lines in which each refers twice to the next make billions."""
MOST_CHARACTERS = 10_000_000
"""Text that they may lead to."""
RESOLVERS = ("oc.env", "oc.decode")
"""What an interpolation may call: a variable of the environment, and its text read as YAML. Neither runs anything."""
_SWAPPING = threading.Lock()


def settle(config: DictConfig) -> None:
    """Resolves every reference to another key, in place; what calls a resolver stays as it is written.

    Raises:
        UserError: for a reference that leads nowhere, a variable that is not set, or any other resolver.
    """
    try:
        with _resolvers_as_written(), _bounded():
            OmegaConf.resolve(config)
        OmegaConf.to_container(config, resolve=True)  # a variable that is not set is found now
    except OmegaConfBaseException as error:
        raise UserError(f"An interpolation cannot be resolved: {first_line(error)}{_allowed(error)}") from error
    except RecursionError as error:
        raise UserError(
            "An interpolation cannot be resolved: it leads back to itself, or is nested too deeply."
        ) from error


def _allowed(error: Exception) -> str:
    if "Unsupported interpolation type" not in str(error):
        return ""
    return f". An interpolation names another key, as in ${{data.root}}, or calls one of {', '.join(RESOLVERS)}."


@contextmanager
def _bounded() -> Iterator[None]:
    """Refuses a configuration whose references lead to more than `MOST_REFERENCES` others, or to `MOST_CHARACTERS`."""
    follow = BaseContainer._resolve_node_interpolation
    references = characters = 0

    def bounded(self: BaseContainer, *arguments: Any, **keywords: Any) -> Any:
        nonlocal references, characters
        node = follow(self, *arguments, **keywords)
        references += 1
        characters += len(str(node._value())) if isinstance(node._value(), str) else 0
        if references > MOST_REFERENCES or characters > MOST_CHARACTERS:
            raise ValueError("its references lead to too many others")
        return node

    BaseContainer._resolve_node_interpolation = bounded  # type: ignore[assignment]
    try:
        yield
    finally:
        BaseContainer._resolve_node_interpolation = follow  # type: ignore[method-assign]


@contextmanager
def _resolvers_as_written() -> Iterator[None]:
    """Lets a call of a resolver resolve to its own text.

    OmegaConf has one table of resolvers for the whole process; it is put back, with those that a program around this
    package may have added.
    """
    with _SWAPPING:
        registered = BaseContainer._resolvers
        BaseContainer._resolvers = {name: _text_of(name) for name in RESOLVERS}
        try:
            yield
        finally:
            BaseContainer._resolvers = registered


def _text_of(name: str) -> Callable[..., str]:
    def text(config: Any, parent: Any, node: Any, arguments: tuple[Any, ...], written: tuple[str, ...]) -> str:
        return f"${{{name}:{','.join(written)}}}"

    return text
