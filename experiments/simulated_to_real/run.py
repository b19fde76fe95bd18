"""The whole study: python experiments/simulated_to_real/run.py ../shared/data (a stopped one goes on)."""

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np

from ecg_lightning.main import main
from ecg_lightning.metrics import macro
from ecg_lightning.transfer.report import areas, estimate
from ecg_lightning.transfer.study import Study, read_study

HERE = Path(__file__).parent
NETWORKS = {"large": "simulated alone", "small-all-0": "PTB-XL alone", "tuned-all-0": "simulated, then PTB-XL"}
ELSEWHERE = {
    "Georgia, Chapman–Ningbo, CPSC": {
        "georgia": "GeorgiaDataModule",
        "chapman_ningbo": "ChapmanNingboDataModule",
        "cpsc2018": "CPSC2018DataModule",
        "cpsc2018_extra": "CPSCExtraDataModule",
    },
    "LUDB": {"ludb": "LUDBDataModule"},
}


def elsewhere(root: Path, study: Study) -> str:
    """Markdown: macro AUROC of the networks on every recording of archives that none of them has seen."""
    lines = [f"| archive | recordings | terms | {' | '.join(NETWORKS.values())} |", "|---|---:|---:|---|---|---|"]
    for archive, folders in ELSEWHERE.items():
        parts = [{"name": module, "root": folder} for folder, module in folders.items()]
        cells = []
        for network in NETWORKS:
            run = Path(study.run_dir) / network
            target = run / f"on_{next(iter(folders))}"
            words = [
                "test",
                "--config",
                str(HERE / "elsewhere.yaml"),
                f"data.root={root}",
                f"data.parts={json.dumps(parts)}",
            ]
            words += [f"run_dir={target}", f"checkpoint_path={run / 'checkpoints' / 'best.ckpt'}"]
            if not (target / "test.json").exists():
                with contextlib.redirect_stdout(io.StringIO()):
                    main(words)
            found = areas(target, study.resamples)
            cells.append(str(estimate(np.array([macro(row) for row in found]))))
        records = json.loads((target / "test.json").read_text(encoding="utf-8"))["records"]
        lines.append(f"| {archive} | {records} | {np.isfinite(found[0]).sum()} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data").resolve()
    words = ["--study", str(HERE / "study.yaml"), f"small.data.root={root / 'ptbxl'}", *sys.argv[2:]]
    main(["transfer", *words])
    study = read_study(words)
    text = elsewhere(root, study)
    (Path(study.run_dir) / "elsewhere.md").write_text(text + "\n", encoding="utf-8")
    print(f"\nArchives that no network has seen, macro AUROC:\n\n{text}")
