"""The one exception that is meant for people."""

import difflib
import re
from collections.abc import Iterable
from importlib.util import find_spec

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move a terminal's cursor or turn text round, and halves of a pair, which UTF-8 cannot hold."""


class UserError(Exception):
    """A mistake that the user can mend; its message says what was wrong, where, and what to do.

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
    """Returns `Did you mean: 'lr'? ` where some choice is near, else nothing.

    >>> suggest("lrr", ["lr", "depth"])
    "Did you mean: 'lr'? "
    """
    near = nearest(word, choices, most)
    return f"Did you mean: {' or '.join(map(repr, near))}? " if near else ""


def needs(package: str, extra: str, purpose: str) -> None:
    """Checks that an optional package is installed, before anything imports it.

    Raises:
        UserError: where it is not; the message is how to install it.
    """
    if find_spec(package) is None:
        raise UserError(
            f"{purpose} needs the package {package}, which is not installed: pip install 'ecg_lightning[{extra}]'."
        )
