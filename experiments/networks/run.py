"""Which network does best on PTB-XL in a few minutes of one core? Trains what is missing, and writes table.md and figure.png.

python experiments/networks/run.py DATA [--budget MINUTES] [--networks small s4_small …] [--workers 2] [key=value …]
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import torch
from costs import Cost, Length, length_of, measure

from ecg_lightning import checkpoints, compose, evaluate, fit
from ecg_lightning.errors import Stopped, UserError
from ecg_lightning.files import read_json, write_json
from ecg_lightning.main import guard
from report import Result, crop_table, figure, network_table

HERE = Path(__file__).parent
NETWORKS = (
    "small", "resnet1d18", "resnet1d18_merl", "xresnet1d18", "xresnet1d101", "inception1d", "densenet1d121",
    "net1d_small", "s4_small", "lstm1d", "transformer_tiny",
)  # fmt: skip
"""Each is conf/experiment/ptbxl_NAME.yaml."""
NOT_CONVOLUTIONAL = ("S4Module", "LSTM1dModule", "Transformer1dModule")
SPACES = ("paper7", "ptbxl_super")
WHOLE, CROP = 10.0, 2.5
"""Seconds of the network's input."""
SEEDS = (0, 1, 2)
BEST = 3
"""Networks that are trained with all seeds."""


class Run(NamedTuple):
    """One training."""

    network: str
    space: str
    seconds: float
    seed: int

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return f"{self.space}-{self.network}-{self.seconds:g}s-{self.seed}"


class Study:
    """The runs of the study, each in a folder of its own.

    Args:
        data: folder of the archives.
        folder: of the study.
        minutes: CPU time of one training.
        workers: processes that train at the same time, each on one core.
        words: overrides of every run.
    """

    def __init__(self, data: Path, folder: Path, minutes: float, workers: int, words: Sequence[str]) -> None:
        self.data, self.folder, self.minutes, self.workers, self.words = data, folder, minutes, workers, list(words)

    def configured(self, network: str, space: str, seconds: float, *words: str) -> list[str]:
        """Returns the configuration of a network, as after `fit`."""
        return [
            "--config", f"experiment/ptbxl_{network}", f"data.root={self.data / 'ptbxl'}", f"data.label_space={space}",
            f"data.seconds={seconds:g}", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false",
            "logger.wandb=false", *self.words, *words,
        ]  # fmt: skip

    def run_dir(self, run: Run) -> Path:
        """Returns the folder of a run."""
        return self.folder / f"{self.minutes:g}_minutes" / run.name

    def cost(self, network: str, seconds: float) -> Cost:
        """Returns what a network costs; it is measured once, since the length of every run depends on it."""
        path = self.folder / "costs" / f"{network}-{seconds:g}s.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _pool(1) as pool:
                cost = pool.submit(measure, self.configured(network, SPACES[0], seconds)).result()
            write_json(path, cost._asdict())
            print(f"{network}, {seconds:g} s: {cost.throughput:.1f} records a CPU second", flush=True)
        return Cost(**read_json(path))

    def length(self, network: str, seconds: float) -> Length:
        """Returns how long a network is trained."""
        return length_of(self.cost(network, seconds), 60 * self.minutes)

    def train(self, runs: Sequence[Run]) -> None:
        """Trains networks; a run that ended is kept, and one that was stopped goes on."""
        words = []
        for network, space, seconds, seed in runs:
            epochs, batches = self.length(network, seconds)
            length = (f"trainer.max_epochs={epochs}", f"trainer.limit_train_batches={batches}")
            words.append(self.configured(network, space, seconds, *length, f"seed={seed}", "checkpoint_path=auto"))
        self._each(_train, runs, words)

    def test(self, runs: Sequence[Run]) -> None:
        """Measures networks on fold 10; one that was measured is kept."""
        self._each(_test, runs, [self.configured(run.network, run.space, run.seconds) for run in runs])

    def score(self, network: str) -> float:
        """Returns the macro AUROC on fold 9 of a network's first run on whole recordings, the mean over the label spaces."""
        paths = [self.run_dir(Run(network, space, WHOLE, SEEDS[0])) / "checkpoints" / "best.ckpt" for space in SPACES]
        return mean(checkpoints.card_of(str(path)).metrics["val/auroc"] or 0.0 for path in paths)

    def is_convolutional(self, network: str) -> bool:
        """Returns whether a network is a CNN."""
        return compose(self.configured(network, SPACES[0], WHOLE)).model.name not in NOT_CONVOLUTIONAL

    def result(self, network: str, seconds: float, seeds: Iterable[int]) -> Result:
        """Returns what the tables say of a network."""
        folders = {space: [self.run_dir(Run(network, space, seconds, seed)) for seed in seeds] for space in SPACES}
        return Result(network, seconds, self.cost(network, seconds), self.length(network, seconds), folders)

    def _each(self, task: Callable[[Path, list[str]], str], runs: Sequence[Run], words: Sequence[list[str]]) -> None:
        """Does a task for each run, with its words.

        Raises:
            UserError: saying what went wrong in which runs, after all others have ended.
        """
        folders = [self.run_dir(run) for run in runs]
        with _pool(self.workers) as pool:
            messages = list(pool.map(task, folders, words))
        if failures := [f"{run.name}: {message}" for run, message in zip(runs, messages, strict=True) if message]:
            raise UserError("\n".join(failures))


