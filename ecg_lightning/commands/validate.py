"""`validate`: measures a checkpoint on a source's validation folds."""

from collections.abc import Sequence

from ecg_lightning.commands.measure import measure


def validate(arguments: Sequence[str]) -> int:
    """Measures on the validation folds."""
    return measure(arguments, "val")
