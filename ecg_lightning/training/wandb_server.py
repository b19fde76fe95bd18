"""W&B's server seen from here: whether there is a key, whether it answers, and how a log is sent to it later."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ecg_lightning.errors import one_line


def has_key() -> bool:
    """Whether this user has credentials for W&B, wherever W&B itself looks for them."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    import wandb

    wandb.setup(wandb.Settings(silent=True))
    try:
        return wandb.login(prompt=False, verify=False)
    except wandb.errors.Error:  # there is one, though malformed
        return True
    finally:
        wandb.teardown()  # else processes that are started next use this one's service, and lose it at its end


def unreachable() -> str:
    """Why W&B's server would not take a run; empty where it would. Asks it once, and waits about ten seconds."""
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
    return "there is no key for it here (`wandb login` stores one)"


def how_to_send(run_dir: Path, offline: bool = True) -> str:
    """What is to be typed to send a run's log."""
    option = "" if offline else "--include-online "
    return f"To send the log: wandb sync {option}{shlex.quote(str(run_dir.absolute() / 'wandb'))}"


@contextmanager
def unless_it_fails(failed: Callable[[str], None]) -> Iterator[None]:
    """Calls ``failed`` with the reason where W&B fails: its processes, servers and disks do so in many ways."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 whatever it is must not cost a training
        failed(one_line(error))


def say(text: str) -> None:
    """Prints one line about W&B."""
    print(f"W&B: {text}", file=sys.stderr, flush=True)
