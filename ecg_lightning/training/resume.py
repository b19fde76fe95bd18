"""Going on with a run: finds its checkpoint, checks that it is the same run, and locks its folder."""

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
from ecg_lightning.training.recipe import completed, differences, flat

LOCK = "fit.lock"
LENGTH = ("trainer.max_epochs", "trainer.max_steps")
"""Keys of a run's length: a longer run begins as the shorter one does, where its learning rate does not depend on it."""
ENDINGS = ("trainer.max_time", "trainer.min_epochs", "trainer.min_steps")
"""Keys that end a run and do not change what comes before the end."""


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Keeps every other `fit` out of a run's folder; removes the folder again where nothing was written to it.

    Raises:
        UserError: where another process trains in it.
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
            f"Another `fit` is at work in {run_dir}. Wait until it ends, or give this one another run_dir."
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


def checkpoint_to_resume(config: DictConfig, run_dir: Path) -> Checkpoint | None:
    """Reads the checkpoint that the run goes on from; None where the run is a new one.

    Raises:
        UserError: where the file is missing or cannot be read, or where the folder has a run and `checkpoint_path` is not set.
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
            f"checkpoint_path: {path} is not a .ckpt file of a run, and lacks what training needs to go on. To start from "
            f"its weights, use finetune.checkpoint={path}."
        )
    try:
        return checkpoints.read(path)
    except UserError as error:
        raise UserError(f"checkpoint_path: {error} {_remedy(Path(path))}") from error


def _remedy(path: Path) -> str:
    """Returns what to do about a checkpoint that cannot be read."""
    best = path.with_name("best.ckpt")
    if best != path and best.is_file():
        return (
            f"If the file was cut off: copy {best} over it to go on from the best epoch, or remove both to start anew."
        )
    return "If the file was cut off: remove it to start anew."


def check_recipe(checkpoint: Checkpoint, config: DictConfig, recipe: Mapping[str, Any], optim: Optim) -> None:
    """Compares the recipe that a checkpoint was trained with and the recipe of this run: another recipe is another run.

    A run may become longer where its learning rate does not depend on its length. Its time limit may change. An argument
    that an earlier version did not have was at its default there.

    Args:
        checkpoint: of the run that goes on.
        config: of this run.
        recipe: of this run, see `recipe_of`.
        optim: of this run.

    Raises:
        UserError: naming the first difference.
    """
    import torch

    run = torch.load(checkpoint.name, map_location="cpu", mmap=True, weights_only=True).get(RUN)
    if run is None:
        print(
            f"Note: {checkpoint.name} is of an earlier version and does not say how it was trained. It is not checked that "
            "this is the same recipe.",
            file=sys.stderr,
        )
        return
    if not isinstance(run, dict) or not isinstance(run.get("recipe"), dict):
        raise UserError(f"checkpoint_path: {checkpoint.name} does not say how it was trained: it was damaged.")
    before = completed(run["recipe"], config, recipe)
    changed = {key: text for key, text in differences(before, recipe).items() if not key.startswith(ENDINGS)}
    for key in LENGTH:
        if key in changed and not optim.depends_on_length():
            del changed[key]
        elif key in changed:
            changed[key] += f", and optim.schedule={optim.schedule} with optim.warmup={optim.warmup} follows it"
    if "finetune.checkpoint" in changed and _same_parent(checkpoint, recipe):
        del changed["finetune.checkpoint"]
    for difference in changed.values():
        raise different_run(checkpoint, difference)
    epochs, trained = recipe.get("trainer.max_epochs"), checkpoint.card.epoch + 1
    if epochs is not None and 0 < epochs < trained:
        raise UserError(
            f"checkpoint_path: {checkpoint.name} was trained for {trained} epochs, and trainer.max_epochs={epochs} is less."
        )


def _same_parent(checkpoint: Checkpoint, recipe: Mapping[str, Any]) -> bool:
    """Returns whether the configured parent is the run's parent, perhaps under another name; also where either has none."""
    parent, name = checkpoint.card.parent, recipe.get("finetune.checkpoint")
    return parent is None or name is None or bool(checkpoints.read(name).sha256 == parent.sha256)


def check_card(checkpoint: Checkpoint, card: Card) -> None:
    """Compares a checkpoint's card with that of the run that is to go on from it: terms, input, data.

    Raises:
        UserError: naming the first difference.
    """
    card_before, card_now = checkpoint.card.to_dict(), card.to_dict()
    for key in ("terms", "input", "data"):
        before, now = flat(card_before[key], key), flat(card_now[key], key)
        without = [
            name for name in now if name not in before
        ]  # a version that did not write it yet; see `check_recipe`
        for difference in differences(before, now, without).values():
            raise different_run(checkpoint, difference)


def different_run(checkpoint: Checkpoint, difference: str) -> UserError:
    """Returns the error that refuses to go on, because the checkpoint is of a different run."""
    return UserError(
        f"checkpoint_path: {checkpoint.name} is of another run: {difference}. checkpoint_path goes on with the same run. To "
        f"start from its weights, use finetune.checkpoint={checkpoint.name} and a run_dir of its own."
    )
