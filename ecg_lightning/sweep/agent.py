"""``sweep FILE --wandb``: W&B's service searches, and its agents run the trials here."""

import os
import subprocess
import sys

from ecg_lightning.errors import UserError
from ecg_lightning.sweep.definition import Sweep
from ecg_lightning.sweep.gpus import Gpus
from ecg_lightning.training.logger import Logging
from ecg_lightning.training.wandb_server import why_unreachable


def run_agents(sweep: Sweep, workers: int, gpus: Gpus) -> int:
    """Makes the sweep at W&B, as ``wandb sweep`` does, and runs ``workers`` agents, as ``wandb agent`` does.

    Raises:
        UserError: where there is no W&B key, or its server does not take it.
    """
    if reason := why_unreachable():
        raise UserError(f"--wandb: {reason}. Leave out --wandb and the same file is searched here.")
    import wandb
    import yaml

    project = sweep.project or os.environ.get("WANDB_PROJECT") or Logging().project
    try:
        identifier = wandb.sweep(
            yaml.safe_load(sweep.file.read_text(encoding="utf-8")), entity=sweep.entity, project=project
        )
    except wandb.errors.Error as error:
        raise UserError(f"W&B did not take {sweep.file}: {error}") from error
    wandb.teardown()  # else the agents use this process's service, and lose it at its end
    path = "/".join(part for part in (sweep.entity, project, identifier) if part)
    agents = []
    for _ in range(workers):
        taken = gpus.take()
        if taken is None:
            break
        agents.append(
            subprocess.Popen(
                [sys.executable, "-m", "wandb", "agent", path], env={**os.environ, **gpus.environment(taken)}
            )
        )
    print(f"{len(agents)} agents of the sweep {path}; on further machines: wandb agent {path}", flush=True)
    try:
        return max((agent.wait() for agent in agents), default=0)
    except KeyboardInterrupt:  # the terminal has sent it to the agents too; they end their runs
        for agent in agents:
            agent.wait()
        return 130
