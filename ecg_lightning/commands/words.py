"""Words of a command line that is no configuration."""

from collections.abc import Sequence

from ecg_lightning.errors import UserError


def split_words(arguments: Sequence[str], usage: str, least: int, most: int) -> tuple[list[str], str | None]:
    """Positional words, and ``checkpoints_dir``."""
    words, folder = [], None  # a path or URL may have an = of its own, and no key has a slash
    for word in arguments:
        key, equals, value = word.removeprefix("--").partition("=")
        if equals and key == "checkpoints_dir":
            folder = value
        elif word.startswith("--") or (equals and "/" not in key):
            raise UserError(f"'{word}' is not understood. usage: {usage} [checkpoints_dir=URL]")
        else:
            words.append(word)
    if not least <= len(words) <= most:
        raise UserError(f"usage: {usage} [checkpoints_dir=URL]")
    return words, folder
