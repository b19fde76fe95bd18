"""What a run writes beside its checkpoints: its configuration with versions, and one row of metrics an epoch."""

import csv
import io
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.accelerators import CPUAccelerator
from omegaconf import OmegaConf

from ecg_lightning import __version__
from ecg_lightning.files import write_whole

RUN = "run"
"""The key of the recipe and the number of threads in a checkpoint file."""


def git_commit() -> str:
    """Returns the commit of the package's checkout, with `-dirty` where it was changed; '' outside of a checkout."""
    folder = Path(__file__).parent
    try:
        process = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, check=False, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return process.stdout.strip()


def provenance() -> dict[str, str]:
    """Returns the versions and the commit that are needed to repeat a run."""
    packages = {name: version(name) for name in ("torch", "lightning", "numpy")}
    return {"ecg_lightning": __version__, "git_commit": git_commit(), "python": platform.python_version()} | packages


class RunRecord(pl.Callback):
    """Writes `config.yaml` and, after each epoch, a row of `metrics.csv`; a resumed run goes on in the same file.

    Args:
        run_dir: the run's folder.
        config: the composed configuration.
        facts: further facts about the run, written as a comment on top of config.yaml.
        recipe: the keys that change the outcome; each checkpoint keeps them, so that a resumed run is the same.
    """

    def __init__(self, run_dir: Path, config: dict[str, Any], facts: dict[str, str], recipe: dict[str, Any]) -> None:
        self.run_dir, self.config, self.facts, self.recipe = run_dir, config, facts, recipe
        self.validated = False  # in this epoch

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Writes the configuration before anything can fail."""
        if stage == "fit" and trainer.is_global_zero:
            self.run_dir.mkdir(parents=True, exist_ok=True)
            facts = self.facts | {"threads": torch.get_num_threads()}
            comment = "".join(f"# {key}: {value}\n" for key, value in facts.items())
            text = OmegaConf.to_yaml(OmegaConf.create(self.config))
            write_whole(self.run_dir / "config.yaml", comment + text)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds the recipe and the number of threads, with which a resumed run is compared."""
        checkpoint[RUN] = {"recipe": self.recipe, "threads": torch.get_num_threads()}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Prints a note where the numbers will not be the same to the last bit."""
        before, now = checkpoint.get(RUN, {}).get("threads"), torch.get_num_threads()
        if before not in (None, now) and trainer.is_global_zero and isinstance(trainer.accelerator, CPUAccelerator):
            print(
                f"Note: the run was trained with {before} threads and goes on with {now}: sums in another order agree to "
                f"about 1e-6, not bit for bit. With OMP_NUM_THREADS={before} they are the same.",
                file=sys.stderr,
            )

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remembers that this epoch was validated."""
        self.validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Adds the epoch's row, in place of rows of this and later epochs that an earlier attempt wrote."""
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch
        values = {
            name: value.item()
            for name, value in trainer.callback_metrics.items()
            if self.validated or not name.startswith("val/")  # Lightning keeps those of an earlier epoch
        }
        self.validated = False
        row: dict[str, Any] = {"epoch": epoch, "step": trainer.global_step} | {
            k: f"{v:.6g}" for k, v in sorted(values.items())
        }
        path = self.run_dir / "metrics.csv"
        earlier = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                earlier = [line for line in csv.DictReader(file) if int(line["epoch"]) < epoch]
        columns = list(dict.fromkeys([key for line in (*earlier, row) for key in line]))
        lines = io.StringIO(newline="")
        writer = csv.DictWriter(lines, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*earlier, row])
        write_whole(path, lines.getvalue())
