"""Aliases: names such as `ptbxl-resnet1d@best` that can move from one published checkpoint to another, and keep their history.

Each move is a small file of its own, with a number, that is never overwritten. The one with the largest number counts. So two
who move an alias at once take two numbers, and nothing of its history is lost.
"""

import getpass
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from ecg_lightning.checkpoints import cache
from ecg_lightning.checkpoints.addresses import shown
from ecg_lightning.checkpoints.card_values import plain, typed
from ecg_lightning.checkpoints.exclusive import write_new
from ecg_lightning.checkpoints.storage import explained, filesystem_of, read_bytes
from ecg_lightning.errors import UserError, suggest
from ecg_lightning.files import parse_json

FOLDER = "aliases"
"""Below the place of the checkpoints."""
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""A published name, and each part of an alias."""
ALIAS = re.compile(rf"{NAME}@{NAME}")
FILE = re.compile(rf"({NAME}@{NAME})\.(\d{{6}})\.json")
TRIES = 100
"""How often a number is looked for, where others move the same alias at the same time."""


@dataclass(frozen=True)
class Move:
    """One move of an alias.

    Attributes:
        name: the published checkpoint that it names since; None where it was removed.
        sha256: of the checkpoint's file.
        time: in ISO 8601, UTC.
        by: the user's name on the machine where it was moved.
    """

    name: str | None
    sha256: str = ""
    time: str = ""
    by: str = ""

    def __post_init__(self) -> None:
        if self.name is not None and not re.fullmatch(NAME, self.name):
            raise ValueError(f"name: {self.name!r} cannot be a checkpoint's name")
        if self.name is not None and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError("sha256: no hash")


def is_alias(name: str) -> bool:
    """Says whether a checkpoint's name is an alias.

    >>> [is_alias(name) for name in ("ptbxl-resnet1d@best", "ptbxl-v1", "runs/a@b", "hf://team/net@main")]
    [True, False, False, False]
    """
    return ALIAS.fullmatch(name) is not None


def check_alias(name: str) -> None:
    """Refuses what cannot be an alias.

    Raises:
        UserError: that says how an alias is written.
    """
    if not is_alias(name):
        raise UserError(f"'{name}' cannot be an alias: write NAME@WORD, for example ptbxl-resnet1d@best.")


def aliases(place: str) -> dict[str, Move]:
    """Returns the aliases of a place, each with its last move; none that were removed, and none where it is not asked."""

    def ask() -> dict[str, Move]:
        return {alias: _read(place, alias, max(numbers)) for alias, numbers in _numbers(place).items()}

    last: dict[str, Move] = cache.or_recalled(place, ask, dict)
    return {alias: move for alias, move in sorted(last.items()) if move.name is not None}


def history(place: str, alias: str) -> list[Move]:
    """Returns all moves of an alias, the oldest first.

    Raises:
        UserError: where there is no such alias.
    """
    numbers = _numbers(place)
    if alias not in numbers:
        choices = (
            f"Aliases there: {', '.join(sorted(numbers))}." if numbers else "There are no aliases yet (see `alias`)."
        )
        raise UserError(f"There is no alias '{alias}' in {shown(place)}. {suggest(alias, numbers)}{choices}")
    return [_read(place, alias, number) for number in sorted(numbers[alias])]


def current(place: str, alias: str) -> Move:
    """Returns the last move of an alias; where the place does not answer, the last that this machine saw.

    Raises:
        UserError: where there is no such alias, or it was removed.
    """
    url = f"{place}/{FOLDER}/{alias}"

    def ask() -> Move:
        numbers = _numbers(place).get(alias)
        move = _read(place, alias, max(numbers)) if numbers else history(place, alias)[-1]
        cache.remember(url, {"move": asdict(move)})
        return move

    def recalled() -> Move | None:
        entry = cache.recall(url)
        return _move(entry["move"], url) if entry is not None and "move" in entry else None

    move = cache.or_recalled(url, ask, recalled)
    if move.name is None:
        raise UserError(f"The alias '{alias}' in {shown(place)} was removed by {move.by} ({move.time}).")
    return move


def move(place: str, alias: str, name: str | None, sha256: str = "") -> Move:
    """Lets an alias name another published checkpoint, or none.

    Raises:
        UserError: where it cannot be written.
    """
    check_alias(alias)
    step = Move(name, sha256, datetime.now(UTC).isoformat(timespec="seconds"), _user())
    content = (json.dumps(asdict(step), indent=2, ensure_ascii=False) + "\n").encode()
    for _ in range(TRIES):
        number = max(_numbers(place).get(alias, [0])) + 1
        try:
            write_new(_url(place, alias, number), content)
        except FileExistsError:  # somebody else moved it at this moment
            continue
        return step
    raise UserError(f"The alias '{alias}' is moved by others all the time. Try it again in a moment.")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for the user's number
        return "unknown"


def _url(place: str, alias: str, number: int) -> str:
    return f"{place}{'' if place.endswith('/') else '/'}{FOLDER}/{alias}.{number:06}.json"


def _numbers(place: str) -> dict[str, list[int]]:
    """Returns the numbers of each alias's moves."""
    folder = f"{place}{'' if place.endswith('/') else '/'}{FOLDER}"
    filesystem, path = filesystem_of(folder)
    try:
        with explained(folder):
            entries: Iterable[dict[str, str]] = filesystem.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    numbers: dict[str, list[int]] = {}
    for entry in entries:
        if match := FILE.fullmatch(PurePosixPath(entry["name"]).name):
            numbers.setdefault(match[1], []).append(int(match[2]))
    return numbers


def _read(place: str, alias: str, number: int) -> Move:
    url = _url(place, alias, number)
    try:
        values = parse_json(read_bytes(url))
    except ValueError as error:
        raise UserError(f"{shown(url)} is no alias of ecg_lightning ({error}). Remove this file.") from error
    return _move(values, url)


def _move(values: object, url: str) -> Move:
    try:
        step: Move = typed(Move, plain(values), "")
    except (ValueError, TypeError) as error:
        raise UserError(f"{shown(url)} is no alias of ecg_lightning ({error}). Remove this file.") from error
    return step
