"""Rates and epochs for the study, compared on the validation fold: python experiments/simulated_to_real/recipes.py ROOT (goes on)."""

import csv
import sys
from itertools import product
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from ecg_lightning.main import guard, main
from ecg_lightning.transfer.study import ARMS, read_study

HERE = Path(__file__).parent
GRID = {  # arm, recordings: rates, epochs, seeds
    ("small", "100"): ((1e-3, 2e-3, 4e-3, 8e-3), (50, 100), (0, 1)),
    ("small", "500"): ((1e-3, 2e-3, 4e-3, 8e-3), (40,), (0, 1)),
    ("small", "all"): ((1e-3, 2e-3, 4e-3), (20,), (0,)),
    ("tuned", "100"): ((5e-5, 1e-4, 2e-4, 5e-4, 1e-3), (15,), (0, 1)),
    ("tuned", "500"): ((5e-5, 1e-4, 2e-4, 5e-4, 1e-3), (10,), (0, 1)),
    ("tuned", "all"): ((1e-4, 2e-4, 5e-4, 1e-3), (8,), (0,)),
}


def validated(run: Path) -> float:
    """The last epoch's macro AUROC on the validation fold."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return float([row["val/auroc"] for row in csv.DictReader(file) if row["val/auroc"]][-1])


def train(run: Path, words: list[str]) -> None:
    """Trains one network, unless it is trained or another process is at it."""
    run.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{run}.lock", timeout=0):
            if not (run / "done").exists():
                if main(["fit", *words, f"run_dir={run}", "checkpoint_path=auto"]):
                    sys.exit(1)
                (run / "done").touch()
    except Timeout:
        return


def compare() -> None:
    """Trains what is missing, and writes recipes.md."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "data").resolve()
    study = read_study(["--study", str(HERE / "study.yaml"), f"small.data.root={root / 'ptbxl'}", *sys.argv[2:]])
    trainings = {(each.arm, each.size, each.seed): each for each in study.trainings()}
    lines = ["| training | recordings | rate | epochs | validation AUROC | seeds |", "|---|---:|---:|---:|---:|---:|"]
    for (arm, size), (rates, epochs, seeds) in GRID.items():
        for rate, count in product(rates, epochs):
            runs = [Path(study.run_dir) / "recipes" / f"{arm}-{size}-{seed}-{rate:g}-{count}" for seed in seeds]
            for seed, run in zip(seeds, runs, strict=True):
                words = trainings[arm, size, seed].words
                train(run, [*words, f"optim.lr={rate}", f"trainer.max_epochs={count}"])
            if all((run / "done").exists() for run in runs):
                score = np.mean([validated(run) for run in runs])
                lines.append(f"| {ARMS[arm]} | {size} | {rate:g} | {count} | {score:.4f} | {len(seeds)} |")
    text = "\n".join(lines) + "\n"
    (HERE / "recipes.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    sys.exit(guard(compare))
