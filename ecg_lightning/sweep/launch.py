"""Starts a trial: its folder, its command line and its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecg_lightning.sweep.command import fill_command, fit_arguments
from ecg_lightning.sweep.definition import Sweep
from ecg_lightning.sweep.parameters import Value
from ecg_lightning.sweep.process import TrialProcess
from ecg_lightning.sweep.trials import Try
from ecg_lightning.training.wandb_server import has_key


@dataclass(frozen=True)
class Launcher:
    """Starts the trials of one sweep on this machine.

    Attributes:
        folder: the sweep's folder, with the run folder of each trial.
        workers: number of trials that run side by side and share the processor.
    """

    sweep: Sweep
    folder: Path
    workers: int

    def start(self, trial: Try, environment: Mapping[str, str]) -> TrialProcess:
        """Starts a trial in its folder, which is named by its index; a later try of `fit` continues from the checkpoint there."""
        folder = self.folder / f"{trial.index:03d}"
        values = dict(trial.values)
        checkpoint = folder / "checkpoints" / "last.ckpt"
        if trial.attempt > 0 and checkpoint.is_file() and fit_arguments(self.sweep.command) is not None:
            values["checkpoint_path"] = str(checkpoint)
        else:
            set_aside(folder)
        return self.run(folder, values, environment)

    def run(self, folder: Path, values: Mapping[str, Value], environment: Mapping[str, str]) -> TrialProcess:
        """Starts a run in a folder, with its parameters."""
        folder.mkdir(parents=True, exist_ok=True)
        command = fill_command(self.sweep.command, {**values, "run_dir": str(folder)}, folder)
        return TrialProcess(command, folder, self._environment(folder.name) | dict(environment), self.sweep.metric)

    def _environment(self, name: str) -> dict[str, str]:
        threads = max(1, len(os.sched_getaffinity(0)) // self.workers) if hasattr(os, "sched_getaffinity") else 1
        variables = {"WANDB_RUN_GROUP": self.sweep.name, "WANDB_NAME": f"{self.sweep.name}-{name}"}
        if "WANDB_MODE" not in os.environ and not has_key():
            variables["WANDB_MODE"] = "offline"
        if "OMP_NUM_THREADS" not in os.environ:  # otherwise every trial uses all cores, and they slow each other down
            variables["OMP_NUM_THREADS"] = str(threads)
        return variables


def set_aside(folder: Path) -> None:
    """Renames the folder of an earlier run, so that no old file is read as a new one, and no file is lost."""
    if not folder.exists():
        return
    number = 1
    while (target := folder.with_name(f"{folder.name}.before{number}")).exists():
        number += 1
    folder.rename(target)
