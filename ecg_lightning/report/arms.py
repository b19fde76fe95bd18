"""Which runs may be compared, and which of them are one arm: runs that differ in nothing but their seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecg_lightning.errors import UserError
from ecg_lightning.report.run import TestedRun
from ecg_lightning.training.recipe import is_silent

SEED = "seed"
"""The key in which the runs of one arm differ."""


@dataclass(frozen=True)
class Arm:
    """Runs that differ in nothing but their seeds; their metrics are means over the runs.

    Attributes:
        name: that of the run's folder, or of the first with the number of seeds.
        runs: one or more.
    """

    name: str
    runs: Sequence[TestedRun]


def check_comparable(runs: Sequence[TestedRun]) -> None:
    """Asks that runs were tested on the same recordings and terms, with the same labels.

    Raises:
        UserError: naming the first run that was not.
    """
    first, *rest = runs
    for run in rest:
        if run.folder.resolve() in [run_before.folder.resolve() for run_before in runs if run_before is not run]:
            raise UserError(f"{run.folder} is given twice. Give each run once.")
        if set(run.terms) != set(first.terms):
            terms = ", ".join(sorted({*run.terms} ^ {*first.terms}))
            raise UserError(
                f"{first.folder} and {run.folder} predict different terms ({terms}), and cannot be compared."
            )
        if run.terms != first.terms:
            raise UserError(
                f"{first.folder} and {run.folder} have their terms in different orders, and cannot be compared."
            )
        expected, measured = first.predictions, run.predictions
        is_same_data = run.report["data"].get("fingerprint") == first.report["data"].get("fingerprint")
        if not is_same_data or not np.array_equal(measured.record_ids, expected.record_ids):
            raise UserError(
                f"{first.folder} and {run.folder} were tested on different recordings, and cannot be compared. Test both on "
                "the same data with the same test folds."
            )
        if not np.array_equal(measured.targets, expected.targets, equal_nan=True):
            raise UserError(
                f"{first.folder} and {run.folder} were tested with different labels of the same recordings."
            )


def arms_of(runs: Sequence[TestedRun]) -> list[Arm]:
    """Groups runs that differ in nothing but their seeds; the arms are in the order of their first runs."""
    groups: dict[str, list[TestedRun]] = {}
    for run in runs:
        recipe = {key: value for key, value in run.configuration.items() if key != SEED and not is_silent(key)}
        key = repr(sorted(recipe.items(), key=repr)) if recipe else str(run.folder.resolve())
        groups.setdefault(key, []).append(run)
    names = short_names(runs)
    return [
        Arm(names[group[0].folder] + (f" ({len(group)} seeds)" if len(group) > 1 else ""), group)
        for group in groups.values()
    ]


def short_names(runs: Sequence[TestedRun]) -> dict[Path, str]:
    """Returns the end of each run's path that tells it from the others."""
    parts = {run.folder: run.folder.resolve().parts for run in runs}
    length = next((count for count in range(1, 50) if len({path[-count:] for path in parts.values()}) == len(parts)), 1)
    return {folder: "/".join(path[-length:]) for folder, path in parts.items()}
