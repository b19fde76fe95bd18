"""`sweep FILE`: searches for the best experiment, on this machine or on many."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_lightning.commands.console import console
from ecg_lightning.commands.words import Parser, with_hyphens
from ecg_lightning.config.compose import find_config
from ecg_lightning.errors import UserError, needs
from ecg_lightning.sweep.command import check_parameters
from ecg_lightning.sweep.definition import Sweep, load_sweep
from ecg_lightning.sweep.gpus import Gpus, visible_gpus

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

EPILOG = """\
FILE is in W&B's sweep format; the package has some in conf/sweep. key=value sets a key of the configuration for every trial,
for example trainer.max_epochs=3. The same command continues a sweep that was stopped, and joins a sweep that runs.
"""


def _natural(text: str) -> int:
    if (number := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


OPTIONS: dict[str, dict[str, Any]] = {
    "--workers": {"type": _natural, "default": 1, "metavar": "N",
                  "help": "trials that run side by side; 0 only watches (default 1)"},
    "--storage": {"metavar": "URL",
                  "help": "postgresql://… that several machines share, or a journal file (default DIR/study.journal)"},
    "--name": {"help": "name of the study, of its W&B group and of its folder (default: the file's name)"},
    "--dir": {"type": Path, "metavar": "DIR", "help": "folder for the run folders of the trials (default runs/sweeps/NAME)"},
    "--best": {"type": Path, "metavar": "FILE",
               "help": "where to write the best configuration (default conf/experiment/NAME_best.yaml)"},
    "--gpus-per-run": {"type": float, "metavar": "N",
                       "help": "GPUs of each trial: 1, 2, …, or 0.5 to put two trials on each GPU (default 1)"},
    "--retries": {"type": _natural, "default": 2, "metavar": "N",
                  "help": "how often a trial is run again after its machine has died (default 2)"},
    "--heartbeat": {"type": float, "default": 15.0, "metavar": "S",
                    "help": "seconds between signs of life (default 15); a worker that misses four counts as dead"},
    "--retry-failed": {"action": "store_true", "help": "run the failed trials again"},
    "--seed": {"type": int, "default": 0, "help": "seed of the random draws (default 0)"},
    "--dry-run": {"action": "store_true", "help": "list the trials, time one of them, estimate the cost"},
    "--wandb": {"action": "store_true", "help": "let W&B search: wandb sweep and wandb agent"},
    "--slurm": {"metavar": "OPTIONS", "help": 'submit --workers jobs to SLURM: "partition=gpu,time=4:00:00"'},
}  # fmt: skip


def sweep(arguments: Sequence[str]) -> int:
    """Runs a sweep, as one worker of it.

    Returns:
        The exit status: 0 when the sweep has ended with a result, 1 when every trial failed, 130 after Ctrl-C.

    Raises:
        UserError: for a mistake in the arguments, the sweep file or the storage.
    """
    options = _read(arguments)
    if not options.wandb:
        needs("optuna", "sweep", "sweep")
    if options.slurm is not None:
        needs("submitit", "slurm", "sweep --slurm")
    definition = load_sweep(find_config(options.file), options.name, options.overrides)
    check_parameters(definition)
    folder = (options.dir or Path("runs") / "sweeps" / _safe(definition.name)).absolute()
    if options.slurm is not None:
        return _submit(definition, options, arguments, folder)
    gpus = _gpus(options)
    if options.wandb:
        from ecg_lightning.sweep.agent import run_agents

        return run_agents(definition, options.workers, gpus)
    if options.dry_run:
        from ecg_lightning.sweep.dryrun import dry_run

        dry_run(definition, options.seed, max(1, options.workers), gpus, console())
        return 0
    return _search(definition, options, folder, gpus)


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser("python -m ecg_lightning sweep", description="Search for the best experiment.", epilog=EPILOG)
    parser.add_argument(
        "file", metavar="FILE", help="a sweep file, by path or by name under conf/ (sweep/learning_rate)"
    )
    parser.add_argument("overrides", metavar="key=value", nargs="*", help="configuration that is set for every trial")
    for name, settings in OPTIONS.items():
        parser.add_argument(name, **settings)
    options = parser.read(arguments)
    if not options.heartbeat > 0:  # NaN, too
        raise UserError("--heartbeat must be greater than 0 seconds.")
    for word in options.overrides:
        if "=" not in word:
            raise UserError(f"sweep: '{word}' is not key=value.")
    return options


def _gpus(options: argparse.Namespace) -> Gpus:
    """Returns the GPUs of this machine; prints a line where there are more workers than GPUs."""
    names = visible_gpus()
    gpus = Gpus(names, options.gpus_per_run)
    if gpus.capacity is not None and options.workers > gpus.capacity:
        share = f"{1 / -(-options.workers // len(names)):.2g}"
        advice = f" With --gpus-per-run {share} several trials share one GPU." if gpus.per_run == 1 else ""
        print(f"{len(names)} GPUs are enough for {gpus.capacity} trials at a time.{advice}", flush=True)
    return gpus


def _search(sweep: Sweep, options: argparse.Namespace, folder: Path, gpus: Gpus) -> int:
    """Runs one worker process, from joining the study to writing the report."""
    from ecg_lightning.sweep.heartbeat import this_worker
    from ecg_lightning.sweep.launch import Launcher
    from ecg_lightning.sweep.results import remove_leftovers, write_results
    from ecg_lightning.sweep.runner import Interrupted, Runner
    from ecg_lightning.sweep.table import live_table
    from ecg_lightning.sweep.trials import Trials

    out = console()
    trials = Trials(sweep, *_study(sweep, options, folder), options.seed, options.retries)
    if options.retry_failed:
        trials.queue(trials.failed())
    experiment = options.best or _experiment_folder(folder) / f"{_safe(sweep.name)}_best.yaml"
    remove_leftovers(folder, experiment)
    if count := trials.foreign():
        out.print(f"{count} trials of the study are not of this sweep and are left out.", soft_wrap=True)
    launcher, worker = Launcher(sweep, folder, options.workers), this_worker(options.heartbeat)
    status = 0
    with live_table(trials, out) as (print_line, refresh):
        try:
            Runner(trials, launcher, gpus, worker, print_line, refresh).run()
        except Interrupted:
            print_line("The sweep was stopped. Run the same command again to go on from here.")
            status = 130
        finally:
            paths = write_results(trials, folder, experiment) if trials.all() else []
    best = trials.best()
    if best is not None:
        out.print(f"Best {sweep.metric}: {best.value:.4f}, trial {best.user_attrs['index']}")
    for path in paths:
        out.print(f"  {_relative(path)}", soft_wrap=True)
    return status or int(best is None)


def _submit(definition: Sweep, options: argparse.Namespace, arguments: Sequence[str], folder: Path) -> int:
    from ecg_lightning.sweep.slurm import parse_options, submit

    _study(definition, options, folder)  # so that a mistake is answered here and not in the log of a job
    words = [*_without(arguments, ("--slurm", "--workers")), "--workers", "1"]
    sbatch = parse_options(options.slurm)
    jobs = submit(sweep, words, sbatch, max(1, options.workers), options.gpus_per_run, folder / "slurm")
    print(f"Submitted {len(jobs)} workers: {', '.join(jobs)}. Their logs are in {_relative(folder / 'slurm')}.")
    print("To watch them, run the same command with --workers 0 instead of --slurm.")
    return 0


def _study(definition: Sweep, options: argparse.Namespace, folder: Path) -> "tuple[Study, BaseStorage]":
    from ecg_lightning.sweep.storage import open_storage, open_study

    storage = open_storage(options.storage or str(folder / "study.journal"))
    return open_study(definition, storage), storage


def _without(arguments: Sequence[str], names: Sequence[str]) -> list[str]:
    """Returns the arguments without some options and their values."""
    words, skip = [], False
    for word in map(with_hyphens, arguments):
        if not skip and word.partition("=")[0] not in names:
            words.append(word)
        skip = not skip and word in names
    return words


def _experiment_folder(folder: Path) -> Path:
    """Returns `conf/experiment` of the working folder where it exists, else the sweep's folder."""
    shared = Path("conf/experiment").absolute()
    return shared if shared.is_dir() else folder


def _safe(name: str) -> str:
    """Returns a name in which every character may stand in a folder's name."""
    return re.sub(r"[^\w.-]+", "_", name)


def _relative(path: Path) -> str:
    """Returns a path relative to the working folder where it lies in it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
