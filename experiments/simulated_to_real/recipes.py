"""Learning rates of the study, chosen on the validation fold: python experiments/simulated_to_real/recipes.py ROOT (goes on)."""

import csv
import sys
from pathlib import Path

import numpy as np

from ecg_lightning.main import main
from ecg_lightning.transfer.study import ARMS, read_study

HERE = Path(__file__).parent
RATES = {"small": (1e-3, 2e-3, 4e-3, 8e-3), "tuned": (1e-4, 2e-4, 5e-4, 1e-3)}
SIZES, SEEDS = ("100", "500"), (0, 1)


def validated(run: Path) -> float:
    """The last epoch's macro AUROC on the validation fold."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return float([row["val/auroc"] for row in csv.DictReader(file) if row["val/auroc"]][-1])


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "data").resolve()
    study = read_study(["--study", str(HERE / "study.yaml"), f"small.data.root={root / 'ptbxl'}", *sys.argv[2:]])
    trainings = {(each.arm, each.size, each.seed): each for each in study.trainings()}
    lines = ["| training | recordings | rate | validation AUROC |", "|---|---:|---:|---:|"]
    for arm, rates in RATES.items():
        for size in SIZES:
            for rate in rates:
                found = []
                for seed in SEEDS:
                    run = Path(study.run_dir) / "recipes" / f"{arm}-{size}-{seed}-{rate:g}"
                    if not (run / "done").exists():
                        words = [*trainings[arm, size, seed].words, f"optim.lr={rate}", f"run_dir={run}"]
                        if main(["fit", *words, "checkpoint_path=auto"]):
                            sys.exit(1)
                        (run / "done").touch()
                    found.append(validated(run))
                lines.append(f"| {ARMS[arm]} | {size} | {rate:g} | {np.mean(found):.4f} |")
    text = "\n".join(lines) + "\n"
    (HERE / "recipes.md").write_text(text, encoding="utf-8")
    print(text)
