"""Numbers of an evaluation, in numpy float64; a target that is NaN (not annotated) is left out of all of them.

`ecg_lightning.metrics.epoch`, which collects a network's outputs, is the one part that needs torch.
"""

from ecg_lightning.metrics.bootstrap import (
    Comparison,
    Difference,
    Differences,
    Interval,
    Intervals,
    auroc_differences,
    auroc_intervals,
    compare,
    interval,
    intervals,
    intervals_of,
)
from ecg_lightning.metrics.calibration import Calibration, brier, expected_calibration_error, fit_calibration
from ecg_lightning.metrics.outputs import Outputs
from ecg_lightning.metrics.ranking import auroc, average_precision, macro
from ecg_lightning.metrics.resampled import (
    Meter,
    Resampled,
    joined,
    mean_of_existing,
    with_all_records,
    without_single_patients,
)
from ecg_lightning.metrics.significance import delong, holm
from ecg_lightning.metrics.summary import summarise, table
from ecg_lightning.metrics.thresholds import Confusion, Objective, choose_thresholds, confusion, operating_point

__all__ = [
    "Calibration",
    "Comparison",
    "Confusion",
    "Difference",
    "Differences",
    "Interval",
    "Intervals",
    "Meter",
    "Objective",
    "Outputs",
    "Resampled",
    "auroc",
    "auroc_differences",
    "auroc_intervals",
    "average_precision",
    "brier",
    "choose_thresholds",
    "compare",
    "confusion",
    "delong",
    "expected_calibration_error",
    "fit_calibration",
    "holm",
    "interval",
    "intervals",
    "intervals_of",
    "joined",
    "macro",
    "mean_of_existing",
    "operating_point",
    "summarise",
    "table",
    "with_all_records",
    "without_single_patients",
]
