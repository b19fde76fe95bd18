"""The whole study: python experiments/simulated_to_real/run.py ROOT [key=value …] (a stopped one goes on).

ROOT has the archives in folders ptbxl, georgia, chapman_ningbo, cpsc2018, cpsc2018_extra and ludb.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np

from ecg_lightning.evaluation.predictions import read_predictions
from ecg_lightning.main import guard, main
from ecg_lightning.metrics import auroc_intervals
from ecg_lightning.transfer.results import Estimate
from ecg_lightning.transfer.study import Study, read_study

HERE = Path(__file__).parent
STUDIES = {"study": "ptbxl", "study_cinc": ".", "study_ludb": "ludb"}
NETWORKS = {"large": "simulated alone", "small-all-0": "PTB-XL alone", "tuned-all-0": "simulated, then PTB-XL"}
ELSEWHERE = {"Georgia, Chapman–Ningbo, CPSC": ("cinc.yaml", "."), "LUDB": ("ludb.yaml", "ludb")}
EVERYTHING = ("data.val_folds=[]", "data.test_folds=[1,2,3,4,5,6,7,8,9,10]")


def elsewhere(root: Path, study: Study) -> str:
    """Markdown: macro AUROC of the networks on every recording of archives that none of them has seen."""
    lines = [f"| archive | recordings | terms | {' | '.join(NETWORKS.values())} |", "|---|---:|---:|---|---|---|"]
    for archive, (file, folder) in ELSEWHERE.items():
        cells = []
        for network in NETWORKS:
            run = Path(study.run_dir) / network
            target = run / f"on_all_of_{Path(file).stem}"
            words = ["--config", str(HERE / file), f"data.root={root / folder}", *EVERYTHING, f"run_dir={target}"]
            if not (target / "test.json").exists():
                with contextlib.redirect_stdout(io.StringIO()):
                    main(["test", *words, f"checkpoint_path={run / 'checkpoints' / 'best.ckpt'}"])
            measured = read_predictions(target)
            intervals = auroc_intervals(measured.logits, measured.targets, measured.patients, resamples=study.resamples)
            cells.append(str(Estimate.of(intervals.macro)))
        records = json.loads((target / "test.json").read_text(encoding="utf-8"))["records"]
        lines.append(
            f"| {archive} | {records} | {np.isfinite([term.estimate for term in intervals.terms]).sum()} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def study() -> None:
    """Runs the studies that are missing, and prints the table of the archives that no network has seen."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "data").resolve()
    studies = {}
    for name, folder in STUDIES.items():
        words = ["--study", str(HERE / f"{name}.yaml"), f"small.data.root={root / folder}", *sys.argv[2:]]
        if main(["transfer", *words]):
            sys.exit(1)
        studies[name] = read_study(words)
    text = elsewhere(root, studies["study"])
    (Path(studies["study"].run_dir) / "elsewhere.md").write_text(text + "\n", encoding="utf-8")
    print(f"\nArchives that no network has seen, macro AUROC on all their recordings:\n\n{text}")


if __name__ == "__main__":
    sys.exit(guard(study))
