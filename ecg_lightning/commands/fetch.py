"""`fetch NAME [FOLDER]`: copies a published checkpoint to a local folder."""

from collections.abc import Sequence
from pathlib import Path

from ecg_lightning import checkpoints
from ecg_lightning.commands.words import split_words


def fetch(arguments: Sequence[str]) -> int:
    """`fetch NAME [FOLDER]`."""
    words, folder = split_words(arguments, "fetch NAME [FOLDER]", 1, 2)
    print(checkpoints.fetch(words[0], Path(words[1] if len(words) > 1 else "."), folder))
    return 0
