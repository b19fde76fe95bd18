"""What a run writes beside its checkpoints: the configuration, where it came from, and one row of metrics an epoch."""

import csv
import io
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from omegaconf import OmegaConf

from ecg_lightning import __version__
from ecg_lightning.files import write_whole


def git_commit() -> str:
    """The commit of the checkout that the package lies in, with ``-dirty`` where it was changed; '' outside of one."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, check=False, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def provenance() -> dict[str, str]:
    """Versions and commit that a run is repeated with."""
    packages = {name: version(name) for name in ("torch", "lightning", "numpy")}
    return {"ecg_lightning": __version__, "git_commit": git_commit(), "python": platform.python_version()} | packages


class RunRecord(pl.Callback):
    """Writes ``config.yaml`` and, after each epoch, a row of ``metrics.csv``; a resumed run goes on in the same file.

    Args:
        run_dir: the run's folder.
        config: the composed configuration.
        facts: what else is to be known of the run, as a comment on top of config.yaml.
    """

    def __init__(self, run_dir: Path, config: dict[str, Any], facts: dict[str, str]) -> None:
        self.run_dir, self.config, self.facts = run_dir, config, facts

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Writes the configuration before anything can fail."""
        if stage == "fit" and trainer.is_global_zero:
            self.run_dir.mkdir(parents=True, exist_ok=True)
            comment = "".join(f"# {key}: {value}\n" for key, value in self.facts.items())
            text = OmegaConf.to_yaml(OmegaConf.create(self.config))
            write_whole(self.run_dir / "config.yaml", comment + text)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Adds the epoch's row, in place of rows of this and later epochs that an earlier attempt left."""
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch
        values = {name: value.item() for name, value in trainer.callback_metrics.items()}
        row: dict[str, Any] = {"epoch": epoch, "step": trainer.global_step} | {
            k: f"{v:.6g}" for k, v in sorted(values.items())
        }
        path = self.run_dir / "metrics.csv"
        earlier = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                earlier = [old for old in csv.DictReader(file) if int(old["epoch"]) < epoch]
        columns = list(dict.fromkeys([key for each in (*earlier, row) for key in each]))
        lines = io.StringIO(newline="")
        writer = csv.DictWriter(lines, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*earlier, row])
        write_whole(path, lines.getvalue())
