"""The ``sweep`` verb: its arguments, and what they set going."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from ecg_lightning.config.compose import find_config
from ecg_lightning.errors import UserError, needs
from ecg_lightning.sweep.command import check_parameters
from ecg_lightning.sweep.definition import Sweep, load_sweep
from ecg_lightning.sweep.gpus import Gpus, visible_gpus

EPILOG = """\
FILE is in W&B's sweep format; shipped ones are in conf/sweep. key=value sets something else for every trial, such as
trainer.max_epochs=3. The same command goes on with a sweep that was stopped, and joins one that is running.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"sweep: {message}. See `python -m ecg_lightning sweep --help`.")


def parser() -> argparse.ArgumentParser:
    """The arguments of the verb."""
    arguments = _Parser("python -m ecg_lightning sweep", description="Search for the best experiment.", epilog=EPILOG)
    arguments.add_argument(
        "file", metavar="FILE", help="a sweep file, by path or by name under conf/ (sweep/learning_rate)"
    )
    arguments.add_argument(
        "overrides", metavar="key=value", nargs="*", help="configuration that is set for every trial"
    )
    arguments.add_argument(
        "--workers",
        type=_natural,
        default=1,
        metavar="N",
        help="trials that run side by side; 0 only watches (default 1)",
    )
    arguments.add_argument(
        "--storage",
        metavar="URL",
        help="postgresql://… shared by machines, or a journal file (default DIR/study.journal)",
    )
    arguments.add_argument("--name", help="name of the study, its W&B group and its folder (default: the file's name)")
    arguments.add_argument(
        "--dir", type=Path, metavar="DIR", help="where the trials' run folders go (default runs/sweeps/NAME)"
    )
    arguments.add_argument(
        "--best", type=Path, metavar="FILE", help="the best configuration (default conf/experiment/NAME_best.yaml)"
    )
    arguments.add_argument(
        "--gpus-per-run", type=float, metavar="N", help="1, 2, …, or 0.5 to put two trials on each GPU (default 1)"
    )
    arguments.add_argument(
        "--retries",
        type=_natural,
        default=2,
        metavar="N",
        help="how often a trial is run again whose machine died (default 2)",
    )
    arguments.add_argument(
        "--heartbeat",
        type=float,
        default=15.0,
        metavar="S",
        help="seconds between signs of life (default 15); a worker that misses four is dead",
    )
    arguments.add_argument("--retry-failed", action="store_true", help="run the failed trials again")
    arguments.add_argument("--seed", type=int, default=0, help="seed of the random draws (default 0)")
    arguments.add_argument("--dry-run", action="store_true", help="list the trials, time one, estimate the cost")
    arguments.add_argument("--wandb", action="store_true", help="let W&B search: wandb sweep and wandb agent")
    arguments.add_argument(
        "--slurm", metavar="OPTIONS", help='submit --workers jobs instead: "partition=gpu,time=4:00:00"'
    )
    return arguments


def sweep(arguments: Sequence[str]) -> int:
    """Runs the verb.

    Returns:
        The exit status: 0 when the sweep has ended with a result, 1 when every trial failed, 130 after Ctrl-C.

    Raises:
        UserError: for a mistake in the arguments, the sweep file or the storage.
    """
    options = parser().parse_intermixed_args(list(arguments))
    if options.heartbeat <= 0:
        raise UserError("--heartbeat must be greater than 0 seconds.")
    wrong = [word for word in options.overrides if "=" not in word]
    if wrong:
        raise UserError(f"sweep: '{wrong[0]}' is not key=value.")
    if not options.wandb:
        needs("optuna", "sweep", "sweep")
    if options.slurm is not None:
        needs("submitit", "slurm", "sweep --slurm")
    sweep = load_sweep(find_config(options.file), options.name, options.overrides)

    check_parameters(sweep)
    folder = (options.dir or Path("runs") / "sweeps" / _safe(sweep.name)).absolute()
    if options.slurm is not None:
        return _submit(sweep, options, arguments, folder)
    names = visible_gpus()
    gpus = Gpus(names, options.gpus_per_run)
    console = Console()
    if gpus.capacity is not None and options.workers > gpus.capacity:
        advice = (
            f"; --gpus-per-run {1 / -(-options.workers // len(names)):.2g} puts several on one"
            if gpus.per_run == 1
            else ""
        )
        console.print(f"{len(names)} GPUs are enough for {gpus.capacity} trials at a time{advice}.", highlight=False)
    if options.wandb:
        from ecg_lightning.sweep.agent import run_agents

        return run_agents(sweep, options.workers, gpus)
    if options.dry_run:
        from ecg_lightning.sweep.dryrun import dry_run

        dry_run(sweep, options.seed, max(1, options.workers), gpus, console)
        return 0
    return _search(sweep, options, folder, gpus, console)


