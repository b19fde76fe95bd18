"""What a pretrained network is worth with few labels: probes and fine-tuning against a random encoder and training from scratch.

python experiments/few_labels/run.py DATA --checkpoint NAME [--spaces super sub …] [--sizes 20 174 200 all] [--seeds 3] [key=value …]

DATA is the folder that holds `ptbxl`. Trainings that are finished are kept: the same command goes on, and several processes share the work.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ecg_lightning import checkpoints, compose, evaluate, fit
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.evaluation.predictions import check_comparable, read_predictions
from ecg_lightning.files import write_json, write_whole
from ecg_lightning.main import guard
from ecg_lightning.metrics import Difference, Interval, auroc_differences, auroc_intervals

HERE = Path(__file__).parent
ALL = "all"
SPACES = {
    "super": "ptbxl_super",
    "sub": "ptbxl_sub",
    "form": "ptbxl_form",
    "rhythm": "ptbxl_rhythm",
    "paper7": "paper7",
}
RECIPES = {
    "linear": "finetune/linear_probe",
    "attention": "finetune/attention_probe",
    "tuned": str(HERE / "tuned.yaml"),
    "random linear": "finetune/linear_probe",
    "random attention": "finetune/attention_probe",
    "scratch": str(HERE / "scratch.yaml"),
}
"""The arms, with the recipe of each; those of `PAIRS` on the right begin with random weights."""
PAIRS = {"linear": "random linear", "attention": "random attention", "tuned": "scratch"}
EPOCHS = {
    "finetune/linear_probe": (100, 60, 30),
    "finetune/attention_probe": (100, 60, 30),
    "tuned.yaml": (40, 20, 12),
    "scratch.yaml": (100, 50, 20),
}
"""Epochs of each recipe with up to 50 recordings, up to 500, and more; the last one is taken, so that no epoch is chosen."""
PUBLISHED = {
    ("super", "174"): "MELP .876, MERL .845, HeartLang .789",
    ("super", ALL): "MELP .894, MERL .880, HeartLang .875",
    ("rhythm", "174"): "MELP .877, HeartLang .621",
    ("sub", "174"): "HeartLang .647",
    ("form", "174"): "HeartLang .587",
}
"""Linear probes with 1 % and 100 % of the labels of the whole archive, 21,799 recordings."""


@dataclass(frozen=True)
class Training:
    """One network: an arm in a label space, with a number of recordings and a seed."""

    space: str
    size: str
    arm: str
    seed: int

    @property
    def folder(self) -> str:
        """The name of its folder in that of the study."""
        return f"{self.space}-{self.size}-{self.arm.replace(' ', '_')}-{self.seed}"

    def words(self, checkpoint: str) -> list[str]:
        """Returns what it adds to the configuration of all networks."""
        recipe = RECIPES[self.arm]
        size = np.inf if self.size == ALL else int(self.size)
        epochs = EPOCHS[recipe.removeprefix(f"{HERE}/")][int(size > 50) + int(size > 500)]
        words = ["--config", recipe, f"data.label_space={SPACES[self.space]}", f"seed={self.seed}"]
        words += [f"data.subset_seed={self.seed}", *([] if self.size == ALL else [f"data.train_records={self.size}"])]
        words += [f"trainer.max_epochs={epochs}", f"trainer.check_val_every_n_epoch={epochs}"]
        return words + ([f"finetune.checkpoint={checkpoint}"] if self.arm in PAIRS else [])


def trainings(spaces: Sequence[str], sizes: Sequence[str], arms: Sequence[str], seeds: int) -> Iterator[Training]:
    """Yields every network of the study; with all recordings one seed, whose training takes most of the time."""
    for space in spaces:
        for size in sizes:
            for arm in arms:
                for seed in range(1 if size == ALL else seeds):
                    yield Training(space, size, arm, seed)


def encoder(card: Card) -> dict[str, object]:
    """Returns architecture and input of a checkpoint as a configuration, for all networks of the study."""
    prepared = dict(card.input.preprocess)
    low, high = prepared.pop("low"), prepared.pop("high")
    band = None if low is None and high is None else [low, high]
    data = {"sampling_rate": card.input.sampling_rate, "seconds": card.input.seconds, "band": band} | prepared
    return {"model": dict(card.model), "data": data | ({"metadata": card.metadata.columns} if card.metadata else {})}


def run(training: Training, folder: Path, words: Sequence[str], checkpoint: str) -> bool:
    """Trains and measures one network, unless that was done; returns False where another process is at it."""
    run_dir = folder / training.folder
    if (run_dir / "test.json").is_file():
        return True
    try:
        with FileLock(folder / f"{training.folder}.lock", timeout=0):
            config = [*words, *training.words(checkpoint), f"run_dir={run_dir}"]
            print(training.folder, flush=True)
            fit(compose([*config, "checkpoint_path=auto"]))
            evaluate(compose([*config, f"checkpoint_path={run_dir / 'checkpoints' / 'best.ckpt'}"]))
    except Timeout:
        return False
    return True


class Results:
    """The measured networks of the study."""

    def __init__(self, folder: Path, resamples: int) -> None:
        self.folder, self.resamples = folder, resamples

    def logits(
        self, networks: Sequence[Training]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Returns logits (networks, recordings, terms), targets (recordings, terms) and patients (recordings,)."""
        measured = [read_predictions(self.folder / network.folder) for network in networks]
        check_comparable(measured)
        return np.stack([each.logits for each in measured]), measured[0].targets, measured[0].patients

    def auroc(self, networks: Sequence[Training]) -> Interval:
        """Computes the macro AUROC, the mean over the networks, with its interval over patients and seeds."""
        return auroc_intervals(*self.logits(networks), resamples=self.resamples).macro

    def gain(self, networks: Sequence[Training], baseline: Sequence[Training]) -> Difference:
        """Computes the paired difference in macro AUROC of networks and those that began with random weights."""
        (logits, targets, patients), (baseline_logits, _, _) = self.logits(networks), self.logits(baseline)
        return auroc_differences(logits, baseline_logits, targets, patients, resamples=self.resamples).macro


