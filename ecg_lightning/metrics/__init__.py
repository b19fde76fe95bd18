"""Numbers of an evaluation, in numpy float64; a target that is NaN (not annotated) is left out of all of them.

`ecg_lightning.metrics.epoch`, which collects a network's outputs, is the one part that needs torch.
"""

from ecg_lightning.metrics.ranking import auroc, average_precision, macro

__all__ = ["auroc", "average_precision", "macro"]
