"""The exceptions that are meant for people, and the phrases that their messages share."""

import difflib
import re
from collections.abc import Iterable
from importlib.util import find_spec

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move a terminal's cursor or turn text round, and halves of a pair, which UTF-8 cannot hold."""


class UserError(Exception):
    """A mistake that the user can correct; its message says what was wrong, where, and what to do.

    The command line prints the message alone, without a traceback, and exits with status 2.
    """


class Stopped(KeyboardInterrupt):
    """A run that Ctrl-C or SIGTERM stopped; its message says how to go on."""


def printable(text: str) -> str:
    r"""Returns a text of unknown origin as a terminal may show it: control characters are written as their numbers.

    >>> printable("a\x1b[2J\nb")
    'a\\x1b[2J\nb'
    """
    return UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def nearest(word: str, choices: Iterable[str], most: int = 1) -> list[str]:
    """Returns the choices that look most like a word, the nearest first; upper and lower case count as the same.

    >>> nearest("afbi", ["AFIB", "SR"])
    ['AFIB']
    """
    by_folded = {choice.casefold(): choice for choice in choices}
    return [by_folded[match] for match in difflib.get_close_matches(word.casefold(), by_folded, n=most, cutoff=0.5)]


def suggest(word: str, choices: Iterable[str], most: int = 1) -> str:
    """Returns `Did you mean: 'lr'? ` with the choices nearest to a word, else an empty text.

    >>> suggest("lrr", ["lr", "depth"])
    "Did you mean: 'lr'? "
    """
    near = nearest(word, choices, most)
    return f"Did you mean: {' or '.join(map(repr, near))}? " if near else ""


def unknown(kind: str, name: str, choices: Iterable[str]) -> UserError:
    """Returns the error for a name that is not among the choices: it suggests the nearest ones and lists all.

    >>> str(unknown("label space", "paper8", ["paper7"]))
    "There is no label space 'paper8'. Did you mean: 'paper7'? Choices: paper7."
    """
    choices = list(choices)
    return UserError(f"There is no {kind} {name!r}. {suggest(name, choices, 3)}Choices: {', '.join(choices)}.")


def first_line(error: BaseException) -> str:
    """Returns the first line of a message; OmegaConf's further lines say where in its own objects the error was."""
    return str(error).partition("\n")[0]


def one_line(error: BaseException | None, most: int = 500) -> str:
    """Returns a message on one line of at most `most` characters, without its full stop; the error's type where it is empty.

    >>> one_line(OSError("no route   to host."))
    'no route to host'
    """
    return " ".join(str(error).split())[:most].rstrip(".") or type(error).__name__


class MissingPackageError(UserError):
    """An optional package is not installed."""


def needs(package: str, extra: str, purpose: str) -> None:
    """Checks that an optional package is installed, before anything imports it.

    Raises:
        MissingPackageError: where it is not installed; the message says how to install it.
    """
    if find_spec(package) is None:
        raise MissingPackageError(
            f"{purpose} needs the package {package}, which is not installed: pip install 'ecg_lightning[{extra}]'."
        )
