"""`test`: measures a checkpoint on a source's test folds."""

from collections.abc import Sequence

from ecg_lightning.commands.measure import measure


def test(arguments: Sequence[str]) -> int:
    """Measures on the test folds."""
    return measure(arguments, "test")
