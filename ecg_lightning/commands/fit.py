"""`fit`: trains a network."""

from collections.abc import Sequence


def fit(arguments: Sequence[str]) -> int:
    """Checks the configuration before torch and lightning are imported, which takes seconds; then trains."""
    from ecg_lightning.config.compose import compose
    from ecg_lightning.config.schema import check, check_paths

    config = compose(arguments)
    check(config)
    check_paths(config)
    from ecg_lightning.training.fit import fit

    return fit(arguments)
