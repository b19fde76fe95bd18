"""`sweep FILE --wandb`: W&B's service searches, and its agents run the trials here."""

import os
import subprocess
import sys

from ecg_lightning.errors import UserError
from ecg_lightning.sweep.definition import Sweep
from ecg_lightning.sweep.gpus import Gpus
from ecg_lightning.training.logger import Logging
from ecg_lightning.training.wandb_server import why_unreachable


def run_agents(sweep: Sweep, workers: int, gpus: Gpus) -> int:
    """Creates the sweep at W&B, as `wandb sweep` does, and runs `workers` agents, as `wandb agent` does.

    Raises:
        UserError: where there is no W&B key, or W&B does not accept the key or the file.
    """
    if reason := why_unreachable():
        raise UserError(f"--wandb: {reason}. Without --wandb, the same file is searched on this machine.")
    import wandb
    import yaml

    project = sweep.project or os.environ.get("WANDB_PROJECT") or Logging().project
    content = yaml.safe_load(sweep.file.read_text(encoding="utf-8"))
    try:
        identifier = wandb.sweep(content, entity=sweep.entity, project=project)
    except wandb.errors.Error as error:
        raise UserError(f"W&B did not accept {sweep.file}: {error}") from error
    wandb.teardown()  # otherwise the agents would use this process's service, which ends with this process
    path = "/".join(part for part in (sweep.entity, project, identifier) if part)
    agents = []
    for _ in range(workers):
        names = gpus.take()
        if names is None:
            break
        words = [sys.executable, "-m", "wandb", "agent", path]
        agents.append(subprocess.Popen(words, env=os.environ | gpus.environment(names)))
    print(f"{len(agents)} agents run the sweep {path}. On other machines, type: wandb agent {path}", flush=True)
    try:
        return max((agent.wait() for agent in agents), default=0)
    except KeyboardInterrupt:  # the terminal sends it to the agents, too, and they end their runs
        for agent in agents:
            agent.wait()
        return 130