def _search(sweep: Sweep, options: argparse.Namespace, folder: Path, gpus: Gpus, console: Console) -> int:
    """One worker process, from joining the study to the report."""
    from ecg_lightning.sweep.heartbeat import this_worker
    from ecg_lightning.sweep.launch import Launcher
    from ecg_lightning.sweep.results import remove_leftovers, write_results
    from ecg_lightning.sweep.runner import Interrupted, Runner
    from ecg_lightning.sweep.storage import open_storage, open_study
    from ecg_lightning.sweep.table import live_table
    from ecg_lightning.sweep.trials import Trials

    storage = open_storage(options.storage or str(folder / "study.journal"))
    trials = Trials(sweep, open_study(sweep, storage), storage, options.seed, options.retries)
    if options.retry_failed:
        trials.queue(trials.failed())
    experiment = options.best or _experiment_folder(folder) / f"{_safe(sweep.name)}_best.yaml"
    remove_leftovers(folder, experiment)
    if strangers := trials.strangers():
        console.print(f"{strangers} trials of the study are not of this sweep and are left out.", soft_wrap=True)
    status = 0
    with live_table(trials, console) as (say, show):
        runner = Runner(
            trials, Launcher(sweep, folder, options.workers), gpus, this_worker(options.heartbeat), say, show
        )
        try:
            runner.run()
        except Interrupted:
            say("stopped; the same command goes on from here")
            status = 130
        finally:
            written = write_results(trials, folder, experiment) if trials.all() else []
    best = trials.best()
    if best is not None:
        console.print(f"Best {sweep.metric}: {best.value:.4f}, trial {best.user_attrs['index']}", highlight=False)
    for path in written:
        console.print(f"  {_near(path)}", highlight=False, soft_wrap=True)
    return status or int(best is None)


def _submit(definition: Sweep, options: argparse.Namespace, arguments: Sequence[str], folder: Path) -> int:
    from ecg_lightning.sweep.slurm import parse_options, submit
    from ecg_lightning.sweep.storage import open_storage, open_study

    open_study(
        definition, open_storage(options.storage or str(folder / "study.journal"))
    )  # a mistake is reported here, not in a job's log
    words = _without(arguments, ("--slurm", "--workers"))
    jobs = submit(
        sweep,
        [*words, "--workers", "1"],
        parse_options(options.slurm),
        max(1, options.workers),
        options.gpus_per_run,
        folder / "slurm",
    )
    print(f"Submitted {len(jobs)} workers: {', '.join(jobs)}. Their logs are in {_near(folder / 'slurm')}.")
    print("To watch: the same command with --workers 0 instead of --slurm.")
    return 0


def _without(arguments: Sequence[str], names: Sequence[str]) -> list[str]:
    """The arguments without some options and their values."""
    rest, skip = [], False
    for word in arguments:
        if not skip and word.partition("=")[0] not in names:
            rest.append(word)
        skip = not skip and word in names
    return rest


def _experiment_folder(folder: Path) -> Path:
    """``conf/experiment`` of the project one works in, else the sweep's own folder."""
    shared = Path("conf/experiment").absolute()
    return shared if shared.is_dir() else folder


def _safe(name: str) -> str:
    """A name that can be a folder's."""
    return re.sub(r"[^\w.-]+", "_", name)


def _near(path: Path) -> str:
    """A path as one would write it from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number
