"""A tiny study of two simulated archives."""

from pathlib import Path

import small

ARMS = ("small", "tuned", "both")
ONE_SIZE = ("--sizes=[20]", "--seeds=[1]", "--epochs=[2]", "--rates=[4e-3]")
"""The study's first size alone."""
ARCHIVE = "data:\n  name: SimulatedDataModule\n  hospital: {}\n  records: {}\n  seconds: 3\n  label_space: [AFIB, STACH, IRBBB]\n"


def write(folder: Path) -> Path:
    """A study of two tiny archives; returns its file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.yaml").write_text(ARCHIVE.format("large", 300))
    (folder / "b.yaml").write_text(ARCHIVE.format("small", 500))
    (folder / "tune.yaml").write_text("optim: {lr: 1e-3}\nfinetune: {schedule: {0: [head], 1: all}}\n")
    study = "large: a.yaml\nsmall: b.yaml\ntune: tune.yaml\nboth: true\nsizes: [20, 60]\nseeds: [2, 1]\nepochs: [2, 1]\ntune_epochs: [1]\nrates: [4e-3, 1e-3]\n"
    (folder / "study.yaml").write_text(study + "resamples: 50\n")
    return folder / "study.yaml"


def words(file: Path, run_dir: Path) -> list[str]:
    overrides = [word for word in small.TINY if not word.startswith("trainer.max_epochs")]
    overrides += ["large.trainer.max_epochs=1", f"data.store_dir={run_dir.parent / 'store'}", "data.pack_workers=1"]
    return ["--study", str(file), f"run_dir={run_dir}", *overrides]
