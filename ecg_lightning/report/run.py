"""What a run's folder holds for its page: the numbers of its test, its predictions, its configuration and its epochs."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ecg_lightning.config.yaml_file import read_yaml
from ecg_lightning.errors import UserError, one_line
from ecg_lightning.evaluation.predictions import Predictions, read_predictions
from ecg_lightning.files import read_json
from ecg_lightning.report.shape import check
from ecg_lightning.training.recipe import flat

FORMAT = 2
"""Version of `test.json` that is read."""


@dataclass(frozen=True)
class Epoch:
    """A row of `metrics.csv`: the epoch, counted from 0, and its numbers."""

    epoch: int
    values: Mapping[str, float]


class TestedRun:
    """A run that was tested.

    Args:
        folder: of the run.

    Attributes:
        folder: of the run.
        report: what `test.json` holds.
        predictions: the outputs for each recording.

    Raises:
        UserError: where the folder is not that of a tested run.
    """

    __test__ = False  # not one of pytest's

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}. `report` needs the folder of a run.")
        self.report = self._read_report()
        self.predictions: Predictions = read_predictions(folder)
        if list(self.predictions.terms) != self.terms:
            raise UserError(
                f"{folder}: test.json and predictions.parquet have different terms. Run `python -m ecg_lightning test "
                f"run_dir={folder}` again."
            )

    def _read_report(self) -> dict[str, Any]:
        path, command = self.folder / "test.json", f"`python -m ecg_lightning test run_dir={self.folder}`"
        try:
            report = read_json(path)
        except FileNotFoundError as error:
            raise UserError(f"{self.folder} was not tested: it has no test.json. Run {command} first.") from error
        except ValueError as error:
            raise UserError(f"{path} cannot be read ({one_line(error)}). Run {command} again.") from error
        if report.get("format") != FORMAT:
            raise UserError(f"{path} was written by another version of ecg_lightning. Run {command} again.")
        try:
            check(report)
        except ValueError as error:
            raise UserError(f"{path} is damaged: {one_line(error)}. Run {command} again.") from error
        return report

    @property
    def name(self) -> str:
        """The run's folder, without the folders above it."""
        return self.folder.resolve().name

    @property
    def terms(self) -> list[str]:
        """The terms that the network predicts."""
        return [str(row["term"]) for row in self.report["terms"]]

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The run's configuration as plain values by their dotted keys; empty where the folder has none."""
        path = self.folder / "config.yaml"
        if not path.is_file():
            return {}
        container = OmegaConf.to_container(read_yaml(path), resolve=False)
        return flat(container)

    @cached_property
    def versions(self) -> dict[str, str]:
        """What the head of `config.yaml` says: the versions with which the run is repeated."""
        path = self.folder / "config.yaml"
        if not path.is_file():
            return {}
        head = [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
        return dict(line.split(": ", 1) for line in head if ": " in line)

    @cached_property
    def epochs(self) -> list[Epoch]:
        """The epochs of the training, from `metrics.csv`; none where the folder has no such file."""
        path = self.folder / "metrics.csv"
        if not path.is_file():
            return []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return [
                    Epoch(int(line["epoch"]), {name: float(text) for name, text in line.items() if name and text})
                    for line in csv.DictReader(file)
                ]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} is damaged ({one_line(error)}): it is not a table that `fit` has written."
            ) from error
