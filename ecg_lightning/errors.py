"""The one exception that is meant for people."""

import difflib
from collections.abc import Iterable
from importlib.util import find_spec


class UserError(Exception):
    """A mistake that the user can mend; its message says what was wrong, where, and what to do.

    The command line prints the message alone, without a traceback, and exits with status 2.
    """


class Stopped(KeyboardInterrupt):
    """A run that Ctrl-C or SIGTERM stopped; its message says how to go on."""


def suggest(word: str, choices: Iterable[str]) -> str:
    """``Did you mean: 'lr'? `` where something is near, else nothing.

    >>> suggest("lrr", ["lr", "depth"])
    "Did you mean: 'lr'? "
    """
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"Did you mean: {near[0]!r}? " if near else ""


def needs(package: str, extra: str, purpose: str) -> None:
    """Makes sure that an optional package is installed, before anything imports it.

    Raises:
        UserError: where it is not; the message is how to install it.
    """
    if find_spec(package) is None:
        raise UserError(
            f"{purpose} needs the package {package}, which is not installed: pip install 'ecg_lightning[{extra}]'."
        )
