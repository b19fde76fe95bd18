"""Weights & Biases is the logger, and never stops a run: what it cannot send is logged offline, and it never asks."""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ecg_lightning.training.wandb_server import (
    failures_to,
    has_unsent_log,
    how_to_send,
    print_line,
    why_unreachable,
)

if TYPE_CHECKING:
    from wandb import Run

    from ecg_lightning.training.wandb_run import RunLogger, WandbRunFile

START = 12.0
"""Seconds that W&B's server has to accept a run, after it accepted the key."""
END = 30.0
"""Seconds that W&B's server has to receive the rest of a run's log at the run's end."""
END_WITH_FILES = 600.0
"""The same where checkpoints are sent, too."""


@dataclass
class Logging:
    """Where metrics are logged; they are in the run's folder in any case.

    Attributes:
        wandb: log to Weights & Biases.
        project: the project there.
        entity: the team there; null for the account's default.
        name: the run's name; the run folder's by default.
        group: joins the runs of one study.
        tags: words by which the run can be found.
        offline: keep the log in the run folder for `wandb sync`; by default only if there is no key, or W&B cannot be reached.
        artifacts: log the checkpoint that is published from the run as an artifact, and the checkpoint that the run starts
            from as an artifact that it uses.
    """

    wandb: bool = True
    project: str = "ecg_lightning"
    entity: str | None = None
    name: str | None = None
    group: str | None = None
    tags: list[str] = field(default_factory=list)
    offline: bool | None = None
    artifacts: bool = False

    def make(self, run_dir: Path, config: dict[str, Any] | None, resumed: bool = False) -> "RunLogger | Literal[False]":
        """Starts the logger; returns False where it is switched off, or where W&B fails. Ends an earlier run first.

        Args:
            run_dir: the run's folder, which also keeps the run's id at W&B.
            config: what W&B shows as the run's configuration; None leaves it as it is.
            resumed: whether the run goes on; it then goes on at W&B too.
        """
        if not self.wandb or os.environ.get("WANDB_MODE") == "disabled":
            return False
        self.finish()
        from lightning.pytorch.utilities import rank_zero_only

        from ecg_lightning.training.wandb_run import RunLogger, WandbRunFile, best_summary

        if getattr(rank_zero_only, "rank", 0):  # the first process alone logs
            return RunLogger(None, run_dir)
        run_file, run, reasons = WandbRunFile(run_dir, read=resumed), None, list[str]()
        is_offline = self.offline if self.offline is not None else os.environ.get("WANDB_MODE") in ("offline", "dryrun")
        if not is_offline and resumed and has_unsent_log(run_dir):
            # Sent later, the earlier part would replace what is sent now.
            reasons.append("an earlier part of this run's log was not sent yet")
            is_offline = True
        if not is_offline:
            with failures_to(reasons.append):
                if reason := why_unreachable():
                    reasons.append(reason)
                else:
                    run = self._start(run_dir, config, run_file, "online")
        with failures_to(reasons.append):
            run = run or self._start(run_dir, config, run_file, "offline")
            run_file.write(run)
            if resumed:
                run.summary.update(run_file.summary | best_summary(run_dir))
        if run is None:
            print_line(f"it cannot be started ({'; '.join(reasons)}). The numbers are in {run_dir} alone.")
            return False
        reason = f"{reasons[0]}, so " if reasons else ""
        if run.offline:
            print_line(f"{reason}this run is logged offline. {how_to_send(run_dir)}")
        else:
            print_line(str(run.url))
        return RunLogger(run, run_dir, run_file)

    def resume(self, run_dir: Path) -> "RunLogger | None":
        """Goes on with the run at W&B that was logged from a folder, after its training; None where there is none to go on with.

        Args:
            run_dir: the run's folder.
        """
        if not self.wandb or not (run_dir / "wandb.json").is_file():
            return None
        from ecg_lightning.training.wandb_run import WandbRunFile

        if WandbRunFile(run_dir).id is None:
            return None
        return self.make(run_dir, None, resumed=True) or None

    def finish(self) -> None:
        """Ends the run at W&B, so that the next run of this process is not logged into it."""
        if not self.wandb or "wandb" not in sys.modules:
            return
        import wandb

        run = wandb.run
        if run is None:
            return
        folder = Path(run.settings.wandb_dir).parent

        def report_failure(reason: str) -> None:
            print_line(f"the log was not sent completely ({reason}). {how_to_send(folder, run.offline)}")
            with suppress(Exception):  # else it fails once more at the program's end, with a traceback
                wandb.teardown()

        with failures_to(report_failure):
            run.finish()

    def _start(
        self, run_dir: Path, config: dict[str, Any] | None, before: "WandbRunFile", mode: Literal["online", "offline"]
    ) -> "Run":
        """Starts or resumes the run.

        Args:
            run_dir: the run's folder.
            config: what W&B shows as the run's configuration.
            before: the run's file, without an id where the run is a new one.
            mode: whether the log is sent.
        """
        import wandb

        run_dir.mkdir(parents=True, exist_ok=True)
        end = END_WITH_FILES if self.artifacts else END
        run = wandb.init(
            project=before.project or os.environ.get("WANDB_PROJECT", self.project), entity=before.entity or self.entity,
            name=before.name or self.name or os.environ.get("WANDB_NAME") or run_dir.name, dir=run_dir, config=config,
            group=self.group, tags=self.tags or None, id=before.id, resume="allow", mode=mode,
            settings=wandb.Settings(silent=True, init_timeout=START, finish_timeout=end, finish_timeout_raises=True),
        )  # fmt: skip
        run.define_metric("trainer/global_step")
        for group in ("train", "lr_factor", "unfrozen"):
            run.define_metric(f"{group}/*", step_metric="trainer/global_step", step_sync=True)
        # The summary of validation is that of the best epoch, which is published, not of the last one. (W&B does not define
        # which of two overlapping patterns holds.)
        run.define_metric("val/*", step_metric="trainer/global_step", step_sync=True, summary="none")
        return run