def _pool(workers: int) -> ProcessPoolExecutor:
    """Returns processes of which each does one task, so that its CPU time and its memory are those of this task."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), max_tasks_per_child=1)


@contextlib.contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        yield


def _train(run_dir: Path, words: list[str]) -> str:
    """Trains a network, and notes the CPU time where the run was not interrupted; returns what went wrong."""
    ended = run_dir / "ended.json"
    if ended.exists():
        return ""
    torch.set_num_threads(1)
    is_resumed = (run_dir / "checkpoints" / "last.ckpt").exists()
    begin = time.process_time()
    try:
        with _printing_to(run_dir.with_suffix(".log")):
            fit(compose([*words, f"run_dir={run_dir}"]))
    except (UserError, Stopped) as error:
        return str(error)
    seconds = time.process_time() - begin
    write_json(ended, {"cpu_seconds": None if is_resumed else round(seconds, 1)})
    print(f"{time.strftime('%H:%M')} {run_dir.name}: {seconds:.0f} s of CPU time", flush=True)
    return ""


def _test(run_dir: Path, words: list[str]) -> str:
    """Measures a network on fold 10; returns what went wrong."""
    if (run_dir / "test.json").exists():
        return ""
    torch.set_num_threads(1)
    try:
        with _printing_to(run_dir.with_suffix(".log")):
            evaluate(compose([*words, f"run_dir={run_dir}"]))
    except UserError as error:
        return str(error)
    return ""


def compare(study: Study, networks: Sequence[str], resamples: int, folder: Path) -> str:
    """Trains, chooses on fold 9, then reads fold 10 once; writes table.md and figure.png, and returns the table."""
    for network in networks:
        study.cost(network, WHOLE)  # one after another, before the cores are busy
    study.train([Run(network, space, WHOLE, SEEDS[0]) for network in networks for space in SPACES])
    scores = {network: study.score(network) for network in networks}
    ranking = sorted(networks, key=scores.__getitem__, reverse=True)
    print("On fold 9:", ", ".join(f"{network} {scores[network]:.3f}" for network in ranking), flush=True)
    seeds = {network: SEEDS if network in ranking[:BEST] else SEEDS[:1] for network in ranking}
    cropped = [
        next((n for n in ranking if study.is_convolutional(n)), None),
        next((n for n in ranking if n.startswith("s4")), None),
    ]
    inputs = {(network, WHOLE): seeds[network] for network in ranking}
    inputs |= {(network, CROP): SEEDS[:1] for network in cropped if network}  # beside the same seed on whole recordings
    runs = [
        Run(network, space, seconds, seed)
        for (network, seconds), seeds_of_input in inputs.items()
        for space in SPACES
        for seed in seeds_of_input
    ]
    study.train(runs)
    study.test(runs)
    whole = [study.result(network, WHOLE, seeds[network]) for network in ranking]
    pairs = [
        (study.result(network, CROP, SEEDS[:1]), study.result(network, WHOLE, SEEDS[:1]))
        for network in cropped
        if network
    ]
    text = f"{network_table(whole, resamples)}\n\n{crop_table(pairs, resamples)}\n"
    (folder / "table.md").write_text(text, encoding="utf-8")
    figure(whole, [crop for crop, _ in pairs], resamples).savefig(folder / "figure.png", dpi=150)
    return text


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the archives; it holds ptbxl")
    parser.add_argument("words", nargs="*", metavar="key=value", help="overrides of every run")
    parser.add_argument("--budget", type=float, default=4.0, help="minutes of CPU time of one training")
    parser.add_argument(
        "--networks", nargs="+", default=NETWORKS, metavar="NAME", help="of conf/experiment/ptbxl_NAME.yaml"
    )
    parser.add_argument("--workers", type=int, default=1, help="trainings at the same time, each on one core")
    parser.add_argument("--out", type=Path, default=Path("runs/networks"), help="folder of the runs")
    parser.add_argument("--write", type=Path, default=HERE, help="folder of table.md and figure.png")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap")
    options = parser.parse_args()
    study = Study(options.data.resolve(), options.out.resolve(), options.budget, options.workers, options.words)
    print(compare(study, options.networks, options.resamples, options.write))


if __name__ == "__main__":
    sys.exit(guard(main))