def measured(results: Results, networks: Sequence[Training]) -> list[dict[str, object]]:
    """Returns a row for each label space and size: AUROC of every arm, and the paired gains of pretraining."""
    rows: dict[tuple[str, str], dict[str, list[Training]]] = {}
    for network in networks:
        rows.setdefault((network.space, network.size), {}).setdefault(network.arm, []).append(network)
    table: list[dict[str, object]] = []
    for (space, size), of_arm in rows.items():
        row: dict[str, object] = {"space": space, "size": size, "seeds": len(next(iter(of_arm.values())))}
        row |= {arm: results.auroc(group) for arm, group in of_arm.items()}
        row["gain"] = {
            arm: results.gain(of_arm[arm], of_arm[baseline])
            for arm, baseline in PAIRS.items()
            if arm in of_arm and baseline in of_arm
        }
        table.append(row)
    return table


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Returns the two tables of the study: AUROC of every arm, and the gains of pretraining."""
    arms = [arm for arm in RECIPES if arm in rows[0]]
    first = [["space", "labels", "seeds", *arms, "published, whole archive"]]
    second = [["space", "labels", *(f"{arm} − {PAIRS[arm]}" for arm in arms if arm in PAIRS)]]
    for row in rows:
        key = (str(row["space"]), str(row["size"]))
        first.append([*key, str(row["seeds"]), *(text(row[arm]) for arm in arms), PUBLISHED.get(key, "")])
        gains = row["gain"]
        assert isinstance(gains, dict)
        second.append([*key, *(text(gains[arm], "+") if arm in gains else "" for arm in arms if arm in PAIRS)])
    return "\n\n".join("\n".join(lines(table)) for table in (first, second))


def lines(table: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a table in Markdown, its head first."""
    head, *body = table
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body)]


