"""Words of a command line that is no configuration."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from ecg_lightning.errors import UserError


class Parser(argparse.ArgumentParser):
    """The words of one verb, in any order; a mistake is a UserError that names the verb."""

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Returns the values of the words.

        Raises:
            UserError: for an unknown option, a missing word, or a value of a wrong type.
        """
        return self.parse_intermixed_args(list(map(with_hyphens, arguments)))

    def error(self, message: str) -> NoReturn:
        """Raises a mistake that argparse has noticed."""
        verb = self.prog.rpartition(" ")[2]
        raise UserError(f"{verb}: {message}. See `python -m ecg_lightning {verb} --help`.")


def with_hyphens(word: str) -> str:
    """Returns an option as it is spelled in the help; what is no option is returned as it is.

    >>> [with_hyphens(word) for word in ("--batch_size=8", "--optim.weight_decay=0", "my_file.csv")]
    ['--batch-size=8', '--optim.weight_decay=0', 'my_file.csv']
    """
    key, equals, value = word.partition("=")
    return f"{key.replace('_', '-')}{equals}{value}" if key.startswith("--") and "." not in key else word


def split_words(arguments: Sequence[str], usage: str, least: int, most: int) -> tuple[list[str], str | None]:
    """Returns the positional words, and the value of `checkpoints_dir`, None where the words do not have it.

    Args:
        arguments: the words after the verb.
        usage: the verb and its words, for messages.
        least: the smallest number of positional words.
        most: the largest number of positional words.

    Raises:
        UserError: for an unknown option, too few or too many words.
    """
    words, folder = [], None  # a path or URL may have an = of its own, and no key has a slash
    for word in arguments:
        key, equals, value = word.removeprefix("--").partition("=")
        if equals and key.replace("-", "_") == "checkpoints_dir":
            folder = value
        elif word.startswith("--") or (equals and "/" not in key):
            raise UserError(f"'{word}' is not an option of this verb. Usage: {usage} [checkpoints_dir=URL]")
        else:
            words.append(word)
    if not least <= len(words) <= most:
        raise UserError(f"Usage: {usage} [checkpoints_dir=URL]. There are {len(words)} words after the verb.")
    return words, folder


def split_options(
    arguments: Sequence[str], flags: Sequence[str] = (), options: Sequence[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Takes a verb's own options out of its words.

    Args:
        arguments: the words after the verb.
        flags: options without a value, for example `--json`.
        options: options with a value, which is the next word or behind an equals sign.

    Returns:
        The values of the options that there are, "" of a flag, by their names without hyphens; and the other words.

    Raises:
        UserError: where an option has no value.

    >>> split_options(["net", "--json", "--licence", "MIT"], ["--json"], ["--licence"])
    ({'json': '', 'licence': 'MIT'}, ['net'])
    """
    values: dict[str, str] = {}
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, value = with_hyphens(word).partition("=")
        if name in flags and not equals:
            values[name.removeprefix("--")] = ""
        elif name in options:
            value = word.partition("=")[2] if equals else next(words, "")
            if not value or (not equals and value.startswith("--")):
                raise UserError(f"{name} needs a value, for example {name} TEXT.")
            values[name.removeprefix("--")] = value
        else:
            rest.append(word)
    return values, rest


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun in the singular or plural.

    >>> counted(1, "term"), counted(32, "term")
    ('1 term', '32 terms')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
