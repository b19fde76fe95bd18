"""Numbers of an evaluation, in numpy float64; a target that is NaN (not annotated) is left out of all of them.

`ecg_lightning.metrics.epoch`, which collects a network's outputs, is the one part that needs torch.
"""

from ecg_lightning.metrics.bootstrap import Interval, Intervals, auroc_differences, auroc_intervals
from ecg_lightning.metrics.calibration import Calibration, brier, expected_calibration_error, fit_calibration
from ecg_lightning.metrics.ranking import auroc, average_precision, macro
from ecg_lightning.metrics.summary import summarise, table
from ecg_lightning.metrics.thresholds import Confusion, Objective, choose_thresholds, confusion, operating_point

__all__ = [
    "Calibration",
    "Confusion",
    "Interval",
    "Intervals",
    "Objective",
    "auroc",
    "auroc_differences",
    "auroc_intervals",
    "average_precision",
    "brier",
    "choose_thresholds",
    "confusion",
    "expected_calibration_error",
    "fit_calibration",
    "macro",
    "operating_point",
    "summarise",
    "table",
]
