"""The shipped PTB-XL experiments over several seeds: trains what is missing, then prints the table.

python experiments/ptbxl/run.py --root DATA/ptbxl [--out runs/ptbxl] [--seeds 3] [--experiments ptbxl_small …]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev


def trained(experiment: str, seed: int, root: str, out: Path) -> dict[str, float | None]:
    """AUROC by term on fold 10, of a run that is trained and tested now unless it was before."""
    run_dir = out / f"{experiment}-{seed}"
    report = run_dir / "test.json"
    if not report.exists():
        program = [sys.executable, "-m", "ecg_lightning"]
        config = ["--config", f"experiment/{experiment}", f"data.root={root}", f"seed={seed}"]
        fit = ["fit", *config, f"run_dir={run_dir}", "checkpoint_path=auto", "logger.wandb=false"]
        subprocess.run([*program, *fit], check=True)
        subprocess.run([*program, "test", f"run_dir={run_dir}"], check=True)
    content = json.loads(report.read_text())
    return {"macro": content["metrics"]["auroc"]} | {row["term"]: row["auroc"] for row in content["terms"]}


def main() -> None:
    """Prints mean and standard deviation over the seeds, macro and by term, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/ptbxl"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--experiments", nargs="+", default=["ptbxl_small", "ptbxl_resnet1d18"])
    options = parser.parse_args()
    rows = {}
    for experiment in options.experiments:
        results = [trained(experiment, seed, options.root, options.out) for seed in range(options.seeds)]
        rows[experiment] = {key: [float(run[key] or 0) for run in results] for key in results[0]}
    keys = list(next(iter(rows.values())))
    print(f"| test AUROC, fold 10 | seeds | {' | '.join(keys)} |")
    print(f"|---|---|{'---|' * len(keys)}")
    for experiment, values in rows.items():
        spread = [f"{mean(v):.3f}{f' ± {stdev(v):.3f}' if len(v) > 1 else ''}" for v in values.values()]
        print(f"| {experiment} | {options.seeds} | {' | '.join(spread)} |")


if __name__ == "__main__":
    main()
