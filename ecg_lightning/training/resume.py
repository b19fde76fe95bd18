"""Going on with a run: from which checkpoint, that it is the same run, and that nobody else is at it."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.errors import UserError
from ecg_lightning.modules.optim import Optim
from ecg_lightning.training.callbacks.record import RUN
from ecg_lightning.training.recipe import NOTHING, differences, flat

LOCK = "fit.lock"
LENGTH = ("trainer.max_epochs", "trainer.max_steps")
"""How long a run trains: a longer one begins as the shorter one does, where its rate does not depend on it."""
ENDINGS = ("trainer.max_time", "trainer.min_epochs", "trainer.min_steps")
"""What else ends a run, and changes nothing before."""


@contextmanager
def alone(run_dir: Path) -> Iterator[None]:
    """Keeps every other `fit` out of a run's folder; a folder in which nothing was written is removed again.

    Raises:
        UserError: where another process is at it.
    """
    if getattr(rank_zero_only, "rank", 0):  # this process belongs to the one that has the lock
        yield
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run_dir / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"Another `fit` is at work in {run_dir}. Wait for its end, or give this one another run_dir."
        ) from None
    try:
        for folder in (run_dir, run_dir / "checkpoints"):
            for partial in folder.glob("*.part"):  # of a process that was killed while it wrote
                partial.unlink(missing_ok=True)
        yield
    finally:
        (run_dir / LOCK).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # it is not empty
            run_dir.rmdir()


def find(config: DictConfig, run_dir: Path) -> Checkpoint | None:
    """The checkpoint that the run goes on from, if any.

    Raises:
        UserError: where it is not there or cannot be read, or the folder has a run and none was asked for.
    """
    path, last = config.get("checkpoint_path"), run_dir / "checkpoints" / "last.ckpt"
    if path == "auto":
        path = str(last) if last.is_file() else None
    elif path is None and last.is_file():
        raise UserError(
            f"{run_dir} already holds a run. Go on with it by checkpoint_path={last} (or checkpoint_path=auto), "
            "or give the new one another run_dir."
        )
    if path is None:
        return None
    path = os.path.expanduser(path)
    if not Path(path).is_file():
        raise UserError(f"checkpoint_path: there is no file '{path}'.")
    if not path.endswith(".ckpt"):
        raise UserError(
            f"checkpoint_path: {path} is no .ckpt file of a run, and has not what training needs to go on. To start from "
            f"its weights, use finetune.checkpoint={path}."
        )
    try:
        return checkpoints.read(path)
    except UserError as error:
        raise UserError(f"checkpoint_path: {error} {_instead_of(Path(path))}") from error


def _instead_of(path: Path) -> str:
    best = path.with_name("best.ckpt")
    if best != path and best.is_file():
        return f"If it was cut off: copy {best} over it to go on from the best epoch, or remove both to start anew."
    return "If it was cut off: remove it to start anew."


def check_recipe(found: Checkpoint, recipe: Mapping[str, Any], optim: Optim) -> None:
    """Compares what a checkpoint was trained with and what is configured now: another recipe is another run.

    A run may become longer where its learning rate does not depend on its length, and may end by another clock.

    Raises:
        UserError: naming the first difference.
    """
    import torch

    run = torch.load(found.name, map_location="cpu", mmap=True, weights_only=True).get(RUN)
    if run is None:
        print(
            f"Note: {found.name} is of an earlier version and does not say how it was trained; that this is the same "
            "recipe is not checked.",
            file=sys.stderr,
        )
        return
    if not isinstance(run, dict) or not isinstance(run.get("recipe"), dict):
        raise UserError(f"checkpoint_path: {found.name} does not say how it was trained: it was damaged.")
    changed = {key: text for key, text in differences(run["recipe"], recipe).items() if not key.startswith(ENDINGS)}
    for key in LENGTH:
        if key in changed and not optim.depends_on_length():
            del changed[key]
        elif key in changed:
            changed[key] += f", and optim.schedule={optim.schedule} with optim.warmup={optim.warmup} follows it"
    if "finetune.checkpoint" in changed and _same_parent(found, recipe):
        del changed["finetune.checkpoint"]
    for difference in changed.values():
        raise another(found, difference)
    epochs, done = recipe.get("trainer.max_epochs"), found.card.epoch + 1
    if epochs is not None and 0 < epochs < done:
        raise UserError(
            f"checkpoint_path: {found.name} has {done} epochs behind it; trainer.max_epochs={epochs} is less."
        )


def _same_parent(found: Checkpoint, recipe: Mapping[str, Any]) -> bool:
    """Whether the run's parent, if any, is the one configured now, under whatever name; `fit` says where one has none."""
    parent, name = found.card.parent, recipe.get("finetune.checkpoint")
    return parent is None or name is None or bool(checkpoints.read(name).sha256 == parent.sha256)


def check_same(found: Checkpoint, card: Card) -> None:
    """Compares a checkpoint's card with that of the run that is to go on from it: terms, input, data.

    Raises:
        UserError: naming the first difference.
    """
    then_card, now_card = found.card.to_dict(), card.to_dict()
    for key in ("terms", "input", "data"):
        before, now = flat(then_card[key], key), flat(now_card[key], key)
        for name in dict.fromkeys([*now, *before]):
            if key == "data" and name not in before:  # of a version that did not say it yet
                continue
            if (then := before.get(name, NOTHING)) != (here := now.get(name, NOTHING)):
                raise another(found, f"{name} was {then}, and is {here} here")


def another(found: Checkpoint, difference: str) -> UserError:
    """The refusal to go on with a run as if it were another one."""
    return UserError(
        f"checkpoint_path: {found.name} is of another run: {difference}. checkpoint_path goes on with the same run; to "
        f"start from its weights, use finetune.checkpoint={found.name} and a run_dir of its own."
    )
