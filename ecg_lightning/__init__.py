"""Pretrain on one archive of 12-lead ECGs, fine-tune on another.

The commands as functions: `compose` a configuration, `fit` and `evaluate` it, `load` a published network.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecg_lightning.config.experiment import experiment as compose
    from ecg_lightning.evaluation.evaluate import evaluate
    from ecg_lightning.evaluation.predictor import load
    from ecg_lightning.training.fit import fit

__version__ = "0.2.0.dev0"
__all__ = ["compose", "evaluate", "fit", "load"]

_HOMES = {
    "compose": ("config.experiment", "experiment"),
    "evaluate": ("evaluation.evaluate", "evaluate"),
    "fit": ("training.fit", "fit"),
    "load": ("evaluation.predictor", "load"),
}


def __getattr__(name: str) -> Any:
    """Imports a function when it is asked for: torch and lightning take seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ecg_lightning' has no attribute '{name}'")
    module, function = _HOMES[name]
    return getattr(import_module(f"ecg_lightning.{module}"), function)
