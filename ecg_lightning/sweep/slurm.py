"""Submits a sweep's workers to SLURM as one array of jobs, through submitit."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecg_lightning.errors import UserError, one_line


@dataclass(frozen=True)
class Job:
    """One worker of a sweep, as a job: the same command, with one trial at a time.

    Attributes:
        sweep: the verb.
        arguments: the words after the verb.
    """

    sweep: Callable[[Sequence[str]], int]
    arguments: tuple[str, ...]

    def __call__(self) -> int:
        """Runs the worker; called on the node."""
        return self.sweep(self.arguments)

    def checkpoint(self) -> Any:
        """Returns what SLURM queues again when the job is pre-empted or out of time: the same job, which continues its trial."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def parse_options(text: str) -> dict[str, str]:
    """Returns the options in the text of `--slurm`, with the names that sbatch gives them.

    >>> parse_options("partition=gpu,time=4:00:00,cpus-per-task=8")
    {'partition': 'gpu', 'time': '4:00:00', 'cpus_per_task': '8'}
    """
    options = {}
    for part in text.split(","):
        key, equals, value = part.strip().partition("=")
        if not equals or not key or not value:
            raise UserError(f"--slurm: '{part}' is not key=value. Write --slurm \"partition=gpu,time=4:00:00\".")
        options[key.removeprefix("--").replace("-", "_")] = value
    return options


def minutes(time: str) -> int:
    """Returns a SLURM time limit (MM, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS) in minutes.

    >>> [minutes(t) for t in ("90", "30:00", "4:00:00", "2-12", "1-00:30:00")]
    [90, 30, 240, 3600, 1470]
    """
    days, dash, rest = time.rpartition("-")
    try:
        parts = [int(part) for part in rest.split(":")]
        if dash:
            hours, mins, seconds = (*parts, 0, 0)[:3]
        else:
            hours, mins, seconds = parts if len(parts) == 3 else (0, *parts, 0)[:3]
        return max(1, (int(days or 0) * 24 + hours) * 60 + mins + (seconds + 59) // 60)
    except (ValueError, IndexError) as error:
        raise UserError(f"--slurm: time={time} is not a time limit; write 4:00:00 or 2-00:00:00.") from error


def submit(
    sweep: Callable[[Sequence[str]], int],
    arguments: Sequence[str],
    options: Mapping[str, str],
    workers: int,
    gpus: float | None,
    folder: Path,
) -> list[str]:
    """Submits `workers` jobs that share one study.

    Args:
        sweep: the verb, called on the nodes.
        arguments: the words after the verb, for one worker.
        options: options of sbatch; `cluster=local` runs the jobs on this machine, to try them without SLURM.
        workers: the size of the array.
        gpus: number of GPUs of each job, where the options ask for none.
        folder: folder for the logs of the jobs, on a file system that the nodes share.

    Returns:
        The numbers of the jobs.

    Raises:
        UserError: where there is no SLURM, or it does not accept the options.
    """
    import submitit

    sbatch = dict(options)
    cluster = sbatch.pop("cluster", "slurm")
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise UserError(
            "--slurm: this machine has no sbatch. Submit from a login node, or try the sweep with --slurm cluster=local."
        )
    retries = {"slurm_max_num_timeout": 1000} if cluster == "slurm" else {}  # a job that is out of time is queued again
    executor = submitit.AutoExecutor(folder=folder / "%j", cluster=cluster, **retries)
    settings: dict[str, Any] = {"name": "ecg-sweep", "timeout_min": minutes(sbatch.pop("time", "24:00:00"))}
    if gpus and not any("gpu" in f"{key}={value}" for key, value in sbatch.items() if key != "partition"):
        settings["gpus_per_node"] = max(1, int(gpus))
    names = submitit.SlurmExecutor._valid_parameters() - {"time", "job_name"}
    settings |= {f"slurm_{key}": value for key, value in sbatch.items() if key in names}
    settings["slurm_additional_parameters"] = {key: value for key, value in sbatch.items() if key not in names}
    try:
        executor.update_parameters(**settings)
        with executor.batch():
            jobs = [executor.submit(Job(sweep, tuple(arguments))) for _ in range(workers)]
    except (ValueError, TypeError, submitit.core.utils.FailedJobError) as error:
        raise UserError(f"--slurm: the jobs were not accepted: {one_line(error)}.") from error
    return [str(job.job_id) for job in jobs]
