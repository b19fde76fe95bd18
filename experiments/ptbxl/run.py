"""The shipped PTB-XL experiments over several seeds: trains what is missing, then prints the table with intervals.

python experiments/ptbxl/run.py --root DATA/ptbxl [--out runs/ptbxl] [--seeds 3] [--experiments ptbxl_small …]
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from ecg_lightning.evaluation.predictions import FILES, Predictions, check_comparable, read_predictions
from ecg_lightning.main import guard
from ecg_lightning.metrics import auroc_intervals


def tested(experiment: str, seed: int, root: str, out: Path) -> Predictions:
    """Returns the predictions for fold 10 of a run that is trained and tested now unless it was before."""
    run_dir = out / f"{experiment}-{seed}"
    if not (run_dir / FILES["test"]).exists():
        program = [sys.executable, "-m", "ecg_lightning"]
        config = ["--config", f"experiment/{experiment}", f"data.root={root}", f"seed={seed}"]
        fit = ["fit", *config, f"run_dir={run_dir}", "checkpoint_path=auto", "logger.wandb=false"]
        for words in (fit, ["test", f"run_dir={run_dir}"]):
            if status := subprocess.run([*program, *words], check=False).returncode:
                sys.exit(status)  # it has said why
    return read_predictions(run_dir)


def row_of(experiment: str, runs: list[Predictions]) -> str:
    """Returns a row of the table: the mean AUROC over the seeds with its interval over patients and seeds, macro and by term."""
    check_comparable(runs)
    intervals = auroc_intervals(np.stack([run.logits for run in runs]), runs[0].targets, runs[0].patients)
    cells = [f"{each.estimate:.3f} [{each.low:.3f}, {each.high:.3f}]" for each in (intervals.macro, *intervals.terms)]
    return f"| {experiment} | {len(runs)} | {' | '.join(cells)} |"


def main() -> None:
    """Prints the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/ptbxl"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--experiments", nargs="+", default=["ptbxl_small", "ptbxl_resnet1d18"])
    options = parser.parse_args()
    lines = []
    for experiment in options.experiments:
        runs = [tested(experiment, seed, options.root, options.out) for seed in range(options.seeds)]
        lines.append(row_of(experiment, runs))
    print(f"| test AUROC, fold 10 | seeds | macro | {' | '.join(runs[0].terms)} |")
    print(f"|---|---|---|{'---|' * len(runs[0].terms)}")
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(guard(main))
