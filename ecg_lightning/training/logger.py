"""Weights & Biases is the logger, and never in the way: no key means offline, and it never asks."""

import netrc
import os
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger


@dataclass
class Logging:
    """Where metrics are logged; they are in the run's folder in any case.

    Attributes:
        wandb: log to Weights & Biases.
        project: the project there.
        entity: the team; the account's default where null.
        name: the run's name; the run folder's by default.
        group: joins the runs of one study.
        tags: words to find the run by.
        offline: keep the log in the run folder for `wandb sync`; by default where there is no key.
    """

    wandb: bool = True
    project: str = "ecg_lightning"
    entity: str | None = None
    name: str | None = None
    group: str | None = None
    tags: list[str] = field(default_factory=list)
    offline: bool | None = None

    def make(self, run_dir: Path, config: dict[str, Any]) -> "WandbLogger | bool":
        """The logger, started; False where none is wanted."""
        if not self.wandb or os.environ.get("WANDB_MODE") == "disabled":
            return False
        offline = self.offline
        if offline is None:
            offline = os.environ.get("WANDB_MODE") == "offline" or not has_key()
        try:
            return self._start(run_dir, config, offline)
        except Exception as error:  # an account or a network that fails must not cost a training
            if offline:
                raise
            warnings.warn(f"W&B cannot be reached ({error}); logging offline to {run_dir / 'wandb'}.", stacklevel=2)
            return self._start(run_dir, config, offline=True)

    def finish(self) -> None:
        """Ends the run at W&B, so that the next one of this process is not logged into it."""
        if self.wandb and "wandb" in sys.modules:
            sys.modules["wandb"].finish()

    def _start(self, run_dir: Path, config: dict[str, Any], offline: bool) -> "WandbLogger":
        if offline:  # online, it prints where the run can be watched
            os.environ.setdefault("WANDB_SILENT", "true")
        import wandb
        from lightning.pytorch.loggers import WandbLogger

        run_dir.mkdir(parents=True, exist_ok=True)
        logger = WandbLogger(
            project=os.environ.get("WANDB_PROJECT", self.project), entity=self.entity, name=self.name or run_dir.name,
            group=self.group, tags=self.tags, save_dir=run_dir, offline=offline, config=config,
            settings=wandb.Settings(init_timeout=30),
        )  # fmt: skip
        logger._wandb_init.pop("anonymous", None)  # Lightning passes it, and wandb warns that it has no effect
        assert logger.experiment is not None
        return logger


def has_key() -> bool:
    """Whether this user has a W&B key, in the environment or in ``~/.netrc``."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").split("://")[-1].split("/")[0]
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
