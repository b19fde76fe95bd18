"""`fetch NAME [FOLDER]`: copies a published checkpoint to a local folder."""

from collections.abc import Sequence
from pathlib import Path

from ecg_lightning import checkpoints
from ecg_lightning.commands.words import split_words
from ecg_lightning.errors import UserError


def fetch(arguments: Sequence[str]) -> int:
    """Copies the checkpoint that the arguments name, and prints the path of the copy."""
    words, folder = split_words(arguments, "fetch NAME [FOLDER]", 1, 2)
    target = words[1] if len(words) > 1 else "."
    if "://" in target:
        raise UserError(f"fetch copies to a folder of this machine, but {target} is an address. Name a folder.")
    print(checkpoints.fetch(words[0], Path(target), folder))
    return 0