def text(interval: object, sign: str = "") -> str:
    """Returns an interval in words: the estimate, then its bounds."""
    assert isinstance(interval, Interval | Difference)
    return f"{interval.estimate:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def draw(rows: Sequence[Mapping[str, object]], records: int, path: Path) -> None:
    """Draws AUROC against the number of labels, a panel for each label space, a line with its band for each arm."""
    from matplotlib.figure import Figure

    spaces = list(dict.fromkeys(str(row["space"]) for row in rows))
    chart = Figure(figsize=(2.8 * len(spaces) + 1.4, 3.4), layout="constrained")
    panels = np.atleast_1d(chart.subplots(1, len(spaces)))
    colours = {"linear": "#1f6f8b", "attention": "#7a5195", "tuned": "#b2452f"}
    colours |= {baseline: colours[arm] for arm, baseline in PAIRS.items()}
    for axes, space in zip(panels, spaces, strict=True):
        of_space = [row for row in rows if row["space"] == space]
        counts = [records if row["size"] == ALL else int(str(row["size"])) for row in of_space]
        for arm in [arm for arm in RECIPES if arm in of_space[0]]:
            values = [row[arm] for row in of_space]
            estimates = [value for value in values if isinstance(value, Interval)]
            style = "-" if arm in PAIRS else "--"
            low, high = [value.low for value in estimates], [value.high for value in estimates]
            axes.fill_between(counts, low, high, color=colours[arm], alpha=0.08, linewidth=0)
            axes.plot(
                counts, [value.estimate for value in estimates], style, color=colours[arm], marker="o", markersize=3,
                label=arm,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.minorticks_off()
        apart = [count for k, count in enumerate(counts) if k == 0 or count > 1.3 * counts[k - 1]]
        axes.set_xticks(apart, [f"{count:,}" for count in apart])
        axes.set_title(space)
        axes.set_xlabel("labels")
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("macro AUROC, fold 10")
    handles, labels = panels[0].get_legend_handles_labels()
    chart.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8, handlelength=3)
    chart.savefig(path, dpi=150)


def records_of(folder: Path, networks: Sequence[Training]) -> int:
    """Returns the largest number of recordings that trained a network of the study."""
    reports = [json.loads((folder / network.folder / "test.json").read_text(encoding="utf-8")) for network in networks]
    return max(report["data"]["records"]["train"] for report in reports)


def plain(value: object) -> Any:
    """Returns results as JSON can hold them: intervals as mappings, and None for a number that is not defined."""
    if isinstance(value, Interval | Difference):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def size(word: str) -> str:
    """Returns a number of recordings as it was typed, without leading zeros.

    Raises:
        ArgumentTypeError: for anything but a number above 0 or `all`.
    """
    if word != ALL and not (word.isdecimal() and int(word)):
        raise argparse.ArgumentTypeError(f"'{word}' is not a number of recordings, nor {ALL}")
    return word if word == ALL else str(int(word))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds ptbxl")
    parser.add_argument("words", nargs="*", help="key=value for every training")
    parser.add_argument("--checkpoint", required=True, help="the pretrained network: a published name or a file")
    parser.add_argument("--out", type=Path, help="folder of the study; runs/few_labels/<checkpoint> by default")
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=list(SPACES))
    parser.add_argument("--sizes", nargs="+", type=size, default=["20", "174", "200", ALL])
    parser.add_argument("--arms", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--resamples", type=int, default=1000)
    return parser.parse_intermixed_args()


def main() -> None:
    """Trains what is missing, and writes table.md, results.json and figure.png to the study's folder."""
    options = parse()
    folder = options.out or Path("runs/few_labels") / Path(options.checkpoint).stem
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = checkpoints.read(options.checkpoint)
    shared = f"# {checkpoint.sha256}\n{yaml.safe_dump(json.loads(json.dumps(encoder(checkpoint.card))))}"
    file = folder / "encoder.yaml"
    if file.is_file() and file.read_text(encoding="utf-8") != shared:
        raise SystemExit(f"{folder} has the study of another network. Give this one another --out.")
    write_whole(file, shared)
    words = [
        "--config", "default", "--config", "data/ptbxl", "--config", str(file), f"data.root={options.data / 'ptbxl'}",
        "data.batch_size=16", "logger.wandb=false", "trainer.enable_progress_bar=false", *options.words,
    ]  # fmt: skip
    networks = list(trainings(options.spaces, options.sizes, options.arms, options.seeds))
    waiting = [network for network in networks if not run(network, folder, words, options.checkpoint)]
    if waiting:
        raise SystemExit(
            f"Another process trains {waiting[0].folder} and {len(waiting) - 1} more. Run this again after it."
        )
    rows = measured(Results(folder, options.resamples), networks)
    tables = markdown(rows)
    write_whole(folder / "table.md", f"{tables}\n")
    write_json(
        folder / "results.json", {"checkpoint": checkpoint.title, "sha256": checkpoint.sha256, "rows": plain(rows)}
    )
    draw(rows, records_of(folder, networks), folder / "figure.png")
    print(f"{tables}\n\nWritten to {folder}: table.md, results.json and figure.png")


if __name__ == "__main__":
    sys.exit(guard(main))
