"""Pretrain on one archive of 12-lead ECGs, fine-tune on another.

The commands as functions: `compose` a configuration, `fit` and `evaluate` it, `load` a published network to predict with, or get the
plain torch network `from_pretrained`, and `push_to_hub`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecg_lightning.checkpoints.pretrained import from_pretrained, push_to_hub
    from ecg_lightning.config.experiment import experiment as compose
    from ecg_lightning.evaluation.evaluate import evaluate
    from ecg_lightning.evaluation.predictor import load
    from ecg_lightning.training.fit import fit

__version__ = "0.2.0.dev0"
__all__ = ["compose", "evaluate", "fit", "from_pretrained", "load", "push_to_hub"]

_HOMES = {
    "compose": ("config.experiment", "experiment"),
    "evaluate": ("evaluation.evaluate", "evaluate"),
    "fit": ("training.fit", "fit"),
    "from_pretrained": ("checkpoints.pretrained", "from_pretrained"),
    "push_to_hub": ("checkpoints.pretrained", "push_to_hub"),
    "load": ("evaluation.predictor", "load"),
}


def __getattr__(name: str) -> Any:
    """Imports a function when it is asked for: torch and lightning take seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ecg_lightning' has no attribute '{name}'")
    module, function = _HOMES[name]
    return getattr(import_module(f"ecg_lightning.{module}"), function)
