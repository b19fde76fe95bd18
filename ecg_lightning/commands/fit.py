"""`fit`: trains a network."""

from collections.abc import Sequence

from ecg_lightning.config.compose import experiment_name, new_run_dir
from ecg_lightning.config.experiment import experiment


def fit(arguments: Sequence[str]) -> int:
    """Trains. Torch and lightning, whose import takes seconds, are imported once the configuration is known to be right."""
    config = experiment(arguments)
    if not config.get("run_dir"):
        config.run_dir = new_run_dir(experiment_name(arguments))
    from ecg_lightning.training.fit import fit

    fit(config)
    return 0
