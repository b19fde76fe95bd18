"""W&B's server: whether there is a key, whether the server answers, and how a log is sent to it later."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ecg_lightning.errors import one_line


def has_key() -> bool:
    """Returns whether this user has credentials for W&B, in any of the places where W&B looks for them."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    import wandb

    wandb.setup(wandb.Settings(silent=True))
    try:
        return wandb.login(prompt=False, verify=False)
    except wandb.errors.Error:  # there is a key, and it is malformed
        return True
    finally:
        wandb.teardown()  # else processes that start next use this one's service, and lose it at its end


def why_unreachable() -> str:
    """Returns why W&B's server would not take a run; empty where it would. Asks once, and waits about ten seconds."""
    import wandb

    host = wandb.setup(wandb.Settings(silent=True)).settings.base_url
    try:
        if wandb.login(prompt=False, verify=True):
            return ""
    except wandb.errors.AuthenticationError as error:
        if "did not respond in time" in str(error):
            return f"{host} does not answer"
        if code := re.search(r"error (401|403)\b", str(error)):
            return f"{host} refuses the key ({code[0]})"
        return one_line(error)
    return "there is no key for it on this machine (`wandb login` stores one)"


def how_to_send(run_dir: Path, offline: bool = True) -> str:
    """Returns the sentence with the command that sends a run's log."""
    option = "" if offline else "--include-online "
    return f"To send the log: wandb sync {option}{shlex.quote(str(run_dir.absolute() / 'wandb'))}"


def has_unsent_log(run_dir: Path) -> bool:
    """Returns whether a part of a run's log was kept offline and was not sent since; `wandb sync` marks what it sends."""
    logs = (run_dir / "wandb").glob("offline-run-*/run-*.wandb")
    return not all(log.with_name(f"{log.name}.synced").exists() for log in logs)


@contextmanager
def failures_to(report: Callable[[str], None]) -> Iterator[None]:
    """Calls `report` with the reason where W&B fails: its processes, servers and disks fail in many ways."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 no failure of W&B may end a training
        report(one_line(error))


def print_line(text: str) -> None:
    """Prints one line about W&B."""
    print(f"W&B: {text}", file=sys.stderr, flush=True)
