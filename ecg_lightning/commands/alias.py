"""`alias [NAME@WORD [CHECKPOINT]]`: lists the aliases of a place, shows the history of one, or moves it."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.addresses import shown
from ecg_lightning.checkpoints.aliases import Move, aliases, history
from ecg_lightning.commands.console import console
from ecg_lightning.commands.words import split_options, split_words
from ecg_lightning.errors import UserError, printable

USAGE = "alias [NAME@WORD [CHECKPOINT]] [--remove] [--json]"


def alias(arguments: Sequence[str]) -> int:
    """Lists aliases, or shows, moves or removes the one that the arguments name."""
    options, rest = split_options(arguments, flags=("--remove", "--json"))
    words, folder = split_words(rest, USAGE, 0, 2)
    place = checkpoints.place(folder)
    if "remove" in options and len(words) != 1:
        raise UserError(f"--remove takes one alias away, and {len(words)} words are given. Usage: {USAGE}")
    if len(words) == 2:
        move = checkpoints.set_alias(words[0], words[1], folder)
        print(f"{words[0]} is {move.name} from now on ({shown(place)}).")
    elif "remove" in options:
        checkpoints.remove_alias(words[0], folder)
        print(f"{words[0]} is removed; its history stays ({shown(place)}).")
    elif words:
        moves = history(place, words[0])
        _print([(words[0], move) for move in moves], "json" in options)
    else:
        rows = [*aliases(place).items()]
        if not rows and "json" not in options:
            print(f"There are no aliases in {shown(place)} yet. Make one with: alias NAME@WORD CHECKPOINT")
            return 0
        _print(rows, "json" in options)
    return 0


def _print(rows: Sequence[tuple[str, Move]], as_json: bool) -> None:
    if as_json:
        print(json.dumps([{"alias": name} | asdict(move) for name, move in rows], indent=2, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table("alias", "checkpoint", "since", "by", "SHA-256")
    for name, move in rows:
        table.add_row(*map(printable, (name, move.name or "(removed)", move.time, move.by, move.sha256[:12])))
    console().print(table)
